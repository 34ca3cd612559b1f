package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Of which kernels it is known that they answer. */
class EchoMemoryTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final long SECOND = 1_000_000_000L;

  private final EchoMemory echoes = new EchoMemory();

  @Test
  void anAnswerCountsForThreeMinutesFromItsQuestion() {
    assertThat(echoes.known(A, 0)).isFalse();
    echoes.answered(A, 10 * SECOND);
    assertThat(echoes.known(A, 189 * SECOND)).isTrue();
    assertThat(echoes.known(A, 190 * SECOND)).isFalse();
  }

  @Test
  void aNewLeaderKnowsWhatTheOtherVotersKnow() {
    echoes.answered(A, 10 * SECOND);
    var told = echoes.seconds(100 * SECOND).getFirst();
    assertThat(told).containsOnlyKeys("a");
    // its clock began elsewhere
    var other = new EchoMemory();
    long now = -5_000 * SECOND;
    other.said(Map.of(A, told.get("a")), now);
    assertThat(other.known(A, now)).isTrue();
    assertThat(other.known(A, now + 90 * SECOND)).as("never later than it was").isFalse();
  }

  @Test
  void aHostIsMuteOnceNoVoterHadAnAnswerForThreeMinutes() {
    echoes.unanswered(A, 0);
    assertThat(echoes.mute(A, 179 * SECOND)).isFalse();
    assertThat(echoes.mute(A, 180 * SECOND)).isTrue();
    echoes.said(Map.of(A, 100L), 180 * SECOND);
    assertThat(echoes.mute(A, 180 * SECOND)).as("another voter had one").isFalse();
    echoes.answered(A, 181 * SECOND);
    echoes.unanswered(A, 240 * SECOND);
    assertThat(echoes.mute(A, 400 * SECOND)).as("it counts anew after an answer").isFalse();
  }

  @Test
  void eachHostIsAskedOnceAMinuteAndANewOneFirst() {
    var both = List.of(A, B);
    echoes.answered(A, 0);
    assertThat(echoes.next(both, 0)).contains(B);
    echoes.unanswered(B, 0);
    assertThat(echoes.next(both, 9 * SECOND)).isEmpty();
    assertThat(echoes.next(both, 10 * SECOND)).as("one echo may be lost").contains(B);
    echoes.answered(B, 10 * SECOND);
    assertThat(echoes.next(List.of(A), 39 * SECOND)).isEmpty();
    assertThat(echoes.next(List.of(A), 60 * SECOND)).contains(A);
    echoes.answered(A, 60 * SECOND);
    echoes.joins(A);
    assertThat(echoes.next(List.of(A), 61 * SECOND)).as("it has joined").contains(A);
  }
}
