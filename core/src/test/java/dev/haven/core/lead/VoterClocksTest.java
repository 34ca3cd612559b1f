package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.VoterClock;
import java.util.SortedMap;
import org.junit.jupiter.api.Test;

/** What each voter's own clock showed by some time of ours. */
class VoterClocksTest {
  private static final long MILLI = 1_000_000L;
  private static final long SECOND = 1_000 * MILLI;

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - 2 * SECOND;

  private final VoterClocks clocks = new VoterClocks();

  private static VoterClock shows(long nanos) {
    return new VoterClock("process", nanos);
  }

  private void arrives(long shows, long at) {
    clocks.arrived("b", shows(shows), START + at);
  }

  private SortedMap<String, VoterClock> before(long at) {
    return clocks.before(START + at);
  }

  @Test
  void theLatestThatHadArrivedByThenCounts() {
    arrives(700, SECOND);
    arrives(701, 3 * SECOND);
    assertThat(before(SECOND - 1)).isEmpty();
    assertThat(before(SECOND)).containsEntry("b", shows(700));
    assertThat(before(3 * SECOND - 1)).containsEntry("b", shows(700));
    assertThat(before(3 * SECOND)).containsEntry("b", shows(701));
  }

  @Test
  void aVoterThatTalksFastIsNotedEveryFiftyMilliseconds() {
    arrives(1, 0);
    arrives(2, 50 * MILLI - 1);
    assertThat(before(SECOND)).containsEntry("b", shows(1));
    arrives(3, 50 * MILLI);
    assertThat(before(SECOND)).containsEntry("b", shows(3));
  }

  @Test
  void whatArrivedIsKnownForFiveMinutes() {
    arrives(1, 0);
    arrives(2, 300 * SECOND);
    assertThat(before(0)).containsEntry("b", shows(1));
    arrives(3, 300 * SECOND + 50 * MILLI);
    assertThat(before(0)).isEmpty();
    assertThat(before(300 * SECOND)).containsEntry("b", shows(2));
  }
}
