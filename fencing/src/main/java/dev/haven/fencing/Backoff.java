package dev.haven.fencing;

import java.time.Duration;

/**
 * Pauses between two questions: short at first, for the device that answers at once, then longer,
 * to spare the one that does not.
 */
final class Backoff {
  private static final long FIRST_MILLIS = 20;
  private static final long LONGEST_MILLIS = 500;

  private long next = FIRST_MILLIS;

  void sleep(Deadline until) throws InterruptedException {
    until.time().sleep(Duration.ofMillis(Math.min(next, until.left().toMillis())));
    next = Math.min(2 * next, LONGEST_MILLIS);
  }
}
