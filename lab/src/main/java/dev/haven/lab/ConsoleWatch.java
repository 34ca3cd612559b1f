package dev.haven.lab;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Follows what one guest writes to its console and notes when each line came, to about 2 ms. Its
 * own clock stands still while a guest is paused; this one does not, so a pause shows as a gap
 * between two lines.
 */
public final class ConsoleWatch implements AutoCloseable {
  private static final Duration LOOK_EVERY = Duration.ofMillis(2);

  /** What the guest says every 100 ms. */
  private static final Duration TICK = Duration.ofMillis(100);

  /** A line of a console, without its end. */
  public record Line(String text, ClockReading seen) {}

  private final Path console;
  private final List<Line> lines = new ArrayList<>();
  private final Thread thread;
  private volatile boolean closed;

  private ConsoleWatch(Path console) {
    this.console = console;
    this.thread = new Thread(this::follow, "console-" + console.getFileName());
    this.thread.setDaemon(true);
  }

  /** Follows the console from its present end. */
  public static ConsoleWatch start(Path console) {
    var watch = new ConsoleWatch(console);
    watch.offset = watch.size();
    watch.thread.start();
    return watch;
  }

  private long offset;

  private long size() {
    try {
      return Files.exists(console) ? Files.size(console) : 0;
    } catch (IOException e) {
      return 0;
    }
  }

  private void follow() {
    var partial = new StringBuilder();
    while (!closed) {
      var size = size();
      if (size < offset) {
        offset = 0; // a new file
      }
      if (size > offset) {
        var seen = ClockReading.now();
        partial.append(read(offset, size - offset));
        offset = size;
        add(partial, seen);
      }
      try {
        Thread.sleep(LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private String read(long from, long count) {
    try (var file = new RandomAccessFile(console.toFile(), "r")) {
      var bytes = new byte[(int) Math.min(count, 1 << 20)];
      file.seek(from);
      file.readFully(bytes);
      return new String(bytes, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return "";
    }
  }

  private synchronized void add(StringBuilder partial, ClockReading seen) {
    for (int end = partial.indexOf("\n"); end >= 0; end = partial.indexOf("\n")) {
      lines.add(new Line(partial.substring(0, end).strip(), seen));
      partial.delete(0, end + 1);
    }
    notifyAll();
  }

  /** All lines since the start. */
  public synchronized List<Line> lines() {
    return List.copyOf(lines);
  }

  /** The first {@code GUEST UP} seen after {@code since}; empty if there is none in time. */
  public Optional<ClockReading> awaitUp(ClockReading since, Duration within) {
    return await(line -> line.text().startsWith("GUEST UP "), since, within);
  }

  /** The first line of this kind seen after {@code since}; empty if there is none in time. */
  public synchronized Optional<ClockReading> await(
      Predicate<Line> kind, ClockReading since, Duration within) {
    var deadline = System.nanoTime() + within.toNanos();
    while (true) {
      var found =
          lines.stream()
              .filter(line -> line.seen().nanoTime() - since.nanoTime() > 0)
              .filter(kind)
              .findFirst();
      var left = deadline - System.nanoTime();
      if (found.isPresent() || left <= 0) {
        return found.map(Line::seen);
      }
      try {
        wait(Math.max(1, left / 1_000_000));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return Optional.empty();
      }
    }
  }

  /**
   * The longest time after {@code since} in which the guest did not run: the widest gap less one
   * tick.
   */
  public Duration longestPause(ClockReading since) {
    return longestPause(
        lines().stream().filter(l -> l.seen().nanoTime() - since.nanoTime() > 0).toList());
  }

  static Duration longestPause(List<Line> lines) {
    var longest = TICK;
    for (int i = 1; i < lines.size(); i++) {
      var gap = lines.get(i - 1).seen().until(lines.get(i).seen());
      longest = gap.compareTo(longest) > 0 ? gap : longest;
    }
    return longest.minus(TICK);
  }

  static String text(Path console) {
    try {
      return Files.readString(console, StandardCharsets.ISO_8859_1);
    } catch (IOException e) {
      return "";
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
