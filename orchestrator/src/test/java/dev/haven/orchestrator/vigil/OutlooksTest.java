package dev.haven.orchestrator.vigil;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;

class OutlooksTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  @Test
  void kernelAndPowerDeviceAreAskedSideBySide() throws Exception {
    var both = new CyclicBarrier(2); // lets neither go on before the other is asked
    var outlook =
        Outlooks.of(
            () -> true,
            Duration.ZERO,
            () -> {
              both.await();
              return true;
            },
            () -> {
              both.await();
              return Event.Power.ON;
            },
            LONG);
    assertThat(outlook)
        .isEqualTo(new Event.Outlook(true, Event.Echo.ANSWERS, Event.Power.ON, Duration.ZERO));
  }

  @Test
  void aHungPowerDeviceIsNotWaitedForAndTheKernelsWordIsKept() throws Exception {
    var never = new CountDownLatch(1);
    var outlook =
        Outlooks.of(
            () -> false,
            Duration.ZERO,
            () -> true,
            () -> {
              never.await();
              return Event.Power.ON;
            },
            Duration.ofMillis(200));
    assertThat(outlook)
        .isEqualTo(
            new Event.Outlook(false, Event.Echo.ANSWERS, Event.Power.UNREACHABLE, Duration.ZERO));
  }

  @Test
  void aHungLookAtTheKernelIsNoSignOfLifeAndNoSilenceEither() throws Exception {
    var never = new CountDownLatch(1);
    var outlook =
        Outlooks.of(
            () -> false,
            Duration.ZERO,
            () -> {
              never.await();
              return true;
            },
            () -> Event.Power.ALL_OFF,
            Duration.ofMillis(200));
    assertThat(outlook)
        .isEqualTo(
            new Event.Outlook(false, Event.Echo.UNKNOWN, Event.Power.ALL_OFF, Duration.ZERO));
  }
}
