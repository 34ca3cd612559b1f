package dev.haven.simulator;

import dev.haven.model.Time;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;

/** Time as one process lives through it: it notices nothing while it is stopped. */
abstract class LivedTime implements Time {
  private final SimTime time;

  LivedTime(SimTime time) {
    this.time = time;
  }

  /** Returns once the process runs: asked whenever one of its threads has waited. */
  abstract void goOn() throws InterruptedException;

  /** Takes the head of a queue, however long it does not come. */
  final <T> T take(BlockingQueue<T> queue) throws InterruptedException {
    var there = time.take(queue);
    goOn();
    return there;
  }

  @Override
  public long nanos() {
    return time.nanos();
  }

  @Override
  public Instant instant() {
    return time.instant();
  }

  @Override
  public final void sleep(Duration length) throws InterruptedException {
    time.sleep(length);
    goOn();
  }

  @Override
  public final <T> Optional<T> poll(BlockingQueue<T> queue, Duration within)
      throws InterruptedException {
    var there = time.poll(queue, within);
    goOn();
    return there;
  }

  @Override
  public final Thread.Builder.OfVirtual threads() {
    return time.threads();
  }
}
