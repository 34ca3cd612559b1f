package dev.haven.cli;

import dev.haven.model.AgentPing;
import dev.haven.model.HealthCheck;
import dev.haven.model.RestartLimits;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Restart limits and health checks of a guest, as they are typed and shown. */
final class Recovery {
  private static final Duration WITHIN = Duration.ofMinutes(10);

  private Recovery() {}

  /**
   * Reads {@code in-place=3,within=10m,elsewhere=2,after-power-off=no}, any of them, or {@code
   * unlimited}.
   *
   * @throws IllegalArgumentException if it is none
   */
  static Optional<RestartLimits> limits(String text) {
    if (text.equals("unlimited")) {
      return Optional.empty();
    }
    var given =
        options("restarts", text, List.of("in-place", "within", "elsewhere", "after-power-off"));
    var afterPowerOff = given.getOrDefault("after-power-off", "no");
    if (!afterPowerOff.equals("yes") && !afterPowerOff.equals("no")) {
      throw new IllegalArgumentException(
          "restarts: after-power-off=%s is neither yes nor no".formatted(afterPowerOff));
    }
    return Optional.of(
        new RestartLimits(
            whole("restarts", given, "in-place", 3),
            Optional.ofNullable(given.get("within")).map(Units::parseDuration).orElse(WITHIN),
            whole("restarts", given, "elsewhere", 2),
            afterPowerOff.equals("yes")));
  }

  static String text(Optional<RestartLimits> limits) {
    return limits
        .map(
            l ->
                "%d in place within %s, then on %d other hosts; powered off from inside it %s"
                    .formatted(
                        l.inPlace(),
                        Units.duration(l.within()),
                        l.elsewhere(),
                        l.afterPowerOff() ? "is restarted" : "stays off"))
        .orElse("without limit; powered off from inside it stays off");
  }

  /**
   * Reads {@code guest-agent,period=10s,misses=3}, or {@code none}.
   *
   * @throws IllegalArgumentException if it is neither
   */
  static Optional<AgentPing> ping(String text) {
    if (text.equals("none")) {
      return Optional.empty();
    }
    var parts = text.split(",", 2);
    if (!parts[0].equals("guest-agent")) {
      throw new IllegalArgumentException(
          "health '%s': use guest-agent[,period=10s][,misses=3] or none".formatted(text));
    }
    var given =
        parts.length == 1
            ? Map.<String, String>of()
            : options("health", parts[1], List.of("period", "misses"));
    return Optional.of(
        new AgentPing(
            Optional.ofNullable(given.get("period"))
                .map(Units::parseDuration)
                .orElse(AgentPing.DEFAULT.period()),
            whole("health", given, "misses", AgentPing.DEFAULT.misses())));
  }

  static String text(HealthCheck check) {
    return check
            .guestAgent()
            .map(
                p ->
                    "guest agent every %s, unhealthy after %d misses"
                        .formatted(Units.duration(p.period()), p.misses()))
            .orElse("only its watchdog, if it has one")
        + (check.restart() ? "; then restarted" : "; then an alarm");
  }

  private static Map<String, String> options(String what, String text, List<String> known) {
    var given = new LinkedHashMap<String, String>();
    for (var part : Arrays.asList(text.split(",", -1))) {
      int equals = part.indexOf('=');
      if (equals < 1 || !known.contains(part.substring(0, equals))) {
        throw new IllegalArgumentException(
            "%s '%s': '%s' is unknown; known are %s"
                .formatted(what, text, part, String.join("=, ", known) + "="));
      }
      given.put(part.substring(0, equals), part.substring(equals + 1));
    }
    return given;
  }

  private static int whole(String what, Map<String, String> given, String name, int otherwise) {
    var text = given.get(name);
    if (text == null) {
      return otherwise;
    }
    try {
      return Integer.parseInt(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("%s: %s=%s is no number".formatted(what, name, text), e);
    }
  }
}
