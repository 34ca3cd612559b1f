package dev.haven.core.lease;

import dev.haven.model.wire.LeaseLength;
import java.time.Duration;

/**
 * How many guests of a host can be proven paused before its watchdog resets it, by what pausing and
 * looking took here.
 *
 * <p>A round looks at all guests at once. It pauses {@link Enforcement#AT_A_TIME} of them at a
 * time, and asks libvirt about each one by one: its state after that, and its disks. The first
 * round has from the end of the leases to the reset; each later one only looks, and has the
 * watchdog's timeout.
 *
 * @param lookAtAll what one look at all guests takes
 * @param lookAtOne what libvirt takes to tell the state and the definition of one guest
 * @param pauseOne what the call takes that pauses one guest
 */
public record PauseRoom(Duration lookAtAll, Duration lookAtOne, Duration pauseOne) {
  /** For the steps in which the watchdog is fed, and a processor that has more to do then. */
  private static final Duration RESERVE = Duration.ofSeconds(1);

  /** What a first round takes. */
  Duration pausing(int guests) {
    int turns = (guests + Enforcement.AT_A_TIME - 1) / Enforcement.AT_A_TIME;
    return looking(guests).plus(pauseOne.multipliedBy(turns));
  }

  /** What each later round takes. */
  Duration looking(int guests) {
    return lookAtAll.plus(lookAtOne.multipliedBy(guests));
  }

  /**
   * Whether so many guests can be proven paused in time, and again and again after that.
   *
   * @param lease of the host
   * @param watchdog its timeout
   */
  public boolean holds(int guests, LeaseLength lease, Duration watchdog) {
    return pausing(guests).compareTo(untilReset(lease, watchdog).minus(RESERVE)) <= 0
        && looking(guests).compareTo(watchdog.minus(RESERVE)) <= 0;
  }

  /** The most guests for which that is so, at most as many as there are. */
  public int most(int guests, LeaseLength lease, Duration watchdog) {
    int most = guests;
    while (most > 0 && !holds(most, lease, watchdog)) {
      most--;
    }
    return most;
  }

  /** From the end of a lease until the watchdog resets a host that has proven nothing. */
  public static Duration untilReset(LeaseLength lease, Duration watchdog) {
    return lease.pauseCheck().plus(watchdog);
  }
}
