package dev.haven.fencing;

import java.util.Collection;

/** What must never be shown, and how it is hidden. */
final class Secrets {
  static final String HIDDEN = "(hidden)";

  private Secrets() {}

  /**
   * The text without any of these secrets: a device's own error message may repeat what it was
   * given.
   */
  static String hide(String text, Collection<String> secrets) {
    for (var secret : secrets) {
      if (!secret.isEmpty()) {
        text = text.replace(secret, HIDDEN);
      }
    }
    return text;
  }
}
