package dev.haven.cli;

import dev.haven.model.PlainText;
import java.util.regex.Pattern;

/** Colours, where somebody sees them. A colour never says what the text does not say. */
final class Paint {
  static final Paint NONE = new Paint(false);

  private static final Pattern OURS = Pattern.compile("\u001b\\[(?:31|32|33|1|2|0)m");

  private final boolean on;

  Paint(boolean on) {
    this.on = on;
  }

  boolean on() {
    return on;
  }

  /**
   * @param style {@code red}, {@code yellow}, {@code green}, {@code bold}, {@code faint} or empty
   */
  String of(String style, String text) {
    if (!on || style.isEmpty() || text.isEmpty()) {
      return text;
    }
    var code =
        switch (style) {
          case "red" -> "31";
          case "yellow" -> "33";
          case "green" -> "32";
          case "bold" -> "1";
          case "faint" -> "2";
          default -> throw new IllegalArgumentException("no style " + style);
        };
    return "\u001b[" + code + "m" + text + "\u001b[0m";
  }

  /** Text that may hold anything, with no more in it for the terminal than our own colours. */
  static String harmless(String text) {
    var plain = PlainText.lines(text);
    if (plain.equals(text)) {
      return text;
    }
    var safe = new StringBuilder();
    var colours = OURS.matcher(text);
    int at = 0;
    while (colours.find()) {
      safe.append(PlainText.lines(text.substring(at, colours.start()))).append(colours.group());
      at = colours.end();
    }
    return safe.append(PlainText.lines(text.substring(at))).toString();
  }
}
