package dev.haven.lab;

import java.time.Duration;
import java.time.Instant;

/**
 * When something was done to the lab, on both clocks.
 *
 * @param nanoTime as {@link System#nanoTime}, for differences within this process
 */
public record ClockReading(Instant at, long nanoTime) {
  public static ClockReading now() {
    return new ClockReading(Instant.now(), System.nanoTime());
  }

  /** From this moment to that one. */
  public Duration until(ClockReading later) {
    return Duration.ofNanos(later.nanoTime - nanoTime);
  }
}
