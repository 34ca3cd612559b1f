package dev.haven.fencing;

import dev.haven.fencing.Program.Result;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A host that is itself a virtual machine, switched through the libvirt beneath it, by virsh.
 *
 * <p>"shut off" is off only when what ran cannot come back: a saved machine would go on where it
 * stopped, with all its guests, and one that was migrated runs elsewhere.
 */
final class LibvirtDevice implements PowerDevice {
  private static final Pattern STATE = Pattern.compile("([a-z ]+?)(?: \\((.*)\\))?");

  private final String name;
  private final String uri;
  private final String domain;
  private final Duration limit;
  private final Duration stale;

  private LibvirtDevice(DeviceSpec spec) {
    name = spec.name();
    var settings = new DeviceSettings(spec);
    settings.refuseUnknown("uri", "domain", "timeout", "stale");
    uri = settings.required("uri", "qemu+ssh://root@10.0.0.1/system");
    domain = settings.required("domain", "host-a, or better its UUID");
    if (uri.startsWith("-") || domain.startsWith("-")) {
      throw settings.wrong(
          "uri or domain begins with -", "give them as virsh list and virsh uri do");
    }
    limit = settings.duration("timeout", Duration.ofSeconds(10));
    stale =
        settings.duration("stale", Duration.ofSeconds(2)); // libvirt knows; it has just to be up
  }

  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  static LibvirtDevice open(DeviceSpec spec) {
    return new LibvirtDevice(spec);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var began = Instant.now();
    var result = virsh(within, "domstate", "--reason", domain);
    var ended = Instant.now();
    if (!(result instanceof Result.Exited exited) || exited.code() != 0) {
      return new PowerReading.Unknown(name, began, ended, reason(result));
    }
    var words = exited.output().strip();
    var state = STATE.matcher(words);
    if (!state.matches()) {
      return new PowerReading.Unknown(name, began, ended, "virsh said: " + words);
    }
    var why = state.group(2) == null ? "" : state.group(2);
    return switch (state.group(1)) {
      case "shut off" ->
          switch (why) {
            case "saved" ->
                new PowerReading.Unknown(
                    name,
                    began,
                    ended,
                    "it is saved and would go on where it stopped; throw that away first: virsh"
                        + " managedsave-remove "
                        + domain);
            case "migrated" ->
                new PowerReading.Unknown(
                    name,
                    began,
                    ended,
                    "it was migrated away and may run elsewhere; correct the device's uri");
            default -> new PowerReading.Off(name, began, ended, words);
          };
      // crashed: its process may be kept, stopped, with its disks open
      case "running", "idle", "paused", "in shutdown", "crashed", "pmsuspended" ->
          new PowerReading.On(name, began, ended, words);
      default -> new PowerReading.Unknown(name, began, ended, "virsh said: " + words);
    };
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    return order(within, "destroy", domain);
  }

  /** A saved state is thrown away: guests have been restarted elsewhere since. */
  @Override
  public SwitchResult switchOn(Duration within) {
    return order(within, "start", "--force-boot", domain);
  }

  private SwitchResult order(Duration within, String... what) {
    var began = Instant.now();
    var result = virsh(within, what);
    var ended = Instant.now();
    return switch (result) {
      case Result.Exited(int code, _, _) when code == 0 ->
          new SwitchResult.Accepted(name, began, ended, "virsh " + what[0]);
      case Result.Exited(_, _, var complaint)
          when what[0].equals("destroy") && complaint.endsWith("domain is not running") ->
          new SwitchResult.AlreadyOff(name, began, ended, complaint, stale);
      case Result.Exited(_, _, var complaint)
          when what[0].equals("start") && complaint.endsWith("Domain is already active") ->
          new SwitchResult.Accepted(name, began, ended, complaint);
      case Result.Exited _, Result.Failed _ ->
          new SwitchResult.Failed(name, began, ended, reason(result));
    };
  }

  /** A connection that may not write can read all the same. */
  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Unknown("libvirt tells only when it is asked to switch");
  }

  @Override
  public Optional<Duration> stale() {
    return Optional.of(stale);
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return virsh(within, "domuuid", domain) instanceof Result.Exited(int code, var output, _)
            && code == 0
        ? Optional.of(output.strip())
        : Optional.empty();
  }

  private Result virsh(Duration within, String... what) {
    var command = new ArrayList<>(List.of("virsh", "-q", "-c", uri));
    command.addAll(List.of(what));
    return Program.run(
        command, Map.of(), "", List.of(), within.compareTo(limit) < 0 ? within : limit);
  }

  private static String reason(Result result) {
    return switch (result) {
      case Result.Failed(var reason) -> reason;
      case Result.Exited(int code, _, var complaint) ->
          "virsh ended with " + code + (complaint.isEmpty() ? "" : ": " + complaint);
    };
  }
}
