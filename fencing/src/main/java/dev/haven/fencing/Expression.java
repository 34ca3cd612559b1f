package dev.haven.fencing;

import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An operator's expression, looked for in what a device says. Some expressions take for ever on
 * some answers, or more stack than there is, and a device may say anything; a fence waits for
 * neither.
 */
final class Expression {
  private static final int CHARACTERS_BETWEEN_LOOKS = 1 << 12;

  private static final Duration SHORTEST = Duration.ofMillis(100);

  private final Pattern pattern;

  private Expression(Pattern pattern) {
    this.pattern = pattern;
  }

  static Expression of(Pattern pattern) {
    return new Expression(pattern);
  }

  /** It is not known whether the expression is there. */
  static final class Endless extends Exception {
    private static final long serialVersionUID = 1L;

    Endless(String expression) {
      super("its answer is too much for the expression " + expression, null, false, false);
    }
  }

  /** As long as the caller waits; an answer that came at the last moment is read all the same. */
  static Deadline end(Duration within) {
    return Deadline.in(within).atLeast(SHORTEST);
  }

  boolean isIn(String text, Deadline end) throws Endless {
    return find(text, end).isPresent();
  }

  /**
   * The first place where it is.
   *
   * @throws Endless if there was not enough time, or stack, to say
   */
  Optional<Matcher> find(String text, Deadline end) throws Endless {
    try {
      var matcher = pattern.matcher(new Watched(text, end));
      return matcher.find() ? Optional.of(matcher) : Optional.empty();
    } catch (TimeIsOver | StackOverflowError e) {
      throw new Endless(pattern.pattern());
    }
  }

  private static final class TimeIsOver extends RuntimeException {
    private static final long serialVersionUID = 1L;

    TimeIsOver() {
      super(null, null, false, false);
    }
  }

  /** A text that can no longer be read once the time is over. */
  private static final class Watched implements CharSequence {
    private final String text;
    private final Deadline end;
    private int read;

    Watched(String text, Deadline end) {
      this.text = text;
      this.end = end;
    }

    @Override
    public char charAt(int index) {
      if (++read % CHARACTERS_BETWEEN_LOOKS == 0 && end.passed()) {
        throw new TimeIsOver();
      }
      return text.charAt(index);
    }

    @Override
    public int length() {
      return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int after) {
      return text.substring(start, after);
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
