package dev.haven.raft;

import java.time.Duration;

/**
 * How much longer than usual this voter waits before it takes silence for absence. On machines that
 * answer within milliseconds, 1. What came, but late, makes it grow: twice the longest lateness of
 * late has to fit into the wait, or voters that are merely slow depose each other for ever. It is
 * as before when nothing was late for at most 40 s.
 *
 * <p>Only what did come counts: the silence of a host that lost its power teaches nothing, so its
 * replacement takes no longer.
 *
 * <p>Pure; times are {@link System#nanoTime()}'s. Used on the Raft thread alone.
 */
final class Patience {
  /** The wait never grows beyond this; a dead leader must be replaced all the same. */
  static final Duration MAX = Duration.ofSeconds(10);

  /** What took longer was cut off, not late. */
  private static final long LATE_MAX = Duration.ofSeconds(5).toNanos();

  private static final long SPAN = Duration.ofSeconds(20).toNanos();

  /** Lateness within the present span and the one before. */
  private static final class Longest {
    private long spanBegan;
    private long present;
    private long before;

    void note(long nanos, long now) {
      roll(now);
      present = Math.max(present, nanos);
    }

    long get(long now) {
      roll(now);
      return Math.max(present, before);
    }

    private void roll(long now) {
      long spans = (now - spanBegan) / SPAN;
      if (spans > 0) {
        before = spans == 1 ? present : 0;
        present = 0;
        spanBegan = now;
      }
    }
  }

  private final long usual;
  private final Longest own;
  private final Longest told;

  /**
   * @param usual the wait of a voter that nothing keeps from answering
   */
  Patience(Duration usual, long now) {
    this.usual = usual.toNanos();
    own = new Longest();
    told = new Longest();
    own.spanBegan = now;
    told.spanBegan = now;
  }

  /** Something that was waited for came, this long after it was asked for or due. */
  void late(long nanos, long now) {
    if (nanos > 0 && nanos <= LATE_MAX) {
      own.note(nanos, now);
    }
  }

  /** A leadership ended soon after it began because nothing came within this time. */
  void tooShort(long nanos, long now) {
    own.note(Math.min(nanos, MAX.toNanos() / 2), now);
  }

  /** Another voter has met with this much; it is not passed on, or it would never be forgotten. */
  void told(long nanos, long now) {
    told.note(Math.clamp(nanos, 0, MAX.toNanos() / 2), now);
  }

  /** The longest lateness of late that this voter has met with itself, to tell others. */
  long own(long now) {
    return own.get(now);
  }

  /** At least 1: by which each wait is multiplied. */
  double factor(long now) {
    long wanted = 2 * Math.max(own.get(now), told.get(now));
    return Math.clamp((double) wanted / usual, 1.0, (double) MAX.toNanos() / usual);
  }
}
