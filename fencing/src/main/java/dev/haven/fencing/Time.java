package dev.haven.fencing;

import java.time.Duration;

/** The clock that nobody can set, and waiting by it; in tests a made-up one. */
interface Time {
  /** The machine's own. */
  Time SYSTEM =
      new Time() {
        @Override
        public long nanos() {
          return System.nanoTime();
        }

        @Override
        public void sleep(Duration time) throws InterruptedException {
          Thread.sleep(time);
        }
      };

  /** Nanoseconds since some moment; only differences mean anything. */
  long nanos();

  void sleep(Duration time) throws InterruptedException;
}
