package dev.haven.cli;

/** Ends the command with a message for people: what, where and the way out. */
class Stop extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Exit exit;

  Stop(Exit exit, String message) {
    super(message, null, false, false);
    this.exit = exit;
  }

  Exit exit() {
    return exit;
  }

  String text() {
    return String.valueOf(getMessage());
  }
}
