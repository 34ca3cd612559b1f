package dev.haven.lab;

import java.time.Duration;
import java.time.Instant;

/**
 * When something was done to the lab, on both clocks.
 *
 * @param nanoTime as {@link System#nanoTime}, for differences within this process
 */
public record Moment(Instant at, long nanoTime) {
  public static Moment now() {
    return new Moment(Instant.now(), System.nanoTime());
  }

  /** From this moment to that one. */
  public Duration until(Moment later) {
    return Duration.ofNanos(later.nanoTime - nanoTime);
  }
}
