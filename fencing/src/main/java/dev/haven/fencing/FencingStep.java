package dev.haven.fencing;

import java.time.Instant;

/**
 * One line of the log of a fence.
 *
 * @param level counted from 1
 * @param device empty where the step is about the whole level
 * @param detail the device's words or the reason, without secrets
 */
public record FencingStep(Instant at, int level, String device, Kind kind, String detail) {
  /** What happened, to the level or to one device. */
  public enum Kind {
    LEVEL_DELAYED,
    LEVEL_BEGAN,
    OFF_SENT,
    OFF_ACCEPTED,
    ALREADY_OFF,
    POISONED,
    OFF_FAILED,
    READ_OFF_1,
    READ_OFF_2,
    STILL_ON,
    READ_FAILED,
    WRONG_HOST,
    NEEDS_OPERATOR,
    LEVEL_CONFIRMED,
    LEVEL_FAILED,
    ON_SENT,
    ON_ACCEPTED,
    ON_FAILED,
    READ_ON
  }
}
