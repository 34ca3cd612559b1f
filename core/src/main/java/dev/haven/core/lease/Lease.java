package dev.haven.core.lease;

import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.SortedMap;

/** The numbers of a lease, and how it names its guests. */
public final class Lease {
  /** From when the agent sent the heartbeat, on a clock that does not stop in suspend. */
  public static final Duration LENGTH = Duration.ofSeconds(20);

  /**
   * How long after the lease's end a host may go on feeding its watchdog while it pauses guests.
   */
  public static final Duration PAUSE_CHECK = Duration.ofSeconds(5);

  /**
   * A guest is let run only under a lease that lasts so long at least: the call that does it counts
   * as running from when it was sent, and one that outlives the lease costs the host.
   */
  public static final Duration TO_RUN = Duration.ofSeconds(5);

  /** For clocks that differ, a watchdog that is late and the step of the host's own check. */
  public static final Duration MARGIN = Duration.ofSeconds(3);

  /** A leader grants no longer than this after it sent a round that a majority answered. */
  public static final Duration GRANTED_WITHIN = Duration.ofSeconds(1);

  private Lease() {}

  /**
   * When a host that nobody can reach can run nothing any more, counted from when a leader last
   * granted it a lease: it has paused its guests, or its watchdog has reset it.
   *
   * @param watchdog the host's watchdog's timeout
   */
  public static Duration bound(Duration watchdog) {
    return LENGTH.plus(PAUSE_CHECK).plus(watchdog).plus(MARGIN);
  }

  /** The first 64 bits of a SHA-256 over names and epochs. */
  public static long digest(SortedMap<? extends Exclusive, Epoch> given) {
    try {
      var sha = MessageDigest.getInstance("SHA-256");
      given.forEach(
          (what, epoch) ->
              sha.update((what + "\n" + epoch + "\n").getBytes(StandardCharsets.UTF_8)));
      return ByteBuffer.wrap(sha.digest()).getLong();
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
