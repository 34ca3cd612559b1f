package dev.haven.agent;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.lease.LeaseTable;
import java.time.Duration;
import java.util.Optional;

/** The leases of this host, and the wait for one. */
final class HostLeases {
  /** The order came with the list; the heartbeat that asks for its lease is answered at once. */
  private static final Duration COMES_WITHIN = Duration.ofSeconds(3);

  /** Without the voter's word for so long, it holds no more. */
  private static final Duration SURRENDERED = Duration.ofSeconds(2);

  private final LeaseTable table;
  private final Changes granted = new Changes();
  private volatile boolean surrendered;
  private volatile long surrenderedUntil;

  HostLeases(LeaseTable table) {
    this.table = table;
  }

  LeaseTable table() {
    return table;
  }

  /** The voter on this host says that this is the side that is cut off. */
  void surrendered(long now) {
    surrenderedUntil = now + SURRENDERED.toNanos();
    surrendered = true;
  }

  /** Whether it said so lately. */
  boolean surrenderedAt(long now) {
    return surrendered && now - surrenderedUntil < 0;
  }

  /** A heartbeat was answered with a lease. */
  void granted(long term, long sequence, long guests) {
    if (table.granted(term, sequence, guests)) {
      granted.happened();
    }
  }

  /**
   * Waits a moment for a lease that names this guest and epoch; to be asked right before it is
   * started or resumed.
   *
   * @return why it must not run; empty if it may
   */
  Optional<String> missing(GuestId guest, Epoch epoch) throws InterruptedException {
    var clock = new BootClock();
    long deadline = clock.nanos() + COMES_WITHIN.toNanos();
    while (true) {
      long seen = granted.count();
      long now = clock.nanos();
      if (table.covers(guest, epoch, now)) {
        return Optional.empty();
      }
      if (now >= deadline) {
        return Optional.of(
            "no lease names guest %s under epoch %s: this host must not run it now"
                .formatted(guest, epoch));
      }
      granted.await(seen, deadline - now);
    }
  }
}
