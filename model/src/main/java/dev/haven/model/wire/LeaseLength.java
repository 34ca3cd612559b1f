package dev.haven.model.wire;

import java.time.Duration;

/**
 * How long a lease lasts, and what follows it. Each lease says its length itself, so no agent ever
 * counts another one than its leader meant.
 */
public enum LeaseLength {
  /** 10 s: of a host that has measured that it can pause all its guests in time. */
  SHORT(10, 2, 2),
  /** 20 s: of every other host. */
  LONG(20, 5, 3);

  private final Duration duration;
  private final Duration pauseCheck;
  private final Duration margin;

  LeaseLength(int duration, int pauseCheck, int margin) {
    this.duration = Duration.ofSeconds(duration);
    this.pauseCheck = Duration.ofSeconds(pauseCheck);
    this.margin = Duration.ofSeconds(margin);
  }

  /** From when the agent sent the heartbeat, on a clock that does not stop in suspend. */
  public Duration duration() {
    return duration;
  }

  /**
   * How long after the lease's end a host may go on feeding its watchdog while it pauses guests.
   */
  public Duration pauseCheck() {
    return pauseCheck;
  }

  /**
   * When a host that nobody can reach can run nothing any more, counted from when a leader last
   * granted it a lease of this length: it has paused its guests, or its watchdog has reset it. With
   * a margin for clocks that differ, a watchdog that is late and the step of the host's own check.
   *
   * @param watchdog the host's watchdog's timeout
   */
  public Duration bound(Duration watchdog) {
    return duration.plus(pauseCheck).plus(watchdog).plus(margin);
  }
}
