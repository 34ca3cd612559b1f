package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import java.util.ArrayList;
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
    assertThat(echoes.mute(A, 400 * SECOND)).as("it counts again after an answer").isFalse();
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

  @Test
  void aNewerAnswerIsNeverReplacedByAnOlderOneWhateverTheClockShows() {
    long now = Long.MAX_VALUE - 5 * SECOND; // overflows meanwhile
    echoes.answered(A, now + 10 * SECOND);
    echoes.said(Map.of(A, 100L), now + 20 * SECOND);
    assertThat(echoes.known(A, now + 189 * SECOND)).isTrue();
    echoes.said(Map.of(A, 5L), now + 20 * SECOND);
    assertThat(echoes.known(A, now + 194 * SECOND)).isTrue();
    assertThat(echoes.known(A, now + 195 * SECOND)).isFalse();
  }

  @Test
  void anotherVotersAnswerOfThisVeryMomentCountsAndOneOfThreeMinutesAgoDoesNot() {
    echoes.said(Map.of(A, 0L, B, 180L), 500 * SECOND);
    assertThat(echoes.known(A, 679 * SECOND)).isTrue();
    assertThat(echoes.seconds(500 * SECOND).getFirst()).containsOnlyKeys("a");
    echoes.said(Map.of(B, -1L), 500 * SECOND);
    assertThat(echoes.known(B, 500 * SECOND)).as("an age cannot be negative").isFalse();
  }

  @Test
  void agesAreRoundedUpAndEndWithThreeMinutes() {
    echoes.answered(A, 10 * SECOND);
    assertThat(echoes.seconds(100 * SECOND).getFirst()).containsEntry("a", 91L);
    assertThat(echoes.seconds(190 * SECOND - 1)).hasSize(1);
    assertThat(echoes.seconds(190 * SECOND)).isEmpty();
  }

  @Test
  void manyHostsAreToldInPartsThatFitADatagram() {
    for (int i = 0; i < 700; i++) {
      echoes.answered(new HostId("h" + i), 0);
    }
    var parts = echoes.seconds(SECOND);
    assertThat(parts).hasSize(3).allSatisfy(part -> assertThat(part).hasSizeBetween(1, 300));
    assertThat(parts.stream().mapToInt(Map::size).sum()).isEqualTo(700);
  }

  @Test
  void hostsThatAnsweredTogetherAreNotAskedAllAtOnce() {
    var hosts = new ArrayList<HostId>();
    for (int i = 0; i < 100; i++) {
      var host = new HostId("h" + i);
      hosts.add(host);
      echoes.answered(host, 0);
    }
    assertThat(echoes.next(hosts, 30 * SECOND)).isEmpty();
    long early =
        hosts.stream().filter(h -> echoes.next(List.of(h), 37 * SECOND).isPresent()).count();
    assertThat(early).as("half of them in the first half of 15 s").isBetween(30L, 70L);
    assertThat(hosts).allMatch(h -> echoes.next(List.of(h), 45 * SECOND).isPresent());
  }

  @Test
  void whoHasWaitedLongestIsAskedNext() {
    echoes.unanswered(B, 0);
    echoes.unanswered(A, 3 * SECOND);
    assertThat(echoes.next(List.of(A, B), 20 * SECOND)).contains(B);
    assertThat(echoes.next(List.of(B, A), 20 * SECOND)).contains(B);
    var fresh = new HostId("c");
    assertThat(echoes.next(List.of(fresh, B, A), 20 * SECOND)).contains(fresh);
    assertThat(echoes.next(List.of(B, A, fresh), 20 * SECOND)).contains(fresh);
  }

  @Test
  void aHostThatWasRemovedIsForgotten() {
    echoes.answered(A, 0);
    echoes.unanswered(B, 0);
    echoes.retain(List.of());
    assertThat(echoes.known(A, SECOND)).isFalse();
    assertThat(echoes.mute(B, 500 * SECOND)).isFalse();
    assertThat(echoes.next(List.of(A), SECOND)).contains(A);
  }

  @Test
  void anotherVotersOlderAnswerTakesNothingAway() {
    echoes.answered(A, 100 * SECOND);
    echoes.said(Map.of(A, 50L), 120 * SECOND);
    assertThat(echoes.known(A, 279 * SECOND)).isTrue();
  }

  /** One voter of the minority would keep a host from being fenced that no majority reaches. */
  @Test
  void whatOtherVotersHeardMakesNoHostLessMuteHere() {
    var memory = new EchoMemory();
    var host = new HostId("mute");
    memory.answered(host, 0);
    memory.said(Map.of(host, 1L), 10_000_000_000L);
    assertThat(memory.sinceAnswer(host, 10_000_000_000L)).isEqualTo(10_000_000_000L);
  }
}
