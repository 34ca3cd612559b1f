package dev.haven.core.lease;

import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.wire.LeaseLength;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.SortedMap;

/** The numbers of a lease, and how it names its guests. */
public final class Lease {
  /** The longest that any lease lasts, from when the agent sent the heartbeat. */
  public static final Duration LONGEST = LeaseLength.LONG.duration();

  /**
   * A guest is let run only under a lease that lasts so long at least: the call that does it counts
   * as running from when it was sent, and one that outlives the lease costs the host.
   */
  public static final Duration TO_RUN = Duration.ofSeconds(5);

  /** A leader grants no longer than this after it sent a round that a majority answered. */
  public static final Duration GRANTED_WITHIN = Duration.ofSeconds(1);

  private Lease() {}

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
