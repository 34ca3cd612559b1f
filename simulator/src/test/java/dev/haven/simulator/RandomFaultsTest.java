package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Two thousand faults in every test run; one seed again with {@code -Dseed=4417}. */
class RandomFaultsTest {
  private static final int FAULTS = 2_000;

  @Test
  void whateverHappensNothingRunsTwiceAndEverythingRunsAgain() {
    var seed = Long.getLong("seed");
    var report =
        seed == null
            ? RandomFaults.run(FAULTS, 1, System.out)
            : RandomFaults.run(RandomFaults.FAULTS_PER_CLUSTER, seed, System.out);
    assertThat(report.violations()).isEmpty();
    assertThat(report.faults()).isGreaterThanOrEqualTo(RandomFaults.FAULTS_PER_CLUSTER);
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
