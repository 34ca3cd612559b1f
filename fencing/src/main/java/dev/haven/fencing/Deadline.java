package dev.haven.fencing;

import java.time.Duration;

/** A moment on the clock that nobody can set. */
record Deadline(long nanos) {
  static Deadline in(Duration time) {
    return new Deadline(System.nanoTime() + time.toNanos());
  }

  /** Zero when it is over, never negative. */
  Duration left() {
    return Duration.ofNanos(Math.max(0, nanos - System.nanoTime()));
  }

  /** The first of this many equal parts of what is left. */
  Deadline share(int parts) {
    return in(left().dividedBy(parts));
  }
}
