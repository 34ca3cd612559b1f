package dev.haven.simulator;

import java.time.Duration;
import java.time.Instant;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.SplittableRandom;

/** Simulated time and the chance that goes with it: the same seed gives the same course. */
final class Clock {
  private static final Instant BEGAN = Instant.parse("2026-01-01T00:00:00Z");

  private final PriorityQueue<Task> tasks =
      new PriorityQueue<>(Comparator.comparingLong(Task::at).thenComparingLong(Task::number));
  private final SplittableRandom chance;
  private long now = 1_000_000_000L;
  private long tasksEver;

  private record Task(long at, long number, Runnable what) {}

  Clock(long seed) {
    chance = new SplittableRandom(seed);
  }

  /** Nanoseconds since the beginning, as {@link System#nanoTime} would tell them. */
  long nanos() {
    return now;
  }

  /** What people's clocks show. */
  Instant instant() {
    return BEGAN.plusNanos(now);
  }

  void after(Duration wait, Runnable what) {
    tasks.add(new Task(now + wait.toNanos(), tasksEver++, what));
  }

  void afterMillis(double millis, Runnable what) {
    tasks.add(new Task(now + (long) (millis * 1e6), tasksEver++, what));
  }

  /** Lets this much time pass. */
  void run(Duration time) {
    long until = now + time.toNanos();
    while (!tasks.isEmpty() && tasks.peek().at() <= until) {
      var task = tasks.poll();
      now = task.at();
      task.what().run();
    }
    now = until;
  }

  boolean happens(double probability) {
    return chance.nextDouble() < probability;
  }

  double between(double least, double most) {
    return least + chance.nextDouble() * (most - least);
  }

  int below(int bound) {
    return chance.nextInt(bound);
  }

  <T> T oneOf(java.util.List<T> list) {
    return list.get(chance.nextInt(list.size()));
  }
}
