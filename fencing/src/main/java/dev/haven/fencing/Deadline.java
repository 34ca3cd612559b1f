package dev.haven.fencing;

import dev.haven.model.Time;
import java.time.Duration;

/** A moment on the clock that nobody can set. */
record Deadline(long nanos, Time time) {
  static Deadline in(Duration duration) {
    return in(Time.SYSTEM, duration);
  }

  static Deadline in(Time time, Duration duration) {
    return new Deadline(time.nanos() + duration.toNanos(), time);
  }

  /** Zero when less than 10 ms are left, too little to ask anyone anything; never negative. */
  Duration left() {
    long left = nanos - time.nanos();
    return left < 10_000_000 ? Duration.ZERO : Duration.ofNanos(left);
  }

  boolean passed() {
    return nanos - time.nanos() <= 0;
  }

  /** This, or earlier. */
  Deadline atMost(Duration duration) {
    var other = in(time, duration);
    return other.nanos - nanos < 0 ? other : this;
  }

  /** This, or later. */
  Deadline atLeast(Duration duration) {
    var other = in(time, duration);
    return other.nanos - nanos > 0 ? other : this;
  }

  /** The first of this many equal parts of what is left. */
  Deadline share(int parts) {
    return in(time, left().dividedBy(parts));
  }
}
