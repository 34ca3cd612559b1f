package dev.haven.model;

/**
 * Text from outside, such as an agent's, a device's or a reason that somebody typed, made harmless
 * for a terminal or a log: whatever is no character that one can see is written as {@code \\u001b}.
 * So it moves no cursor, forges no line and hides nothing.
 */
public final class PlainText {
  private PlainText() {}

  /** For one line: a line end in it is written as {@code \\u000a} too. */
  public static String line(String text) {
    return escape(text, false);
  }

  /** For several lines: line ends and tabs stay. */
  public static String lines(String text) {
    return escape(text, true);
  }

  /**
   * The same text if it is no longer than that, otherwise its beginning and {@code …}. Text from
   * outside becomes lines of the log and of the audit log, which every voter keeps.
   *
   * @param most characters, 2 or more
   */
  public static String brief(String text, int most) {
    if (text.length() <= most) {
      return text;
    }
    int end = most - 1;
    return text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end) + "…";
  }

  private static String escape(String text, boolean lines) {
    int first = 0;
    while (first < text.length() && harmless(text.charAt(first), lines)) {
      first++;
    }
    if (first == text.length()) {
      return text;
    }
    var escaped = new StringBuilder(text.length() + 32).append(text, 0, first);
    for (int i = first; i < text.length(); i++) {
      char c = text.charAt(i);
      if (harmless(c, lines)) {
        escaped.append(c);
      } else {
        escaped.append("\\u%04x".formatted((int) c));
      }
    }
    return escaped.toString();
  }

  private static boolean harmless(char c, boolean lines) {
    if (c < 0x20) {
      return lines && (c == '\n' || c == '\t');
    }
    return !(c >= 0x7f && c < 0xa0 // DEL and the second set of controls
        || c >= 0x200b && c <= 0x200f // of no width, or turning the direction
        || c >= 0x2028 && c <= 0x202e
        || c >= 0x2066 && c <= 0x2069
        || c == 0xfeff);
  }
}
