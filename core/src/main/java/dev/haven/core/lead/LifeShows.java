package dev.haven.core.lead;

import java.time.Duration;
import java.util.function.LongPredicate;

/**
 * How long a host that lives may take to show it. A device can be read twice within 20 ms, and a
 * living host beats every 200 ms: a device that lies about a host which was alive just before has
 * to be found out before its word counts.
 */
public final class LifeShows {
  /** Two heartbeats, or a heartbeat at another voter and that voter's digest; several echoes. */
  public static final Duration WITHIN = Duration.ofMillis(400);

  private LifeShows() {}

  /**
   * How long a verdict is put off, so that a living host is heard before it: not at all for a host
   * that was silent for {@link #WITHIN} before its devices were read.
   *
   * @param aliveSince whether the host gave a sign of life later than a time
   * @param began before the readings, nanoseconds on the same clock as {@code now}
   */
  public static Duration wait(LongPredicate aliveSince, long began, long now) {
    long left = began + WITHIN.toNanos() - now;
    return left > 0 && aliveSince.test(began - WITHIN.toNanos())
        ? Duration.ofNanos(left)
        : Duration.ZERO;
  }
}
