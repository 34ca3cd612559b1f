package dev.haven.bench;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * What a run of the chaos saw.
 *
 * @param faults how often each kind was made
 * @param missed how often each kind could not be made when its turn came: no such process, host off
 * @param impossible kinds that this machine cannot make, and why
 * @param leaderKills how often the leader was killed or stopped in the middle of each phase
 * @param commands by what became of them: acknowledged, refused, unknown
 * @param signatures of guests on their disks that were read
 * @param copies of guests that signed
 * @param fences that were proven
 * @param settled from the heal until everything was well; empty if it was not in time
 * @param timeline every fault with its time
 * @param notes what needed a hand after the heal, as an operator would lend it
 * @param violations what must never happen and did; empty is the only good answer
 */
public record ChaosReport(
    long seed,
    Duration length,
    int hosts,
    int guests,
    boolean watchdogs,
    Map<String, Integer> faults,
    Map<String, Integer> missed,
    Map<String, String> impossible,
    Map<String, Integer> leaderKills,
    Map<String, Integer> commands,
    long signatures,
    int copies,
    int fences,
    java.util.Optional<Duration> settled,
    List<String> timeline,
    List<String> notes,
    List<String> violations) {

  /** For people. */
  public String text() {
    var text = new StringBuilder();
    text.append(
        "chaos: seed %d, %d s, %d hosts%s, %d guests: %d violations%n"
            .formatted(
                seed,
                length.toSeconds(),
                hosts,
                watchdogs ? " with watchdogs" : "",
                guests,
                violations.size()));
    text.append("  %d faults: %s%n".formatted(sum(faults), list(faults)));
    if (!missed.isEmpty()) {
      text.append("  %d had nothing to hit: %s%n".formatted(sum(missed), list(missed)));
    }
    impossible.forEach((kind, why) -> text.append("  not made: %s: %s%n".formatted(kind, why)));
    text.append(
        "  leader killed or stopped in the middle of: %s%n"
            .formatted(leaderKills.isEmpty() ? "nothing" : list(leaderKills)));
    text.append("  commands: %s%n".formatted(list(commands)));
    text.append(
        "  %d writes of %d copies of the guests read from their disks; %d hosts proven off%n"
            .formatted(signatures, copies, fences));
    text.append(
        settled
            .map(t -> "  well again %d s after the heal%n".formatted(t.toSeconds()))
            .orElse("  not well again in time%n".formatted()));
    notes.forEach(note -> text.append("  note: %s%n".formatted(note)));
    violations.forEach(v -> text.append("  VIOLATION: %s%n".formatted(v)));
    return text.toString().stripTrailing();
  }

  private static int sum(Map<String, Integer> counts) {
    return counts.values().stream().mapToInt(Integer::intValue).sum();
  }

  private static String list(Map<String, Integer> counts) {
    return counts.entrySet().stream()
        .map(e -> e.getKey() + " " + e.getValue())
        .collect(java.util.stream.Collectors.joining(", "));
  }
}
