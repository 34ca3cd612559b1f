package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Action;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;

class FencesTest {
  private static final HostId A = new HostId("a");

  private final Fences fences = new Fences();

  private static Action.FenceHost fence(int attempt) {
    return new Action.FenceHost(
        A, new BootId("boot-1"), attempt, Duration.ZERO, OptionalInt.empty());
  }

  @Test
  void theSameAttemptDecidedTwiceIsCarriedOutOnce() {
    var first = fences.begin(fence(1)).orElseThrow().begun();
    assertThat(fences.begin(fence(1))).isEmpty();
    fences.ended(first);
    assertThat(fences.begin(fence(1))).as("it has ended: it may begin again").isPresent();
  }

  @Test
  void aNewerAttemptTakesThePlaceOfTheOlderWhoseEndIsThenNotItsEnd() {
    var first = fences.begin(fence(1)).orElseThrow().begun();
    var second = fences.begin(fence(2)).orElseThrow();
    assertThat(second.dropped()).contains(first);
    assertThat(fences.wanted(first)).isFalse();
    fences.ended(first);
    assertThat(fences.wanted(second.begun())).isTrue();
    assertThat(fences.begin(fence(2))).as("it is still under way").isEmpty();
  }

  @Test
  void aFenceThatNobodyWantsAnyMoreIsDroppedAndSoAreAllOfALeaderThatIsDeposed() {
    var first = fences.begin(fence(1)).orElseThrow().begun();
    assertThat(fences.drop(A)).contains(first);
    assertThat(fences.drop(A)).isEmpty();
    var again = fences.begin(fence(1)).orElseThrow().begun();
    assertThat(fences.dropAll()).containsExactly(again);
    assertThat(fences.wanted(again)).isFalse();
  }
}
