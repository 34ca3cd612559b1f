package dev.haven.cli;

import org.jspecify.annotations.Nullable;

/**
 * What ^C is answered with until this is closed. One for the whole of a change, from request to
 * end, so that no moment in it is without an answer.
 */
final class OnInterrupt implements AutoCloseable {
  private final Haven haven;
  private final Thread hook = new Thread(this::interrupted, "interrupted");
  private volatile @Nullable String words;
  private volatile Runnable first = () -> {};

  /**
   * @throws Stop if ^C has come already
   */
  OnInterrupt(Haven haven, String words) {
    this.haven = haven;
    this.words = words;
    try {
      Runtime.getRuntime().addShutdownHook(hook);
    } catch (IllegalStateException e) {
      throw new Stop(Exit.INTERRUPTED, "interrupted");
    }
  }

  /** For as long as it is not known whether what was sent was also done. */
  static OnInterrupt whileUnanswered(Haven haven) {
    return new OnInterrupt(
        haven,
        "interrupted before the answer came: it may have been done or not."
            + "\nSee what became of it with: haven op list, haven events --since 5m");
  }

  void say(String words) {
    this.words = words;
  }

  /** What was asked for is done and goes on nowhere. */
  void sayNothing() {
    words = null;
  }

  /**
   * @param first done before anything is said, such as clearing a line
   */
  void before(Runnable first) {
    this.first = first;
  }

  private void interrupted() {
    var said = words;
    if (said != null) {
      first.run();
      haven.say(said);
    }
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // ^C came just now: it speaks
    }
  }
}
