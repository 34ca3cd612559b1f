package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.List;
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
  void aNewLeaderKnowsForHowLongItLeads() {
    asking.elected(100 * SECOND);
    assertThat(asking.leadsFor(104 * SECOND)).isEqualTo(Duration.ofSeconds(4));
  }

  @Test
  void ofFiveBootsTheOneThatAskedLastIsForgotten() {
    long start = Long.MAX_VALUE / SECOND - 2; // the clock overflows meanwhile
    for (int i = 0; i < 4; i++) {
      asks("boot-" + i, start + i);
    }
    assertThat(asks("boot-3", start + 3)).as("four are counted side by side").isZero();
    asks("boot-4", start + 4);
    assertThat(asks("boot-0", start + 4)).isEqualTo(Duration.ofSeconds(4));
    assertThat(asks("boot-1", start + 4)).isEqualTo(Duration.ofSeconds(3));
    assertThat(asks("boot-2", start + 4)).isEqualTo(Duration.ofSeconds(2));
    assertThat(asks("boot-4", start + 5)).isEqualTo(Duration.ofSeconds(1));
    assertThat(asks("boot-3", start + 5)).as("it begins again").isZero();
  }

  @Test
  void ofThoseThatAskForEquallyLongTheSameOneGoesOnEveryRun() {
    for (var boot : List.of("d", "a", "c", "b")) {
      asks(boot, 1);
    }
    asks("e", 2);
    assertThat(asks("d", 3)).as("the last by name").isZero();
  }
}
