package dev.haven.core.lease;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.wire.LeaseLength;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** How many guests a host can pause before its watchdog resets it. */
class PauseRoomTest {
  private static final Duration WATCHDOG = Duration.ofSeconds(10);

  private static PauseRoom room(long lookAtAll, long lookAtOne, long pauseOne) {
    return new PauseRoom(
        Duration.ofMillis(lookAtAll), Duration.ofMillis(lookAtOne), Duration.ofMillis(pauseOne));
  }

  @Test
  void guestsArePausedEightAtATimeAndLookedAtOneByOne() {
    var room = room(100, 10, 1_000);
    assertThat(room.looking(8)).isEqualTo(Duration.ofMillis(180));
    assertThat(room.pausing(8)).isEqualTo(Duration.ofMillis(1_180));
    assertThat(room.pausing(9)).as("a second turn").isEqualTo(Duration.ofMillis(2_190));
  }

  @Test
  void theFirstRoundMustEndASecondBeforeTheReset() {
    assertThat(PauseRoom.untilReset(LeaseLength.LONG, WATCHDOG)).isEqualTo(Duration.ofSeconds(15));
    assertThat(room(0, 0, 14_000).holds(8, LeaseLength.LONG, WATCHDOG)).isTrue();
    assertThat(room(0, 0, 14_001).holds(8, LeaseLength.LONG, WATCHDOG)).isFalse();
    assertThat(room(0, 0, 14_000).most(20, LeaseLength.LONG, WATCHDOG)).as("one turn").isEqualTo(8);
  }

  @Test
  void eachLaterRoundMustFitTheWatchdog() {
    assertThat(room(9_000, 0, 0).holds(100, LeaseLength.LONG, WATCHDOG)).isTrue();
    assertThat(room(9_001, 0, 0).holds(100, LeaseLength.LONG, WATCHDOG)).isFalse();
    assertThat(room(9_001, 0, 0).most(100, LeaseLength.LONG, WATCHDOG)).isZero();
    assertThat(room(0, 1_000, 0).most(100, LeaseLength.LONG, WATCHDOG)).isEqualTo(9);
    assertThat(room(0, 1, 1).most(5, LeaseLength.LONG, WATCHDOG)).as("all there are").isEqualTo(5);
  }
}
