package dev.haven.orchestrator.detect;

import java.time.Duration;

/**
 * What a voter gives in each answer to a heartbeat, and wants back in the next one: so a beat that
 * was recorded before this voter started, or was held back on its way, is no sign of life. Nobody
 * but the host's agent can answer: beats and answers are signed with its key.
 */
final class Challenges {
  /**
   * A beat with an older one does not count. Longer than a second of delay in both directions and
   * some answers that are lost; a beat can be held back for this long at most.
   */
  static final Duration VALID = Duration.ofSeconds(5);

  private final long base;
  private final long origin;

  /**
   * @param now as of {@link System#nanoTime}
   * @param random of this process, so that no challenge of another one falls among its own
   */
  Challenges(long now, long random) {
    this.base = random;
    this.origin = now;
  }

  /** To be given now. */
  long at(long now) {
    return base + (now - origin) / 1_000_000;
  }

  /** Whether it was given by this process, and not too long ago. */
  boolean fresh(long challenge, long now) {
    long age = at(now) - challenge;
    return challenge - base >= 0 && age >= 0 && age <= VALID.toMillis();
  }
}
