package dev.haven.fencing.sbd;

import java.util.Arrays;
import java.util.Optional;

/** What a mailbox can hold; the numbers are sbd's. */
public enum SbdMessage {
  /** Nothing: it was read. */
  CLEAR(0),
  /** The watcher says that it has read it, and goes on. */
  TEST(1),
  /** The host is reset at once. */
  RESET(2),
  /** The host is switched off at once. */
  OFF(3),
  /** sbd's own watcher ends; ours goes on. */
  EXIT(4),
  /** The host writes a dump of its kernel and is reset. */
  CRASHDUMP(5);

  final int number;

  SbdMessage(int number) {
    this.number = number;
  }

  /** Whether a watcher that reads it ends its host. */
  public boolean kills() {
    return this == RESET || this == OFF || this == CRASHDUMP;
  }

  /** Empty for a number that sbd does not know, such as a torn write leaves. */
  static Optional<SbdMessage> of(int number) {
    return Arrays.stream(values()).filter(m -> m.number == number).findFirst();
  }
}
