package dev.haven.bench;

import java.time.Duration;
import java.util.List;
import java.util.Map;

/**
 * What a run of the nemesis saw.
 *
 * @param acknowledged writes that were answered
 * @param unknown writes whose outcome stayed unknown
 * @param refused writes that were turned down, none of which may have happened
 * @param reads that went through the log
 * @param faults how often each kind of fault was made
 * @param leaderships how many times a voter began to lead
 * @param violations what must never happen and did; empty is the only good answer
 */
public record NemesisReport(
    long seed,
    Duration length,
    int voters,
    long acknowledged,
    long unknown,
    long refused,
    long reads,
    Map<String, Integer> faults,
    long leaderships,
    List<String> violations) {

  /** For people. */
  public String text() {
    int made = faults.values().stream().mapToInt(Integer::intValue).sum();
    return """
        nemesis: seed %d, %d voters, %d s: %d violations
          writes: %d acknowledged, %d of unknown outcome, %d refused; reads: %d
          %d faults: %s; %d leaderships
        %s"""
        .formatted(
            seed,
            voters,
            length.toSeconds(),
            violations.size(),
            acknowledged,
            unknown,
            refused,
            reads,
            made,
            faults,
            leaderships,
            String.join("\n", violations));
  }
}
