package dev.haven.fencing;

import java.time.Instant;

/** What a power device said about the power, or that it said nothing of use. */
public sealed interface PowerReading {
  /** The name of the device in its {@link DeviceSpec}. */
  String device();

  /** When the question was begun: before anything was sent, so nothing in the reading is older. */
  Instant began();

  /** When the answer was there, or the device was given up. */
  Instant ended();

  /**
   * It says on.
   *
   * @param evidence the device's own words
   */
  record On(String device, Instant began, Instant ended, String evidence) implements PowerReading {}

  /**
   * It says off. By itself no proof: see {@link FencingOutcome.Confirmed}.
   *
   * @param evidence the device's own words
   */
  record Off(String device, Instant began, Instant ended, String evidence)
      implements PowerReading {}

  /**
   * No answer in time, an unreadable one, or a refusal: the power may be on.
   *
   * @param reason for people, without secrets
   */
  record Unknown(String device, Instant began, Instant ended, String reason)
      implements PowerReading {}
}
