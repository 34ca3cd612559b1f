package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Machines that say they are host a ask to join. */
class AskingTest {
  private static final HostId A = new HostId("a");
  private static final long SECOND = 1_000_000_000L;

  private final Asking asking = new Asking();

  private Duration asks(String boot, long seconds) {
    return asking.asks(A, new BootId(boot), seconds * SECOND);
  }

  @Test
  void aStrangerThatAsksInTurnsWithTheHostDoesNotDelayIt() {
    for (int s = 0; s < 30; s++) {
      assertThat(asks("the-host", s)).isEqualTo(Duration.ofSeconds(s));
      asks("stranger-" + s % 2, s);
    }
  }

  @Test
  void strangersUnderManyBootsDoNotPushOutTheOneThatAsksForLongest() {
    asks("the-host", 0);
    for (int i = 0; i < 1_000; i++) {
      asks("stranger-" + i, 1);
    }
    assertThat(asks("the-host", 4)).isEqualTo(Duration.ofSeconds(4));
  }

  @Test
  void whoHasNotAskedForFiveSecondsBeginsAnew() {
    asks("the-host", 0);
    assertThat(asks("the-host", 4)).isEqualTo(Duration.ofSeconds(4));
    assertThat(asks("the-host", 9)).isZero();
  }

  @Test
  void aHeldHostIsKnownToBootUntilItAsksNoMore() {
    asking.held(A, 100 * SECOND);
    assertThat(asking.boots(A, 104 * SECOND)).isTrue();
    assertThat(asking.boots(A, 105 * SECOND)).isFalse();
  }

  @Test
  void agentsNeedFiveSecondsToFindANewLeader() {
    asking.elected(100 * SECOND);
    assertThat(asking.mayNotHaveFoundUs(104 * SECOND)).isTrue();
    assertThat(asking.mayNotHaveFoundUs(105 * SECOND)).isFalse();
  }
}
