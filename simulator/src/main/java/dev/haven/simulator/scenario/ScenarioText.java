package dev.haven.simulator.scenario;

import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.RuleText;
import dev.haven.model.api.Views;
import dev.haven.model.config.YamlNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Writes a live cluster as a scenario, one line for each host and guest. */
public final class ScenarioText {
  private ScenarioText() {}

  /** What {@link ScenarioFile} reads; a cluster to which nothing happens yet. */
  public static String of(Views.Export live) {
    return of(live, "A copy of a cluster", List.of(), List.of());
  }

  /**
   * @param unknown what is not known of it, for people
   * @param events lines
   */
  static String of(
      Views.Export live, String description, List<String> unknown, List<String> events) {
    var text = new StringBuilder("description: ").append(quoted(description)).append('\n');
    unknown.forEach(line -> text.append("# not known: ").append(line).append('\n'));
    policy(text, live.policy());
    var known =
        live.hosts().stream()
            .filter(h -> h.capacity().cpus() > 0 && h.capacity().memoryMib() > 0)
            .toList();
    var voters = live.voters();
    boolean usual = List.of(1, 3, 5).contains(voters.size());
    text.append("hosts:\n");
    for (var host : known) {
      text.append(host(host, usual && voters.contains(host.id().value()))).append('\n');
    }
    for (var host : live.hosts()) {
      if (!known.contains(host)) {
        text.append("# host ").append(host.id()).append(" has never said what it has\n");
      }
    }
    var witnesses =
        voters.stream()
            .filter(v -> usual && known.stream().noneMatch(h -> h.id().value().equals(v)))
            .map(ScenarioText::quoted)
            .toList();
    if (!witnesses.isEmpty()) {
      text.append("witnesses: [").append(String.join(", ", witnesses)).append("]\n");
    }
    text.append(live.guests().isEmpty() ? "guests: []\n" : "guests:\n");
    for (var guest : live.guests()) {
      boolean placed =
          guest
              .guest()
              .host()
              .filter(on -> known.stream().anyMatch(h -> h.id().equals(on) && on(h)))
              .isPresent();
      text.append(guest(guest, placed)).append('\n');
    }
    if (events.isEmpty()) {
      return text.append("events: []\n").toString();
    }
    text.append("events:\n");
    events.forEach(line -> text.append(line).append('\n'));
    return text.toString();
  }

  private static void policy(StringBuilder text, Map<String, String> policy) {
    var lines = new ArrayList<String>();
    for (var key : ScenarioFile.POLICY_KEYS) {
      var value = policy.get(ScenarioFile.camel(key));
      if (value != null) {
        lines.add("  " + key + ": " + (value.startsWith("P") ? time(value) : value));
      }
    }
    if (!lines.isEmpty()) {
      text.append("policy:\n").append(String.join("\n", lines)).append('\n');
    }
  }

  private static String time(String iso) {
    return Duration.parse(iso).toMillis() + "ms";
  }

  static boolean on(Views.Host host) {
    return host.state() != Views.Host.State.FENCED && host.state() != Views.Host.State.EXPECTED;
  }

  private static String host(Views.Host host, boolean voter) {
    var spec = host.spec();
    var f = new ArrayList<String>();
    f.add("name: " + quoted(host.id().value()));
    f.add("cpus: " + host.capacity().cpus());
    f.add("memory: " + host.capacity().memoryMib() + "MiB");
    if (voter) {
      f.add("voter: true");
    }
    if (spec.fencing().isEmpty()) {
      f.add("fencing: false");
    }
    if (spec.networks().size() < 2) {
      f.add("networks: 1");
    }
    if (!spec.labels().isEmpty()) {
      f.add("labels: " + labels(spec.labels()));
    }
    spec.failureDomain().ifPresent(d -> f.add("failure-domain: " + quoted(d)));
    if (spec.memoryReserveMib() != HostSpec.DEFAULT_MEMORY_RESERVE_MIB) {
      f.add("memory-reserve: " + spec.memoryReserveMib() + "MiB");
    }
    if (spec.cpuOvercommit() != HostSpec.DEFAULT_CPU_OVERCOMMIT) {
      f.add("cpu-overcommit: " + spec.cpuOvercommit());
    }
    if (!on(host)) {
      f.add("power: off");
    }
    if (host.cordoned()) {
      f.add("cordoned: true");
    }
    if (host.bound().filter(b -> !b.startsWith("no proof")).isPresent()) {
      f.add("watchdog: tested");
    }
    return "  - {" + String.join(", ", f) + "}";
  }

  static String guest(Views.GuestDetail guest, boolean placed) {
    var spec = guest.spec();
    var f = new ArrayList<String>();
    f.add("name: " + quoted(spec.id().value()));
    f.add("memory: " + spec.memoryMib() + "MiB");
    f.add("cpus: " + spec.vcpus());
    if (!guest.guest().wanted()) {
      f.add("desired: stopped");
    } else if (placed) {
      f.add("host: " + quoted(guest.guest().host().orElseThrow().value()));
    }
    if (spec.priority() != 0) {
      f.add("priority: " + spec.priority());
    }
    if (!spec.labels().isEmpty()) {
      f.add("labels: " + labels(spec.labels()));
    }
    if (!spec.rules().isEmpty()) {
      f.add(
          "rules: "
              + spec.rules().stream()
                  .map(r -> quoted(RuleText.of(r)))
                  .collect(Collectors.joining(", ", "[", "]")));
    }
    f.add("restart: " + YamlNode.word(spec.restart()));
    spec.restarts()
        .ifPresent(
            r ->
                f.add(
                    "restarts: {in-place: %d, within: %dms, elsewhere: %d, after-power-off: %s}"
                        .formatted(
                            r.inPlace(), r.within().toMillis(), r.elsewhere(), r.afterPowerOff())));
    spec.health()
        .ifPresent(check -> f.add("unhealthy: " + (check.restart() ? "restart" : "alarm")));
    f.add("start-attempts: " + spec.startAttempts());
    return "  - {" + String.join(", ", f) + "}";
  }

  private static String labels(Map<String, String> labels) {
    return new TreeMap<>(labels)
        .entrySet().stream()
            .map(e -> quoted(e.getKey()) + ": " + quoted(e.getValue()))
            .collect(Collectors.joining(", ", "{", "}"));
  }

  /** JSON's strings are YAML's too. */
  private static String quoted(String text) {
    return Json.text(text);
  }
}
