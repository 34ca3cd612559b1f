package dev.haven.agent;

import dev.haven.core.lease.LeaseTable;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;

/** The leases of this host, and the wait for one. */
final class HostLeases {
  /** The order came with the list; the heartbeat that asks for its lease is answered at once. */
  private static final Duration COMES_WITHIN = Duration.ofSeconds(3);

  private final LeaseTable table;
  private final LongSupplier clock;
  private final Changes granted = new Changes();

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

  /** A heartbeat was answered with a lease. */
  void granted(long term, long sequence, long guests) {
    if (table.granted(term, sequence, guests)) {
      granted.happened();
    }
  }

  /**
   * Asks until there is nothing against it, for a moment: the lease for what was just ordered is on
   * its way.
   *
   * @param ask gets the time and says what is against it
   * @return what still is; empty if nothing
   */
  Optional<String> await(LongFunction<Optional<String>> ask) throws InterruptedException {
    long deadline = System.nanoTime() + COMES_WITHIN.toNanos();
    while (true) {
      long seen = granted.count();
      var missing = ask.apply(clock.getAsLong());
      long now = System.nanoTime();
      if (missing.isEmpty() || now - deadline >= 0) {
        return missing;
      }
      granted.await(seen, deadline - now);
    }
  }
}
