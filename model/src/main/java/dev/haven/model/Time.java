package dev.haven.model;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The clocks, waits and threads of code that blocks. The daemons have {@link #SYSTEM}; the
 * simulator runs the same code with a time of its own.
 *
 * <p>Code that takes its time from here waits for time by this port alone: a timed wait of the JDK
 * runs on real time. It may wait for other threads without a limit (a lock, a queue, a future), but
 * never long in {@code synchronized}: there the JVM chooses who goes on.
 */
public interface Time {
  /** The machine's own. */
  Time SYSTEM =
      new Time() {
        @Override
        public long nanos() {
          return System.nanoTime();
        }

        @Override
        public Instant instant() {
          return Instant.now();
        }

        @Override
        public void sleep(Duration time) throws InterruptedException {
          Thread.sleep(time);
        }

        @Override
        public <T> Optional<T> poll(BlockingQueue<T> queue, Duration within)
            throws InterruptedException {
          return Optional.ofNullable(queue.poll(within.toNanos(), TimeUnit.NANOSECONDS));
        }

        @Override
        public Thread.Builder.OfVirtual threads() {
          return Thread.ofVirtual();
        }
      };

  /** Nanoseconds since some moment; only differences mean anything, and nobody can set it. */
  long nanos();

  /** What people's clocks show; it may jump. */
  Instant instant();

  /** Zero or less returns at once. */
  void sleep(Duration time) throws InterruptedException;

  /**
   * Takes the head of a queue, and waits for it if need be.
   *
   * @param within zero or less does not wait
   * @return empty if none came in time
   */
  <T> Optional<T> poll(BlockingQueue<T> queue, Duration within) throws InterruptedException;

  /** For threads that live in this time. */
  Thread.Builder.OfVirtual threads();
}
