package dev.haven.fencing;

import dev.haven.fencing.Program.Result;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A baseboard management controller, over IPMI 2.0 by ipmitool.
 *
 * <p>Every session asks for one privilege, OPERATOR, the least that may switch (IPMI 2.0, table
 * G-1): ipmitool's own default, ADMINISTRATOR, would be refused to the account that an
 * administrator should create for fencing. The cipher suite is fixed, because asking for the list
 * costs ten seconds where a BMC does not answer that question.
 */
final class IpmiDevice implements PowerDevice {
  private static final Set<String> PRIVILEGES = Set.of("USER", "OPERATOR", "ADMINISTRATOR");

  /** Cipher suites of IPMI 2.0, table 22-20; the first asks for no password either. */
  private static final Set<Integer> WITHOUT_INTEGRITY = Set.of(0, 1, 6, 15);

  private final IpmitoolHome home;
  private final String name;
  private final DeviceSettings settings;
  private final List<String> session;
  private final String user;
  private final String privilege;
  private final Duration limit;
  private final Duration stale;

  private IpmiDevice(DeviceSpec spec, IpmitoolHome home) {
    this.home = home;
    name = spec.name();
    settings = new DeviceSettings(spec);
    settings.refuseUnknown(
        "address",
        "port",
        "user",
        "password",
        "passwordFile",
        "interface",
        "cipher",
        "privilege",
        "timeout",
        "stale");
    var address = settings.required("address", "10.0.0.11");
    if (address.startsWith("-") || address.matches(".*\\s.*")) {
      throw settings.wrong("address is " + address, "give the BMC's host name or IP address");
    }
    user = settings.required("user", "haven");
    if (user.getBytes(StandardCharsets.UTF_8).length > 16) {
      throw settings.wrong("user is longer than 16 bytes", "IPMI allows no longer one");
    }
    privilege = settings.optional("privilege").orElse("OPERATOR").toUpperCase(Locale.ROOT);
    if (!PRIVILEGES.contains(privilege)) {
      throw settings.wrong(
          "privilege is " + settings.optional("privilege").orElse(""),
          "use OPERATOR or ADMINISTRATOR");
    }
    var transport = settings.optional("interface").orElse("lanplus");
    if (!transport.equals("lanplus") && !transport.equals("lan")) {
      throw settings.wrong(
          "interface is " + transport,
          "use lanplus (IPMI 2.0), or lan for a BMC that knows only 1.5");
    }
    int cipher = settings.number("cipher", 3, 0, 17);
    if (WITHOUT_INTEGRITY.contains(cipher)) {
      throw settings.wrong(
          "cipher is %d, with which anybody on the way can answer in the BMC's place"
              .formatted(cipher),
          "use 3 or 17");
    }
    limit = settings.duration("timeout", Duration.ofSeconds(5));
    stale = settings.duration("stale", FenceAgentDevice.STALE);
    session =
        List.of(
            "-I",
            transport,
            "-H",
            address,
            "-p",
            "" + settings.number("port", 623, 1, 65535),
            "-U",
            user,
            "-E",
            "-C",
            "" + cipher,
            "-N",
            "1");
    password();
  }

  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  static IpmiDevice open(DeviceSpec spec, IpmitoolHome home) {
    return new IpmiDevice(spec, home);
  }

  private String password() {
    var password =
        settings
            .secret("password", "passwordFile")
            .orElseThrow(
                () ->
                    settings.wrong(
                        "the password is missing",
                        "add passwordFile: PATH with the password in it"));
    if (password.getBytes(StandardCharsets.UTF_8).length > 20) {
      throw settings.wrong(
          "the password is longer than 20 bytes", "IPMI 2.0 allows no longer ones");
    }
    return password;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var began = Instant.now();
    var result = ipmitool(privilege, within, "chassis", "power", "status");
    var ended = Instant.now();
    return switch (result) {
      case Result.Exited(int code, var output, _)
          when code == 0 && output.strip().equals("Chassis Power is off") ->
          new PowerReading.Off(name, began, ended, output.strip());
      case Result.Exited(int code, var output, _)
          when code == 0 && output.strip().equals("Chassis Power is on") ->
          new PowerReading.On(name, began, ended, output.strip());
      case Result.Exited exited -> new PowerReading.Unknown(name, began, ended, reason(exited));
      case Result.Failed(var reason) -> new PowerReading.Unknown(name, began, ended, reason);
    };
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    return order("off", "Chassis Power Control: Down/Off", within);
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    return order("on", "Chassis Power Control: Up/On", within);
  }

  private SwitchResult order(String order, String expected, Duration within) {
    var began = Instant.now();
    var result = ipmitool(privilege, within, "chassis", "power", order);
    var ended = Instant.now();
    return switch (result) {
      case Result.Exited(int code, var output, _)
          when code == 0 && output.strip().equals(expected) ->
          new SwitchResult.Accepted(name, began, ended, output.strip());
      // Completion code D5h: some BMCs refuse to switch off what they take for off.
      case Result.Exited(_, _, var complaint)
          when order.equals("off") && complaint.endsWith("not supported in present state") ->
          new SwitchResult.AlreadyOff(name, began, ended, complaint, stale);
      case Result.Exited exited -> new SwitchResult.Failed(name, began, ended, reason(exited));
      case Result.Failed(var reason) -> new SwitchResult.Failed(name, began, ended, reason);
    };
  }

  /**
   * A session with the privilege that switching takes is opened, and closed again; where that
   * fails, one that may only look.
   */
  @Override
  public Privilege privilege(Duration within) {
    var deadline = Deadline.in(within);
    if (privilege.equals("USER")) {
      return new Privilege.Missing("its setting privilege is USER");
    }
    if (works(session(privilege, within))) {
      return new Privilege.Enough();
    }
    if (!works(session("USER", deadline.left()))) {
      return new Privilege.Unknown("no session could be opened");
    }
    var again = session(privilege, deadline.left()); // the first one may have got lost
    if (again instanceof Result.Failed(var reason)) {
      return new Privilege.Unknown(reason);
    }
    return works(again)
        ? new Privilege.Enough()
        : new Privilege.Missing(
            "account " + user + " gets sessions as USER but not as " + privilege);
  }

  private Result session(String privilege, Duration within) {
    return ipmitool(privilege, within, "chassis", "power", "status");
  }

  private static boolean works(Result result) {
    return result instanceof Result.Exited(int code, _, _) && code == 0;
  }

  @Override
  public Optional<Duration> stale() {
    return Optional.of(stale);
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    // The raw bytes: "mc guid" guesses at their order.
    return ipmitool(privilege, within, "raw", "0x06", "0x37")
                instanceof Result.Exited(int code, var output, _)
            && code == 0
        ? Optional.of(output.replaceAll("\\s", ""))
        : Optional.empty();
  }

  private Result ipmitool(String privilege, Duration within, String... what) {
    String password;
    try {
      password = password();
    } catch (FencingConfigException e) {
      return new Result.Failed(e.getMessage());
    }
    var command = new ArrayList<String>();
    command.add("ipmitool");
    command.addAll(session);
    command.addAll(List.of("-L", privilege));
    command.addAll(List.of(what));
    return Program.run(
        command,
        Map.of("IPMITOOL_PASSWORD", password, "HOME", home.path()),
        "",
        List.of(password),
        within.compareTo(limit) < 0 ? within : limit);
  }

  private String reason(Result.Exited exited) {
    return "ipmitool ended with "
        + exited.code()
        + (exited.complaint().isEmpty() ? "" : ": " + exited.complaint())
        + (exited.output().isBlank() ? "" : " (it said: " + exited.output().strip() + ")");
  }
}
