package dev.haven.agent.guest;

import dev.haven.model.Time;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.locks.ReentrantLock;

/** Wakes those who wait for libvirt to say something new. */
public final class Changes {
  private final Time time;
  private final ReentrantLock lock = new ReentrantLock();
  private final Set<BlockingQueue<Boolean>> waiting = new LinkedHashSet<>();
  private long count;

  public Changes() {
    this(Time.SYSTEM);
  }

  public Changes(Time time) {
    this.time = time;
  }

  public void happened() {
    lock.lock();
    try {
      count++;
      waiting.forEach(bell -> bell.offer(true));
      waiting.clear();
    } finally {
      lock.unlock();
    }
  }

  public long count() {
    lock.lock();
    try {
      return count;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits until the count is not {@code seen} any more, or the time is over.
   *
   * @return the count now
   */
  public long await(long seen, long nanos) throws InterruptedException {
    var bell = new ArrayBlockingQueue<Boolean>(1);
    if (!waits(bell, seen)) {
      return count();
    }
    try {
      time.poll(bell, Duration.ofNanos(nanos));
    } finally {
      lock.lock();
      try {
        waiting.remove(bell);
      } finally {
        lock.unlock();
      }
    }
    return count();
  }

  private boolean waits(BlockingQueue<Boolean> bell, long seen) {
    lock.lock();
    try {
      return count == seen && waiting.add(bell);
    } finally {
      lock.unlock();
    }
  }

  /** Sleeps between two changes, so that many in a row are met together. */
  public void rest(long nanos) throws InterruptedException {
    time.sleep(Duration.ofNanos(Math.max(nanos, 0)));
  }
}
