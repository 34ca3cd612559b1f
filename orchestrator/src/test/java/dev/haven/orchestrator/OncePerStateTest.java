package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.ClusterState;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What a dashboard asks every second costs a large cluster's leader no second of CPU each time. */
class OncePerStateTest {
  private final AtomicInteger reckoned = new AtomicInteger();
  private final OncePerState<Integer> asked = new OncePerState<>(_ -> reckoned.incrementAndGet());

  @Test
  void whoAsksAgainAboutTheSameStateGetsTheSameAnswer() {
    assertThat(asked.of(ClusterState.EMPTY)).isEqualTo(1);
    assertThat(asked.of(ClusterState.EMPTY)).isEqualTo(1);
  }

  @Test
  void anyOtherStateIsReckonedAnew() {
    var other = ClusterState.EMPTY.withBrokenEntry(1);
    assertThat(asked.of(ClusterState.EMPTY)).isEqualTo(1);
    assertThat(asked.of(other)).isEqualTo(2);
    assertThat(asked.of(ClusterState.EMPTY)).isEqualTo(3);
  }
}
