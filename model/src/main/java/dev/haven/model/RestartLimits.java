package dev.haven.model;

import java.time.Duration;

/**
 * How often a guest that ends by itself, its host being well, is started again: in place, then
 * elsewhere, then not any more.
 *
 * @param inPlace times on the same host within {@code within}, 0 to 100; once more, and it is
 *     started on another
 * @param within by the leaders' clocks, 1 s to 7 days; after so long without an end all is
 *     forgotten
 * @param elsewhere hosts that it may leave so, 0 to 100; once more, and it is left failed
 * @param afterPowerOff whether powering off from inside counts as an end of this kind; otherwise it
 *     stays off then
 */
public record RestartLimits(int inPlace, Duration within, int elsewhere, boolean afterPowerOff) {
  private static final Duration WITHIN_MIN = Duration.ofSeconds(1);
  private static final Duration WITHIN_MAX = Duration.ofDays(7);

  public RestartLimits {
    if (inPlace < 0 || inPlace > 100) {
      throw new IllegalArgumentException(
          "restarts in place: %d is not between 0 and 100".formatted(inPlace));
    }
    if (elsewhere < 0 || elsewhere > 100) {
      throw new IllegalArgumentException(
          "restarts elsewhere: %d is not between 0 and 100".formatted(elsewhere));
    }
    if (within.compareTo(WITHIN_MIN) < 0 || within.compareTo(WITHIN_MAX) > 0) {
      throw new IllegalArgumentException(
          "restarts within: %s is not between 1 s and 7 days".formatted(within));
    }
  }
}
