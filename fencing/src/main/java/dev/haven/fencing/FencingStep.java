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
    /** The level waits before it begins, as one of its devices is set up. */
    LEVEL_DELAYED,
    LEVEL_BEGAN,
    OFF_SENT,
    /** The device says that it will switch off. */
    OFF_ACCEPTED,
    /** The device sent no order, because it says off already. */
    ALREADY_OFF,
    /** A message that ends the host has stood on its disks for long enough. */
    POISONED,
    OFF_FAILED,
    /** The first of two readings that count. */
    READ_OFF_1,
    /** The second one. */
    READ_OFF_2,
    STILL_ON,
    READ_FAILED,
    /** The device belongs to another machine. */
    WRONG_HOST,
    /** Only a person can go on. */
    NEEDS_OPERATOR,
    /** Every device of the level was read off twice. */
    LEVEL_CONFIRMED,
    LEVEL_FAILED,
    ON_SENT,
    ON_ACCEPTED,
    ON_FAILED,
    READ_ON
  }
}
