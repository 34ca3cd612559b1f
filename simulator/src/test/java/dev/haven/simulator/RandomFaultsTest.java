package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

  /**
   * Each found a fault of ours once: an order to migrate that came again after it was undone; a
   * sign of life of a newer boot that took back the proof of the one before.
   */
  @ParameterizedTest
  @ValueSource(
      longs = {
        7493050504615761436L,
        509573388574177438L,
        1699664487342677570L,
        4664842602338514904L,
        8401906149613604885L,
        6631215172565015422L,
        5619615197231573334L
      })
  void whatWentWrongOnceGoesWellNow(long seed) {
    assertThat(RandomFaults.run(RandomFaults.FAULTS_PER_CLUSTER, seed, System.out).violations())
        .isEmpty();
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
