package dev.haven.model;

/**
 * What is known of a running guest beyond that it executes: its guest agent's answers and its
 * watchdog, since it last booted.
 *
 * @param detail for people, beginning with "its"
 */
public record GuestHealth(Verdict verdict, String detail) {
  private static final int DETAIL_MAX = 500;

  /** A long detail is shortened. */
  public GuestHealth {
    detail = PlainText.brief(detail, DETAIL_MAX);
  }

  /** What follows from it. */
  public enum Verdict {
    /**
     * Its guest agent has not answered since it booted, or has closed its port: nothing follows.
     */
    UNKNOWN,
    /** Its guest agent answers. */
    HEALTHY,
    /** Its watchdog fired and QEMU has reset it. */
    RESET,
    /**
     * Its guest agent answered and has missed as many pings in a row as its owner allows, or its
     * watchdog fired and QEMU left it as it is.
     */
    UNHEALTHY
  }
}
