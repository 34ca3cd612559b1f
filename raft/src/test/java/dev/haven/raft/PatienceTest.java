package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PatienceTest {
  private static final Duration USUAL = Duration.ofMillis(600);
  private long now = 123_456_789;
  private final Patience patience = new Patience(USUAL, now);

  private void pass(long millis) {
    now += TimeUnit.MILLISECONDS.toNanos(millis);
  }

  private static long millis(long millis) {
    return TimeUnit.MILLISECONDS.toNanos(millis);
  }

  private long waitMillis() {
    return Math.round(USUAL.toMillis() * patience.factor(now));
  }

  @Test
  void healthyVotersWaitAsLongAsEver() {
    for (int i = 0; i < 1000; i++) {
      pass(100);
      patience.late(millis(100), now);
      patience.late(millis(299), now);
      assertThat(waitMillis()).isEqualTo(600);
    }
  }

  @Test
  void whatWasLateFitsTwiceIntoTheWaitUntilFortyQuietSecondsHavePassed() {
    patience.late(millis(900), now);
    assertThat(waitMillis()).isEqualTo(1800);
    pass(19_000);
    assertThat(waitMillis()).isEqualTo(1800);
    pass(21_000);
    assertThat(waitMillis()).isEqualTo(600);
  }

  @Test
  void aCutIsNoLateness() {
    patience.late(millis(5_001), now);
    patience.late(-1, now);
    assertThat(waitMillis()).isEqualTo(600);
  }

  /** As long as each leadership ends too early, the next one gets twice the time, up to a limit. */
  @Test
  void leadershipsThatEndAtOnceAreGivenMoreTime() {
    for (long expected : new long[] {1200, 2400, 4800, 9600, 10_000, 10_000}) {
      long waited = millis(waitMillis());
      pass(waitMillis());
      patience.tooShort(waited, now);
      assertThat(waitMillis()).isEqualTo(expected);
    }
    pass(60_000);
    assertThat(waitMillis()).isEqualTo(600);
  }

  @Test
  void whatAnotherVoterMetWithCountsButIsNotPassedOn() {
    patience.told(millis(1000), now);
    assertThat(waitMillis()).isEqualTo(2000);
    assertThat(patience.own(now)).isZero();
    patience.told(Long.MAX_VALUE, now);
    assertThat(waitMillis()).isEqualTo(10_000);
    patience.told(-1, now);
    pass(40_000);
    assertThat(waitMillis()).isEqualTo(600);
  }
}
