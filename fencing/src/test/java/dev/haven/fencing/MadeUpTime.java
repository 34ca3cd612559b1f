package dev.haven.fencing;

import dev.haven.model.Time;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.atomic.AtomicLong;

/** Only waiting takes time. */
final class MadeUpTime implements Time {
  private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5_000_000_000L);

  @Override
  public long nanos() {
    return now.get();
  }

  @Override
  public void sleep(Duration duration) {
    now.addAndGet(Math.max(1_000_000, duration.toNanos()));
  }

  @Override
  public Instant instant() {
    return Instant.EPOCH.plusNanos(now.get());
  }

  /** What is asked for is there, or comes from a thread that waits for nothing. */
  @Override
  public <T> Optional<T> poll(BlockingQueue<T> queue, Duration within) throws InterruptedException {
    return Time.SYSTEM.poll(queue, Duration.ofSeconds(30));
  }

  @Override
  public Thread.Builder.OfVirtual threads() {
    return Thread.ofVirtual();
  }

  Duration since(long then) {
    return Duration.ofNanos(now.get() - then);
  }
}
