package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** A host that was alive just before its devices were read has 0.4 s to show that it lives. */
class LifeShowsTest {
  private static final long MILLI = 1_000_000L;

  /** System.nanoTime may have any value, and overflows here. */
  private static final long BEGAN = Long.MAX_VALUE - 100 * MILLI;

  private static Duration left(long lastSignBefore, long readFor) {
    long sign = BEGAN - lastSignBefore * MILLI;
    return LifeShows.wait(since -> sign - since > 0, BEGAN, BEGAN + readFor * MILLI);
  }

  @Test
  void aHostThatWasSilentForLongIsNotWaitedFor() {
    assertThat(left(400, 50)).isZero();
    assertThat(left(10_000, 50)).isZero();
  }

  @Test
  void aHostThatWasAliveJustBeforeGetsTheRestOfItsTime() {
    assertThat(left(399, 50)).isEqualTo(Duration.ofMillis(350));
    assertThat(left(0, 399)).isEqualTo(Duration.ofMillis(1));
  }

  @Test
  void readingsThatTookLongerThanThatAreNotPutOff() {
    assertThat(left(0, 400)).isZero();
    assertThat(left(0, 401)).isZero();
  }
}
