package dev.haven.orchestrator;

import dev.haven.model.PlainText;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.logging.Formatter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/**
 * One line for each message. The one place through which everything logged goes, so text from
 * outside is made harmless here; the lines of a stack trace are indented.
 */
final class LogLines extends Formatter {
  /** Kept here, since the JDK forgets a logger's level with the logger. Its starts are no news. */
  private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");

  /** Everything that this process logs looks so from now on. */
  static void install() {
    JETTY.setLevel(Level.WARNING);
    for (var handler : Logger.getLogger("").getHandlers()) {
      handler.setFormatter(new LogLines());
    }
  }

  @Override
  public String format(LogRecord entry) {
    return "%1$tFT%1$tT.%1$tL %2$-7s %3$s%n%4$s"
        .formatted(
            entry.getMillis(),
            entry.getLevel().getName(),
            PlainText.line(formatMessage(entry)),
            trace(entry.getThrown()));
  }

  private static String trace(@org.jspecify.annotations.Nullable Throwable thrown) {
    if (thrown == null) {
      return "";
    }
    var text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text));
    return "    " + PlainText.lines(text.toString().strip()).replace("\n", "\n    ") + "\n";
  }
}
