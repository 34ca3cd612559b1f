package dev.haven.fencing;

import dev.haven.fencing.Program.Result;
import dev.haven.model.SecretNames;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Any fence agent that keeps ClusterLabs' FenceAgentAPI: options as lines on its standard input,
 * the answer in its exit status. What it prints is shown to people; the one sentence that matters,
 * "Already OFF", only ever makes us more careful.
 */
final class FenceAgentDevice implements PowerDevice {
  /**
   * So long a device's word may be older than the host's power; a BMC needs that to find out after
   * its own restart.
   */
  static final Duration STALE = Duration.ofSeconds(30);

  private static final Set<String> OURS =
      Set.of("agent", "timeout", "stale", "passwordFile", "delay", "sharesPower");
  private static final Set<String> NEVER = Set.of("action", "option", "debug", "debug_file");

  private final String name;
  private final DeviceSettings settings;
  private final Path agent;
  private final Duration limit;
  private final Duration stale;
  private final Map<String, String> options;
  private final Optional<String> passwordOption;

  private FenceAgentDevice(DeviceSpec spec) {
    name = spec.name();
    settings = new DeviceSettings(spec);
    agent = locate(settings);
    limit = settings.duration("timeout", Duration.ofSeconds(20));
    stale = settings.duration("stale", STALE);
    var metadata = AgentMetadata.of(agent, settings);
    options = new LinkedHashMap<>();
    spec.settings()
        .forEach(
            (key, value) -> {
              if (!OURS.contains(key)) {
                options.put(key, value);
              }
            });
    passwordOption =
        settings.optional("passwordFile").isEmpty()
            ? Optional.empty()
            : Optional.of(
                metadata
                    .passwordOption()
                    .orElseThrow(
                        () ->
                            settings.wrong(
                                agent.getFileName() + " has no password option",
                                "remove passwordFile")));
    check(metadata);
    password();
  }

  /**
   * @throws FencingConfigException when the agent is missing or unusable, or a setting is missing,
   *     unknown or impossible
   */
  static FenceAgentDevice open(DeviceSpec spec) {
    return new FenceAgentDevice(spec);
  }

  private static Path locate(DeviceSettings settings) {
    var agent = settings.required("agent", "fence_ipmilan");
    if (agent.startsWith("/")) {
      if (Files.isExecutable(Path.of(agent))) {
        return Path.of(agent);
      }
    } else {
      if (!agent.matches("fence_[A-Za-z0-9_.-]+")) {
        throw settings.wrong("agent is " + agent, "give a name such as fence_ipmilan, or a path");
      }
      var folders = new ArrayList<>(List.of("/usr/sbin", "/sbin"));
      folders.addAll(List.of(System.getenv().getOrDefault("PATH", "").split(":")));
      for (var folder : folders) {
        if (!folder.isEmpty() && Files.isExecutable(Path.of(folder, agent))) {
          return Path.of(folder, agent);
        }
      }
    }
    throw settings.wrong(
        "there is no agent " + agent,
        "install it (Debian: package fence-agents) or correct its name");
  }

  private void check(AgentMetadata metadata) {
    if (metadata.needsUnfencing()) {
      throw settings.wrong(
          agent.getFileName()
              + " cuts a host off from its storage and needs it to be let in again at each boot"
              + " (unfencing), which Haven does not support yet",
          "use an agent that switches the power");
    }
    for (var action : List.of("off", "on", "status")) {
      if (!metadata.actions().contains(action)) {
        throw settings.wrong(
            agent.getFileName() + " has no action " + action,
            action.equals("status")
                ? "use an agent whose device can be read back: without that nothing proves that a"
                    + " host is off"
                : "use an agent that switches the power");
      }
    }
    options.forEach(
        (key, value) -> {
          if (NEVER.contains(key)) {
            throw settings.wrong(
                "option " + key + " may not be set",
                key.startsWith("debug")
                    ? "remove it: agents write passwords into that file"
                    : "remove it: Haven chooses the action");
          }
          var option = metadata.options().get(key);
          if (option == null) {
            throw settings.unknown(
                "option",
                key,
                metadata.options().keySet().stream().filter(o -> !NEVER.contains(o)).toList());
          }
          if (value.indexOf('\n') >= 0 || value.indexOf('\r') >= 0) {
            throw settings.wrong(
                "option " + key + " has more than one line", "agents take one line");
          }
          option
              .complaint(value)
              .ifPresent(
                  complaint -> {
                    throw settings.wrong(
                        "option " + key + (SecretNames.isSecret(key) ? "" : " is " + value),
                        complaint);
                  });
          if (key.equals("method") && value.toLowerCase(Locale.ROOT).equals("cycle")) {
            throw settings.wrong(
                "option method is cycle",
                "use onoff: a cycle may be reported before the power is cut, and nothing stays off"
                    + " to be read back");
          }
        });
    for (var option : metadata.options().values()) {
      boolean given =
          options.containsKey(option.name())
              || options.keySet().stream().anyMatch(option.otherNames()::contains)
              || passwordOption.filter(option.name()::equals).isPresent();
      if (option.required()
          && option.standard().isEmpty()
          && !given
          && !NEVER.contains(option.name())) {
        throw settings.wrong(
            "option " + option.name() + " is missing", "add it: " + option.description());
      }
    }
    if (passwordOption.isPresent() && options.containsKey(passwordOption.get())) {
      throw settings.wrong(
          "both " + passwordOption.get() + " and passwordFile are set", "keep one of them");
    }
  }

