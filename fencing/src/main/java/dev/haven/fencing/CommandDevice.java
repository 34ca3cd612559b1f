package dev.haven.fencing;

import dev.haven.fencing.Program.Result;
import dev.haven.model.SecretNames;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * Anything that a command of the operator's can switch and read back. Secrets reach it through its
 * environment, where only root and its own user see them.
 */
final class CommandDevice implements PowerDevice {
  private static final String ENVIRONMENT = "env.";
  private static final String PASSWORD = "HAVEN_PASSWORD";
  private static final Pattern WORD = Pattern.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)");
  private static final Pattern SECRET_OPTION =
      Pattern.compile("(?i)--?%s(=.*)?".formatted(SecretNames.WORD));

  /** Shells, interpreters and timeout(1) end so for reasons of their own. */
  private static final Set<Integer> FAILURES = Set.of(1, 124, 125, 126, 127, 137);

  private final String name;
  private final DeviceSettings settings;
  private final List<String> off;
  private final List<String> on;
  private final List<String> status;
  private final @Nullable Expression offMatch;
  private final @Nullable Expression onMatch;
  private final @Nullable Expression already;
  private final int offExit;
  private final int onExit;
  private final Duration limit;
  private final Duration stale;

  private CommandDevice(DeviceSpec spec) {
    name = spec.name();
    settings = new DeviceSettings(spec);
    var known =
        new ArrayList<>(
            List.of(
                "off",
                "on",
                "status",
                "offMatch",
                "onMatch",
                "offExit",
                "onExit",
                "alreadyMatch",
                "passwordFile",
                "timeout",
                "stale"));
    spec.settings().keySet().stream()
        .filter(key -> key.startsWith(ENVIRONMENT))
        .forEach(known::add);
    settings.refuseUnknown(known.toArray(String[]::new));
    off = words("off");
    on = words("on");
    status = words("status");
    offMatch = pattern("offMatch");
    onMatch = pattern("onMatch");
    already = pattern("alreadyMatch");
    if ((offMatch == null) != (onMatch == null)) {
      throw settings.wrong(
          "only one of offMatch and onMatch is set",
          "set both: what matches neither, or both, is not known");
    }
    onExit = settings.number("onExit", 0, 0, 255);
    offExit = settings.number("offExit", 2, 0, 255);
    if (offExit == onExit || FAILURES.contains(offExit)) {
      throw settings.wrong(
          "offExit is " + offExit,
          "let the status command end with a number of its own when the power is off, such as 2:"
              + " programs that fail end with 1");
    }
    if (offMatch != null
        && (settings.optional("offExit").isPresent() || settings.optional("onExit").isPresent())) {
      throw settings.wrong(
          "both exit statuses and expressions are set",
          "keep offExit and onExit, or offMatch and onMatch");
    }
    limit = settings.duration("timeout", Duration.ofSeconds(10));
    stale = settings.duration("stale", FenceAgentDevice.STALE);
    refuseSecretsInCommands();
  }

  private void refuseSecretsInCommands() {
    for (var secret : environment().values()) {
      if (secret.length() > 3
          && List.of(off, on, status).stream()
              .flatMap(List::stream)
              .anyMatch(word -> word.contains(secret))) {
        throw settings.wrong(
            "a command has a secret among its arguments", "let it read its environment instead");
      }
    }
  }

  /**
   * @throws FencingConfigException when a setting is missing, unknown or impossible
   */
  static CommandDevice open(DeviceSpec spec) {
    return new CommandDevice(spec);
  }

  /** Words as a shell would part them, but nothing is expanded and no shell runs. */
  private List<String> words(String key) {
    var text = settings.required(key, "/usr/local/sbin/outlet 3 " + key);
    var words = new ArrayList<String>();
    var word = WORD.matcher(text);
    while (word.find()) {
      words.add(
          word.group(1) != null
              ? word.group(1)
              : word.group(2) != null ? word.group(2) : word.group(3));
    }
    if (words.isEmpty() || !words.getFirst().startsWith("/")) {
      throw settings.wrong(key + " is " + text, "begin it with the whole path of the program");
    }
    if (words.stream().anyMatch(w -> SECRET_OPTION.matcher(w).matches())) {
      throw settings.wrong(
          "the command "
              + key
              + " takes a password as an argument, which everybody on the machine can see",
          "let it read the environment variable " + PASSWORD + ", filled from passwordFile");
    }
    return words;
  }

  private @Nullable Expression pattern(String key) {
    var text = settings.optional(key);
    try {
      return text.isEmpty() ? null : Expression.of(Pattern.compile(text.get(), Pattern.MULTILINE));
    } catch (PatternSyntaxException e) {
      throw settings.wrong(
          key + " is " + text.orElse(""), "it is no expression: " + e.getDescription());
    }
  }

  private Map<String, String> environment() {
    var all = new HashMap<String, String>();
    settings.startingWith(ENVIRONMENT).forEach(all::put);
    settings.secret("", "passwordFile").ifPresent(secret -> all.put(PASSWORD, secret));
    return all;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public PowerReading read(Duration within) {
    var began = Instant.now();
    var end = Expression.end(within.compareTo(limit) < 0 ? within : limit);
    var result = run(status, within);
    var ended = Instant.now();
    if (!(result instanceof Result.Exited exited)) {
      return new PowerReading.Unknown(name, began, ended, reason(result));
    }
    boolean saysOff;
    boolean saysOn;
    if (offMatch != null && onMatch != null) {
      try {
        saysOff = exited.code() == 0 && offMatch.isIn(exited.output(), end);
        saysOn = exited.code() == 0 && onMatch.isIn(exited.output(), end);
      } catch (Expression.Endless e) {
        return new PowerReading.Unknown(name, began, ended, String.valueOf(e.getMessage()));
      }
    } else {
      saysOff = exited.code() == offExit;
      saysOn = exited.code() == onExit;
    }
    if (saysOff == saysOn) {
      return new PowerReading.Unknown(
          name, began, ended, (saysOn ? "it says on and off: " : "") + reason(result));
    }
    return saysOff
        ? new PowerReading.Off(name, began, ended, reason(result))
        : new PowerReading.On(name, began, ended, reason(result));
  }

  @Override
  public SwitchResult switchOff(Duration within) {
    return order(off, within);
  }

  @Override
  public SwitchResult switchOn(Duration within) {
    return order(on, within);
  }

  private SwitchResult order(List<String> command, Duration within) {
    var began = Instant.now();
    var end = Expression.end(within.compareTo(limit) < 0 ? within : limit);
    var result = run(command, within);
    var ended = Instant.now();
    if (result instanceof Result.Exited exited && exited.code() == 0) {
      try {
        return command == off && already != null && already.isIn(exited.output(), end)
            ? new SwitchResult.AlreadyOff(name, began, ended, reason(result), stale)
            : new SwitchResult.Accepted(name, began, ended, reason(result));
      } catch (Expression.Endless e) {
        return new SwitchResult.Failed(name, began, ended, String.valueOf(e.getMessage()));
      }
    }
    return new SwitchResult.Failed(name, began, ended, reason(result));
  }

  @Override
  public Privilege privilege(Duration within) {
    return new Privilege.Unknown("a command cannot tell without switching");
  }

  @Override
  public Optional<Duration> stale() {
    return already == null ? Optional.empty() : Optional.of(stale);
  }

  @Override
  public Optional<String> systemGuid(Duration within) {
    return Optional.empty();
  }

  private Result run(List<String> command, Duration within) {
    Map<String, String> environment;
    try {
      environment = environment();
    } catch (FencingConfigException e) {
      return new Result.Failed(e.getMessage());
    }
    return Program.run(
        command,
        environment,
        "",
        environment.values(),
        within.compareTo(limit) < 0 ? within : limit);
  }

  private static String reason(Result result) {
    return switch (result) {
      case Result.Failed(var reason) -> reason;
      case Result.Exited(int code, var output, var complaint) -> {
        var words = output.strip().replaceAll("\\s+", " ");
        yield "it ended with "
            + code
            + (words.isEmpty()
                ? ""
                : " and said: " + (words.length() > 300 ? words.substring(0, 300) + " …" : words))
            + (code == 0 || complaint.isEmpty() ? "" : " (" + complaint + ")");
      }
    };
  }
}
