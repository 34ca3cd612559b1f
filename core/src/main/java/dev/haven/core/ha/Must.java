package dev.haven.core.ha;

import org.jspecify.annotations.Nullable;

/** What the tables of the hard state refuse: a fault of ours, and the same on every voter. */
final class Must {
  private Must() {}

  /**
   * @throws IllegalStateException unless the rule holds; the message names both sides
   */
  static void hold(boolean rule, String broken, @Nullable Object... values) {
    if (!rule) {
      throw new IllegalStateException(broken.formatted(values));
    }
  }
}
