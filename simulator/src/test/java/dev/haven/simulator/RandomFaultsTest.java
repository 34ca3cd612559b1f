package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/**
 * Two thousand other faults in every test run. A violation names the seed of its cluster, and
 * {@code -Dseed=4417} begins with that cluster.
 */
class RandomFaultsTest {
  private static final int FAULTS = 2_000;

  @Test
  void whateverHappensNothingRunsTwiceAndEverythingRunsAgain() {
    long seed = Long.getLong("seed", System.nanoTime() % 1_000_000);
    var report = RandomFaults.run(FAULTS, seed, System.out);
    assertThat(report.violations()).as("seed %d", seed).isEmpty();
    assertThat(report.faults()).as("seed %d", seed).isGreaterThanOrEqualTo(FAULTS);
  }

  @Test
  void theSameSeedGivesTheSameCourse() {
    assertThat(course()).isEqualTo(course()).isNotEmpty();
  }

  private static String course() {
    var lines = new StringBuilder();
    var cluster = Simulation.of(5, "a", "b", "c").guest("web", Simulation.on("a"));
    cluster.listen(line -> lines.append(line).append('\n'));
    cluster
        .powerLoss("a")
        .runFor(Simulation.seconds(30))
        .powerOn("a")
        .runFor(Simulation.minutes(1));
    return lines.toString();
  }
}
