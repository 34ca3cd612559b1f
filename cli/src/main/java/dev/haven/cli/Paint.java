package dev.haven.cli;

/** Colours, where somebody sees them. A colour never says what the text does not say. */
final class Paint {
  static final Paint NONE = new Paint(false);

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
}
