package dev.haven.agent;

import dev.haven.model.PlainText;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.logging.ConsoleHandler;
import java.util.logging.Formatter;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;

/** One line for one thing: time (UTC), level, who, what. */
final class LogLines extends Formatter {
  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS'Z'", Locale.ROOT)
          .withZone(ZoneOffset.UTC);

  /** All logging of this process goes to standard error from now on. */
  static void install() {
    LogManager.getLogManager().reset();
    var handler = new ConsoleHandler();
    handler.setFormatter(new LogLines());
    handler.setLevel(Level.ALL);
    var root = java.util.logging.Logger.getLogger("");
    root.setLevel(Level.INFO);
    root.addHandler(handler);
  }

  /** For the end of the process, when the logging itself is being shut down. */
  static void last(String who, String what) {
    var entry = new LogRecord(Level.INFO, what);
    entry.setLoggerName(who);
    System.err.print(new LogLines().format(entry));
  }

  @Override
  public String format(LogRecord entry) {
    var line = new StringBuilder(160);
    TIME.formatTo(Instant.ofEpochMilli(entry.getMillis()), line);
    line.append(' ').append(level(entry.getLevel())).append(' ');
    var logger = entry.getLoggerName();
    line.append(logger == null ? "" : logger.substring(logger.lastIndexOf('.') + 1));
    line.append(": ").append(PlainText.line(formatMessage(entry))).append('\n');
    for (var cause = entry.getThrown(); cause != null; cause = cause.getCause()) {
      line.append("    ").append(PlainText.line(cause.toString())).append('\n');
      for (var frame : cause.getStackTrace()) {
        line.append("        at ").append(frame).append('\n');
      }
    }
    return line.toString();
  }

  private static String level(Level level) {
    if (level.intValue() >= Level.SEVERE.intValue()) {
      return "ERROR";
    }
    return level.intValue() >= Level.WARNING.intValue() ? "WARN " : "INFO ";
  }
}
