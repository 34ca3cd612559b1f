package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.within;

import dev.haven.bench.ScaleReport.Beats;
import dev.haven.bench.ScaleReport.Leases;
import dev.haven.bench.ScaleReport.Load;
import dev.haven.bench.ScaleReport.Loss;
import dev.haven.bench.ScaleReport.Step;
import dev.haven.bench.ScaleReport.Waits;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What {@code haven bench scale} takes, what it says of its figures, and a short run of it. */
class ScaleBenchTest {
  private static final Load FOLLOWER = new Load("b", 0.1, 150, 160);

  private static Step step(int agents, double cores, double lagMillis) {
    return new Step(
        agents,
        agents * 20,
        30,
        new Load("a", cores, 200, 210),
        List.of(FOLLOWER, FOLLOWER),
        0.5,
        lagMillis,
        false,
        new Beats(1000, 0, 1000, 0, 0),
        new Leases(0, 0, 250),
        new Waits(30, 20, 40),
        100,
        new Waits(0, 0, 0),
        Optional.of(new Loss("h1", 20, 1000, 1001, 1120, 1150, 1180, 20)),
        "");
  }

  private static ScaleReport report(Step... steps) {
    return new ScaleReport(List.of("-Xmx320m"), 2, List.of(steps));
  }

  @Test
  void numbersOfAgentsAreReadAsAPersonWritesThem() {
    assertThat(ScaleBench.Options.agents("100,300, 1000")).containsExactly(100, 300, 1000);
    assertThat(ScaleBench.Options.agents("5")).containsExactly(5);
  }

  @Test
  void whatIsNoNumberOfAgentsIsNamed() {
    for (var wrong : List.of("", "x", "100,", "2", "-5", "100000", "99999999999", "1.5")) {
      assertThatIllegalArgumentException()
          .as(wrong)
          .isThrownBy(() -> ScaleBench.Options.agents(wrong))
          .withMessageContaining("--agents")
          .withMessageContaining("write such as 100,300,1000");
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> options(0, 20))
        .withMessageContaining("--seconds");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> options(30, 0))
        .withMessageContaining("--guests");
  }

  private static ScaleBench.Options options(int seconds, int guests) {
    return new ScaleBench.Options(
        List.of(100), Duration.ofSeconds(seconds), guests, List.of(), Optional.empty());
  }

  @Test
  void aStepInWhichTheStandInsWereLateSaysNothingOfTheVoters() {
    var late = step(1000, 3.0, 51);
    assertThat(late.invalid()).singleElement().asString().contains("late by up to 51 ms");
    assertThat(ScaleReport.text(late)).contains("INVALID").doesNotContain("goals");
    assertThat(step(1000, 3.0, 50).invalid()).isEmpty();
    assertThat(report(late).good()).isFalse();
    assertThat(report(late).summary())
        .contains("nothing is known of the voters", "haven bench scale --agents 1000");
  }

  @Test
  void whatTheStandInsLostThemselvesIsNoLossOfTheVoters() {
    var good = step(100, 0.1, 5);
    var lossy =
        new Step(
            good.agents(),
            good.guests(),
            good.seconds(),
            good.leader(),
            good.followers(),
            good.standInCores(),
            good.standInLagMillis(),
            false,
            new Beats(1000, 0, 990, 0, 10),
            good.leases(),
            good.status(),
            good.statusKib(),
            good.events(),
            good.loss(),
            "");
    assertThat(lossy.invalid()).singleElement().asString().contains("10 answers themselves");
  }

  @Test
  void theLargestValidStepIsShownWithTheSlopeAndTheCommandForALargerMachine() {
    var report = report(step(100, 0.10, 5), step(300, 0.22, 20), step(1000, 0.40, 400));
    assertThat(report.largestValid()).map(Step::agents).contains(300);
    assertThat(report.coresPer100().orElseThrow()).isCloseTo(0.06, within(1e-9));
    assertThat(report.summary())
        .contains("Largest valid: 300 agents", "0.64 for 1000", "haven bench scale --agents 1000");
    assertThat(report.good()).isTrue();
  }

  @Test
  void aValidStepIsHeldAgainstTheGoals() {
    assertThat(step(100, 1.5, 5).missed()).singleElement().asString().contains("1.50 cores");
    assertThat(report(step(100, 1.5, 5)).good()).isFalse();
    assertThat(step(100, 1.0, 5).missed()).isEmpty();
  }

  @Test
  void aFewAgentsAreServedByThreeRealVoters() throws Exception {
    var report =
        ScaleBench.run(
            new ScaleBench.Options(
                List.of(4), Duration.ofSeconds(2), 2, List.of("-Xmx64m"), Optional.empty()),
            new PrintStream(PrintStream.nullOutputStream()),
            _ -> {});
    // how fast it was is this machine's business; what was said and done is not
    var step = report.steps().getFirst();
    assertThat(step.guests()).isEqualTo(8);
    assertThat(step.beats().sent()).isPositive();
    assertThat(step.beats().answered()).isPositive();
    assertThat(step.leader().residentMib()).isPositive();
    assertThat(step.followers()).hasSize(2);
    assertThat(step.status().count()).isPositive();
    assertThat(step.loss().isPresent()).isNotEqualTo(!step.notLost().isEmpty());
    assertThat(ScaleReport.text(step)).contains("4 agents, 8 guests", "leader");
  }
}