  private Optional<String> password() {
    return passwordOption.flatMap(option -> settings.secret("", "passwordFile"));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var began = Instant.now();
    var result = call("status", within);
    var ended = Instant.now();
    return switch (result) {
      case Result.Exited exited when says(exited, 0, "ON") ->
          new PowerReading.On(name, began, ended, evidence(exited));
      case Result.Exited exited when says(exited, 2, "OFF") ->
          new PowerReading.Off(name, began, ended, evidence(exited));
      case Result.Exited exited -> new PowerReading.Unknown(name, began, ended, evidence(exited));
      case Result.Failed(var reason) -> new PowerReading.Unknown(name, began, ended, reason);
    };
  }

  /**
   * Exit status 2 is also how shells and Python end on a wrong call, so words that speak against it
   * are heard.
   */
  private static boolean says(Result.Exited exited, int code, String state) {
    var words = exited.output().toUpperCase(Locale.ROOT);
    var other = state.equals("ON") ? "OFF" : "ON";
    return exited.code() == code
        && !words.contains("STATUS: " + other)
        && !words.contains("USAGE:")
        && !words.contains("ERROR");
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    return order("off", within);
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    return order("on", within);
  }

  private SwitchResult order(String action, Duration within) {
    var began = Instant.now();
    var result = call(action, within);
    var ended = Instant.now();
    return switch (result) {
      // ClusterLabs' library asks for the state first, and sends no order to what says off.
      case Result.Exited exited
          when exited.code() == 0
              && action.equals("off")
              && exited.output().contains("Already OFF") ->
          new SwitchResult.AlreadyOff(name, began, ended, evidence(exited), stale);
      case Result.Exited exited when exited.code() == 0 ->
          new SwitchResult.Accepted(name, began, ended, evidence(exited));
      case Result.Exited exited -> new SwitchResult.Failed(name, began, ended, evidence(exited));
      case Result.Failed(var reason) -> new SwitchResult.Failed(name, began, ended, reason);
    };
  }

  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Unknown("a fence agent cannot tell without switching");
  }

  @Override
  public Optional<Duration> stale() {
    return Optional.of(stale);
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return Optional.empty();
  }

  private Result call(String action, Duration within) {
    Optional<String> password;
    try {
      password = password();
    } catch (FencingConfigException e) {
      return new Result.Failed(e.getMessage());
    }
    var input = new StringBuilder("action=" + action + "\n");
    var secrets = new ArrayList<String>();
    options.forEach(
        (key, value) -> {
          input.append(key).append('=').append(value).append('\n');
          if (SecretNames.isSecret(key)) {
            secrets.add(value);
          }
        });
    password.ifPresent(
        secret -> {
          input.append(passwordOption.orElseThrow()).append('=').append(secret).append('\n');
          secrets.add(secret);
        });
    return Program.run(
        List.of(agent.toString()),
        Map.of(),
        input.toString(),
        secrets,
        within.compareTo(limit) < 0 ? within : limit);
  }

  private String evidence(Result.Exited exited) {
    var words = exited.output().strip().replaceAll("\\s+", " ");
    return agent.getFileName()
        + " ended with "
        + exited.code()
        + (words.isEmpty()
            ? ""
            : " and said: " + (words.length() > 300 ? words.substring(0, 300) + " …" : words))
        + (exited.code() != 1 || exited.complaint().isEmpty()
            ? ""
            : " (" + exited.complaint() + ")");
  }
}
