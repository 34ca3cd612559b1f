package dev.haven.agent.guest;

import dev.haven.core.lease.LeaseTable;
import dev.haven.model.Time;
import dev.haven.model.wire.HeartbeatAnswer;
import java.time.Duration;
import java.util.Optional;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;

/** The leases of this host, and the wait for one. */
public final class HostLeases {
  /** The order came with the list; the heartbeat that asks for its lease is answered at once. */
  private static final Duration COMES_WITHIN = Duration.ofSeconds(3);

  private final LeaseTable table;
  private final LongSupplier clock;
  private final Time time;
  private final Changes granted;

  /**
   * @param clock nanoseconds of the boot's own clock
   * @param time for waits
   */
  public HostLeases(LeaseTable table, LongSupplier clock, Time time) {
    this.table = table;
    this.clock = clock;
    this.time = time;
    this.granted = new Changes(time);
  }

  public LeaseTable table() {
    return table;
  }

  /** Now, by the boot's own clock. */
  long now() {
    return clock.getAsLong();
  }

  /**
   * A heartbeat was answered with a lease.
   *
   * @return whether it counts
   */
  public boolean granted(long term, long sequence, HeartbeatAnswer.Lease lease) {
    boolean counts = table.granted(term, sequence, lease.guests(), lease.length());
    if (counts) {
      granted.happened();
    }
    return counts;
  }

  /**
   * Asks until there is nothing against it, for a moment: the lease for what was just ordered is on
   * its way.
   *
   * @param ask gets the time and says what is against it
   * @return what still is; empty if nothing
   */
  public Optional<String> await(LongFunction<Optional<String>> ask) throws InterruptedException {
    long deadline = time.nanos() + COMES_WITHIN.toNanos();
    while (true) {
      long seen = granted.count();
      var missing = ask.apply(now());
      long left = deadline - time.nanos();
      if (missing.isEmpty() || left <= 0) {
        return missing;
      }
      granted.await(seen, left);
    }
  }
}
