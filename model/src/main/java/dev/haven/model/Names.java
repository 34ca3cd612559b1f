package dev.haven.model;

import java.util.Arrays;
import java.util.regex.Pattern;

/** The rule for names that people give: letters, digits, dots, dashes and underscores, 1 to 63. */
public final class Names {
  private static final Pattern NAME =
      Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?");

  private Names() {}

  /**
   * Checks a name that a person gave.
   *
   * @param what it names, for the message
   * @throws IllegalArgumentException if it is none; the message says what may be in one
   */
  public static void check(String what, String value) {
    if (!NAME.matcher(value).matches()) {
      throw new IllegalArgumentException(
          "%s name '%s': use 1 to 63 letters, digits, dots, dashes or underscores, with a letter or digit at both ends"
              .formatted(what, value));
    }
  }

  static void present(String what, String value) {
    if (value.isBlank() || value.length() > 128) {
      throw new IllegalArgumentException(
          "%s '%s': must have 1 to 128 characters".formatted(what, value));
    }
  }

  /** How many letters of one are wrong, missing or too many, if the other was meant. */
  public static int distance(String a, String b) {
    var row = new int[b.length() + 1];
    Arrays.setAll(row, i -> i);
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}
