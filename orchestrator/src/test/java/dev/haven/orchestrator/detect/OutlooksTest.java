package dev.haven.orchestrator.detect;

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
            () -> {
              both.await();
              return true;
            },
            () -> {
              both.await();
              return Event.Power.ON;
            },
            LONG);
    assertThat(outlook).isEqualTo(new Outlooks.Said(Event.Echo.ANSWERS, Event.Power.ON));
  }

  @Test
  void aHungPowerDeviceIsNotWaitedForAndTheKernelsWordIsKept() throws Exception {
    var never = new CountDownLatch(1);
    var outlook =
        Outlooks.of(
            () -> true,
            () -> {
              never.await();
              return Event.Power.ON;
            },
            Duration.ofMillis(200));
    assertThat(outlook).isEqualTo(new Outlooks.Said(Event.Echo.ANSWERS, Event.Power.UNREACHABLE));
  }

  @Test
  void aHungLookAtTheKernelIsNoSignOfLifeAndNoSilenceEither() throws Exception {
    var never = new CountDownLatch(1);
    var outlook =
        Outlooks.of(
            () -> {
              never.await();
              return true;
            },
            () -> Event.Power.ALL_OFF,
            Duration.ofMillis(200));
    assertThat(outlook).isEqualTo(new Outlooks.Said(Event.Echo.UNKNOWN, Event.Power.ALL_OFF));
  }
}
