package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.guest.Changes;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.model.wire.FromAgent;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class OwnFaultsTest {
  private long time;
  private final OwnFaults faults = new OwnFaults(() -> time);

  @Test
  void aFaultIsToldForAnHourAfterItsLastTime() {
    faults.met("looking at its guests", new IllegalStateException("first"));
    time += Duration.ofMinutes(59).toNanos();
    faults.met("looking at its guests", new IllegalStateException("second"));
    time += Duration.ofMinutes(59).toNanos();
    assertThat(faults.warnings())
        .containsExactly(
            "its agent met a fault of Haven's own while looking at its guests"
                + " (java.lang.IllegalStateException: second). Everything else goes on; please"
                + " report it with the agent's log");
    time += Duration.ofMinutes(1).toNanos();
    assertThat(faults.warnings()).isEmpty();
  }

  /** A guest that is left out of a report would be taken for gone, and started elsewhere. */
  @Test
  void whereOneGuestCannotBeReadNoneIsReportedAsGoneAndReportsGoOn() throws Exception {
    var libvirt = new FakeHypervisor();
    libvirt.put("web", Run.RUNNING, Why.BOOTED, 3);
    libvirt.put("poison", Run.RUNNING, Why.BOOTED, 3);
    var changes = new Changes();
    var told = new LinkedBlockingQueue<FromAgent.Domains>();
    var poisoned = new AtomicBoolean();
    var reports =
        new Reports(
            libvirt,
            changes,
            domain -> {
              if (poisoned.get() && domain.name().equals("poison")) {
                throw new IllegalStateException("poison");
              }
              return domain.report();
            },
            _ -> Optional.empty(),
            HostShutdown.NEVER,
            frame -> told.add((FromAgent.Domains) frame),
            () -> {},
            faults);
    try {
      reports.start();
      assertThat(until(told, true).domains()).hasSize(2);
      poisoned.set(true);
      changes.happened();
      assertThat(until(told, false).domains()).isEmpty();
      assertThat(faults.warnings()).hasSize(1);
      poisoned.set(false);
      changes.happened();
      assertThat(until(told, true).domains()).hasSize(2);
    } finally {
      reports.close();
    }
  }

  private static FromAgent.Domains until(BlockingQueue<FromAgent.Domains> told, boolean up)
      throws InterruptedException {
    while (true) {
      var next = told.poll(10, TimeUnit.SECONDS);
      assertThat(next).isNotNull();
      if (next.libvirtUp() == up) {
        return next;
      }
      assertThat(next.libvirtUp() && next.domains().size() < 2).isFalse();
    }
  }
}
