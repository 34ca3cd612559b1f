package dev.haven.bench;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What a {@link Chaos} tells while it goes on, by its own clock. */
final class ChaosTale {
  private final PrintStream out;
  private final List<String> timeline = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private long began;
  private volatile boolean over;

  ChaosTale(PrintStream out) {
    this.out = out;
  }

  /** From now on time counts. */
  void begins() {
    began = System.nanoTime();
  }

  /** No fault is made any more. */
  void over() {
    over = true;
  }

  boolean isOver() {
    return over;
  }

  /** When that is, as {@link System#nanoTime}. */
  long nanosAt(Duration sinceBegan) {
    return began + sinceBegan.toNanos();
  }

  synchronized List<String> timeline() {
    return List.copyOf(timeline);
  }

  synchronized List<String> notes() {
    return List.copyOf(notes);
  }

  /** One more of these. */
  synchronized void count(Map<String, Integer> counts, String what) {
    counts.merge(what, 1, Integer::sum);
  }

  /** What the report ends with. */
  synchronized void note(String note) {
    notes.add(note);
    out.printf(Locale.ROOT, "%7.1f s  %s%n", seconds(), note);
  }

  /** What happens now. */
  synchronized void say(String what) {
    var line = "%7.1f s  %s".formatted(seconds(), what);
    timeline.add(line.strip());
    out.println(line);
  }

  private double seconds() {
    return (System.nanoTime() - began) / 1e9;
  }

  /** Until so long after the beginning. */
  void sleepUntil(Duration sinceBegan) throws InterruptedException {
    long left = sinceBegan.toNanos() - (System.nanoTime() - began);
    if (left > 0) {
      Thread.sleep(Duration.ofNanos(left));
    }
  }
}
