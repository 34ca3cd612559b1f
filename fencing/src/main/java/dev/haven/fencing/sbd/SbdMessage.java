package dev.haven.fencing.sbd;

import java.util.Arrays;
import java.util.Optional;

/** What a mailbox can hold; the numbers are sbd's. */
public enum SbdMessage {
  CLEAR(0),
  TEST(1),
  RESET(2),
  OFF(3),
  EXIT(4),
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
