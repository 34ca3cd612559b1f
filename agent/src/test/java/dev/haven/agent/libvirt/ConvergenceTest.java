package dev.haven.agent.libvirt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.libvirt.Convergence.Advice;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConvergenceTest {
  private final Convergence convergence =
      new Convergence(
          List.of(Duration.ofMillis(100), Duration.ofMillis(400)), Duration.ofSeconds(150));

  @Test
  void aLongFirstPassIsNoStandstill() {
    for (var second = 0; second <= 600; second++) {
      assertThat(note(second, 1, 60_000 - second * 100L)).isEqualTo(Advice.GO_ON);
    }
  }

  @Test
  void passesThatGetSmallerAreLeftAlone() {
    note(0, 1, 1000);
    note(10, 1, 10);
    assertThat(note(11, 2, 600)).isEqualTo(Advice.GO_ON);
    note(20, 2, 10);
    assertThat(note(21, 3, 300)).isEqualTo(Advice.GO_ON);
    assertThat(convergence.downtime()).isEqualTo(Duration.ofMillis(100));
  }

  @Test
  void aPassThatBeginsWithAsMuchAsOneBeforeClimbsTheLadderOnceAndThenTheTimeRunsOut() {
    note(0, 1, 1000);
    note(9, 1, 10);
    note(10, 2, 500);
    assertThat(note(20, 3, 500)).isEqualTo(Advice.ALLOW_MORE);
    assertThat(convergence.downtime()).isEqualTo(Duration.ofMillis(400));
    assertThat(note(30, 4, 505)).as("no rung is left").isEqualTo(Advice.GO_ON);
    assertThat(note(160, 9, 500)).isEqualTo(Advice.GO_ON);
    assertThat(note(161, 9, 400)).isEqualTo(Advice.GIVE_UP);
  }

  @Test
  void aStalledNetworkGivesUpWithinThePass() {
    note(0, 1, 1000);
    note(5, 1, 700);
    assertThat(note(155, 1, 700)).isEqualTo(Advice.GO_ON);
    assertThat(note(156, 1, 699)).isEqualTo(Advice.GIVE_UP);
  }

  private Advice note(long second, long pass, long remaining) {
    return convergence.note(Duration.ofSeconds(second), pass, remaining);
  }
}
