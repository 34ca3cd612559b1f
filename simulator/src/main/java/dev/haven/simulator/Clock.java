package dev.haven.simulator;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.PriorityQueue;

/** Simulated time and the chance that goes with it: the same seed gives the same course. */
final class Clock {
  private static final Instant BEGAN = Instant.parse("2026-01-01T00:00:00Z");

  private final PriorityQueue<Task> tasks =
      new PriorityQueue<>(
          (a, b) ->
              a.at() == b.at()
                  ? Long.compare(a.number(), b.number())
                  : Long.compare(a.at(), b.at()));
  final Chance chance;
  private long now = 1_000_000_000L;
  private long tasksEver;

  private int foreground;
  private Runnable afterEach = () -> {};

  /**
   * @param repeats for ever: alone it is no reason to wait for it
   */
  private record Task(long at, long number, boolean repeats, Runnable what) {}

  Clock(long seed) {
    chance = new Chance(seed);
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
    add(now + wait.toNanos(), false, what);
  }

  void afterMillis(double millis, Runnable what) {
    add(now + (long) (millis * 1e6), false, what);
  }

  /** The same for what repeats for ever, such as a heartbeat. */
  void againAfterMillis(double millis, Runnable what) {
    add(now + (long) (millis * 1e6), true, what);
  }

  private void add(long at, boolean repeats, Runnable what) {
    foreground += repeats ? 0 : 1;
    tasks.add(new Task(at, tasksEver++, repeats, what));
  }

  /** Whether something is to happen besides what repeats for ever. */
  boolean busy() {
    return foreground > 0;
  }

  /** Lets this much time pass in which nothing happens: all that is to come comes so much later. */
  void skip(Duration time) {
    var later = new ArrayList<Task>(tasks.size());
    for (var task : tasks) {
      later.add(new Task(task.at() + time.toNanos(), task.number(), task.repeats(), task.what()));
    }
    tasks.clear();
    tasks.addAll(later);
    now += time.toNanos();
  }

  /** What is done after each event. */
  void afterEach(Runnable what) {
    afterEach = what;
  }

  /** Lets this much time pass. */
  void run(Duration time) {
    afterEach.run();
    long until = now + time.toNanos();
    while (!tasks.isEmpty() && tasks.peek().at() <= until) {
      var task = tasks.poll();
      now = task.at();
      foreground -= task.repeats() ? 0 : 1;
      task.what().run();
      afterEach.run();
    }
    now = until;
  }

  boolean happens(double probability) {
    return chance.happens(probability);
  }

  double between(double least, double most) {
    return chance.between(least, most);
  }

  int below(int bound) {
    return chance.below(bound);
  }

  <T> T oneOf(java.util.List<T> list) {
    return chance.oneOf(list);
  }
}
