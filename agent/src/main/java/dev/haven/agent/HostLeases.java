package dev.haven.agent;

import dev.haven.core.lease.Lease;
import dev.haven.core.lease.LeaseTable;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** The leases of this host, and the wait for one. */
final class HostLeases {
  /** The order came with the list; the heartbeat that asks for its lease is answered at once. */
  private static final Duration COMES_WITHIN = Duration.ofSeconds(3);

  /** Without the voter's word for so long, it holds no more. */
  private static final Duration SURRENDERED = Duration.ofSeconds(2);

  private final LeaseTable table;
  private final LongSupplier clock;
  private final Changes granted = new Changes();
  private volatile boolean surrendered;
  private volatile long surrenderedUntil;

  HostLeases(LeaseTable table) {
    this(table, new BootClock()::nanos);
  }

  /**
   * @param clock nanoseconds of the boot's own clock
   */
  HostLeases(LeaseTable table, LongSupplier clock) {
    this.table = table;
    this.clock = clock;
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
    return await(() -> missingNow(guest, epoch));
  }

  /**
   * Waits a moment for any lease; to be asked before a guest may be sent here.
   *
   * @return why none must be; empty if it may
   */
  Optional<String> none() throws InterruptedException {
    return await(
        () ->
            table.current(clock.getAsLong() + Lease.TO_RUN.toNanos())
                ? Optional.empty()
                : Optional.of("this host has no lease: it is, or was just now, cut off"));
  }

  private Optional<String> await(Supplier<Optional<String>> ask) throws InterruptedException {
    long deadline = System.nanoTime() + COMES_WITHIN.toNanos();
    while (true) {
      long seen = granted.count();
      var missing = ask.get();
      long now = System.nanoTime();
      if (missing.isEmpty() || now - deadline >= 0) {
        return missing;
      }
      granted.await(seen, deadline - now);
    }
  }

  /**
   * The same, without waiting. A lease that is about to end is none: what is let run under it may
   * still be starting then.
   */
  Optional<String> missingNow(GuestId guest, Epoch epoch) {
    return table.covers(guest, epoch, clock.getAsLong() + Lease.TO_RUN.toNanos())
        ? Optional.empty()
        : Optional.of(
            "no lease names guest %s under epoch %s: this host must not run it now"
                .formatted(guest, epoch));
  }
}
