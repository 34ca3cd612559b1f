package dev.haven.agent;

import dev.haven.model.wire.GoingDown;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks systemd every second whether this host is being shut down, and sooner when somebody wants to
 * know. Its programs may hang, so they have a deadline, and a thread of their own.
 */
final class Systemd implements HostShutdown {
  private static final Logger log = LoggerFactory.getLogger(Systemd.class);
  private static final Path RUNS = Path.of("/run/systemd/system");
  private static final Duration EVERY = Duration.ofSeconds(1);
  private static final Duration ASK = Duration.ofSeconds(2);

  /** Longer than one question takes in general; what is not known by then is taken for a stop. */
  private static final Duration WAIT = Duration.ofSeconds(1);

  /** Runs a program. */
  interface Programs {
    /** What it printed, whatever its exit status; empty if it did not end in time. */
    Optional<String> run(List<String> command);
  }

  private final Programs programs;
  private final Runnable changed;
  private final Thread thread;
  private Optional<GoingDown> last = Optional.empty();
  private boolean known;
  private long asked;
  private long answered;
  private boolean closed;

  /**
   * @param changed called on this thread after each change of {@link #last}
   */
  Systemd(Programs programs, Runnable changed) {
    this.programs = programs;
    this.changed = changed;
    this.thread = Thread.ofPlatform().daemon().name("host-shutdown").start(this::run);
  }

  /** Whether systemd runs this host. */
  static boolean here() {
    return Files.isDirectory(RUNS);
  }

  @Override
  public synchronized Optional<GoingDown> last() {
    return last;
  }

  @Override
  public synchronized boolean mayStop() {
    long mine = ++asked;
    notifyAll();
    long deadline = System.nanoTime() + WAIT.toNanos();
    try {
      while (answered < mine) {
        long left = deadline - System.nanoTime();
        if (left <= 0 || closed) {
          return true;
        }
        TimeUnit.NANOSECONDS.timedWait(this, left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
    return !known || last.isPresent();
  }

  private void run() {
    try {
      while (true) {
        long question;
        synchronized (this) {
          if (closed) {
            return;
          }
          question = asked;
        }
        var state = programs.run(List.of("systemctl", "is-system-running"));
        var preparing =
            programs.run(
                List.of(
                    "busctl",
                    "get-property",
                    "org.freedesktop.login1",
                    "/org/freedesktop/login1",
                    "org.freedesktop.login1.Manager",
                    "PreparingForShutdown"));
        boolean stops =
            state.filter("stopping"::equals).isPresent()
                || preparing.filter("b true"::equals).isPresent();
        var now = stops ? Optional.of(how()) : Optional.<GoingDown>empty();
        boolean news;
        synchronized (this) {
          known = stops || state.filter(s -> !s.isEmpty()).isPresent();
          news = known && !now.equals(last);
          if (known) {
            last = now;
          }
          answered = question;
          notifyAll();
        }
        if (news) {
          now.ifPresentOrElse(
              how -> log.warn("this host is being shut down ({})", how),
              () -> log.info("this host is not shut down after all"));
          changed.run();
        }
        rest();
      }
    } catch (InterruptedException e) {
      log.debug("systemd is not asked any more");
    }
  }

  private synchronized void rest() throws InterruptedException {
    long next = System.nanoTime() + EVERY.toNanos();
    while (!closed && asked == answered) {
      long left = next - System.nanoTime();
      if (left <= 0) {
        return;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }

  private GoingDown how() {
    var jobs = programs.run(List.of("systemctl", "list-jobs", "--no-legend")).orElse("");
    return jobs.contains("poweroff.target") || jobs.contains("halt.target")
        ? GoingDown.POWER_OFF
        : GoingDown.REBOOT;
  }

  /** The host's own programs. */
  static Optional<String> program(List<String> command) {
    try {
      var builder = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
      builder.environment().put("LC_ALL", "C");
      var process = builder.start();
      // what they print fits a pipe, so they end before anybody reads it
      if (!process.waitFor(ASK.toNanos(), TimeUnit.NANOSECONDS)) {
        process.destroyForcibly();
        return Optional.empty();
      }
      try (var output = process.getInputStream()) {
        return Optional.of(new String(output.readAllBytes(), StandardCharsets.UTF_8).strip());
      }
    } catch (IOException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    thread.interrupt();
  }
}
