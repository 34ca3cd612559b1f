package dev.haven.fencing;

import java.time.Duration;

/** A moment on the clock that nobody can set. */
record Deadline(long nanos) {
  static Deadline in(Duration time) {
    return new Deadline(System.nanoTime() + time.toNanos());
  }

  /** Zero when less than 10 ms are left, too little to ask anyone anything; never negative. */
  Duration left() {
    long left = nanos - System.nanoTime();
    return left < 10_000_000 ? Duration.ZERO : Duration.ofNanos(left);
  }

  boolean passed() {
    return nanos - System.nanoTime() <= 0;
  }

  /** This, or earlier. */
  Deadline atMost(Duration time) {
    var other = in(time);
    return other.nanos - nanos < 0 ? other : this;
  }

  /** This, or later. */
  Deadline atLeast(Duration time) {
    var other = in(time);
    return other.nanos - nanos > 0 ? other : this;
  }

  /** The first of this many equal parts of what is left. */
  Deadline share(int parts) {
    return in(left().dividedBy(parts));
  }
}
