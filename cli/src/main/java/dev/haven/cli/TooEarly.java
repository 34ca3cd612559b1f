package dev.haven.cli;

/** The cluster would take it a little later; nothing was changed. */
final class TooEarly extends Stop {
  private static final long serialVersionUID = 1L;

  TooEarly(String message) {
    super(Exit.REFUSED, message);
  }
}
