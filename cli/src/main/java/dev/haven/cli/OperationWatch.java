package dev.haven.cli;

import dev.haven.model.OperationId;
import dev.haven.model.PlainText;
import dev.haven.model.api.Views;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Sees an operation through. On a terminal one line with a bar is redrawn, elsewhere a line comes
 * whenever something changed; an operation of less than a second shows only its end.
 */
final class OperationWatch {
  private static final Duration QUIET = Duration.ofSeconds(1);
  private static final Duration LINE_EVERY = Duration.ofSeconds(5);
  private static final int BAR = 20;

  /** Long enough for a new leader. */
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Haven haven;
  private final OnInterrupt interrupted;
  private final boolean redraws;
  private @Nullable String shown;
  private long shownAt;

  OperationWatch(Haven haven, OnInterrupt interrupted) {
    this.haven = haven;
    this.interrupted = interrupted;
    this.redraws = haven.around.errIsTerminal();
  }

  /** For a watch that leaves the operation alone. */
  static String goesOn(OperationId id) {
    return "%s goes on without us; see it with: haven op wait %s".formatted(id, id);
  }

  /**
   * @param within gives up (but leaves the operation alone) after this time
   */
  Exit untilOver(OperationId id, Optional<Duration> within) {
    interrupted.before(this::clear);
    return poll(id, within);
  }

  private Exit poll(OperationId id, Optional<Duration> within) {
    long began = System.nanoTime();
    long heard = began;
    for (long pause = 50; ; pause = Math.min(pause * 3 / 2, 500)) {
      try {
        var answer = haven.cluster().get("/v1/operations/" + id);
        var operation = answer.as(Views.Operation.class);
        heard = System.nanoTime();
        if (operation.over()) {
          clear();
          return end(operation, answer.body());
        }
        if (heard - began > QUIET.toNanos()) {
          show(operation);
        }
      } catch (Stop e) {
        if (e.exit() != Exit.UNREACHABLE) {
          throw e;
        }
        if (System.nanoTime() - heard > PATIENCE.toNanos()) {
          throw lost(id, e.text());
        }
      }
      if (within.isPresent() && System.nanoTime() - began > within.get().toNanos()) {
        throw lost(id, "it is not over after " + Units.duration(within.get()));
      }
      sleep(pause);
    }
  }

  private Stop lost(OperationId id, String why) {
    clear();
    return new Stop(
        Exit.UNKNOWN, "%s goes on; %s\nSee it with: haven op wait %s".formatted(id, why, id));
  }

  private Exit end(Views.Operation operation, byte[] json) {
    var took = Units.duration(Duration.between(operation.began(), operation.ended().orElseThrow()));
    boolean failed = Verb.failed(operation);
    if (!haven.forPeople()) {
      haven.printData(json);
    } else if (!failed) {
      haven.print(
          "%s %s in %s%s"
              .formatted(
                  operation.id(),
                  haven.paint().of("green", operation.state().word()),
                  took,
                  operation.detail().isEmpty() ? "" : ": " + operation.detail()));
    }
    if (failed) {
      throw new Stop(
          Exit.FAILED,
          "%s (%s %s) %s after %s%s"
              .formatted(
                  operation.id(),
                  operation.kind(),
                  operation.subject(),
                  operation.state(),
                  took,
                  operation.detail().isEmpty() ? "" : ": " + operation.detail()));
    }
    return Exit.OK;
  }

  private void show(Views.Operation operation) {
    var line = PlainText.line(line(operation, Instant.now()));
    long now = System.nanoTime();
    if (redraws) {
      int width = haven.around.width();
      if (width == Integer.MAX_VALUE) {
        width = Surroundings.DEFAULT_WIDTH;
      }
      var cut = line.length() > width - 1 ? line.substring(0, width - 2) + "…" : line;
      haven.around.err().print("\r\u001b[K" + cut);
      haven.around.err().flush();
      shown = line;
    } else {
      var plain = operation.done() + " of " + operation.total() + " " + operation.detail();
      if (!plain.equals(shown) || now - shownAt > LINE_EVERY.toNanos()) {
        haven.say(line);
        shown = plain;
        shownAt = now;
      }
    }
  }

  private void clear() {
    if (redraws && shown != null) {
      haven.around.err().print("\r\u001b[K");
      haven.around.err().flush();
      shown = null;
    }
  }

  /** Such as {@code op-7 migrate web [##### ] 52 %, 1.2 GiB of 2 GiB, 110 MiB/s, 8 s left}. */
  static String line(Views.Operation operation, Instant now) {
    var line =
        new StringBuilder()
            .append(operation.id())
            .append(' ')
            .append(operation.kind())
            .append(' ')
            .append(operation.subject());
    double share = -1;
    if (operation.bytesTotal() > 0) {
      share = (double) operation.bytesDone() / operation.bytesTotal();
    } else if (operation.total() > 1) {
      share = (double) operation.done() / operation.total();
    }
    if (share >= 0) {
      share = Math.min(1, share);
      int full = (int) (share * BAR);
      line.append(" [").append("#".repeat(full)).append(" ".repeat(BAR - full)).append("] ");
      line.append((int) (share * 100)).append(" %");
    }
    if (operation.total() > 1) {
      line.append(", ").append(operation.done()).append(" of ").append(operation.total());
    }
    if (operation.bytesTotal() > 0) {
      line.append(", ")
          .append(Units.bytes(operation.bytesDone()))
          .append(" of ")
          .append(Units.bytes(operation.bytesTotal()));
    }
    if (operation.rate() > 0) {
      line.append(", ").append(Units.bytes(operation.rate())).append("/s");
      long left = operation.bytesTotal() - operation.bytesDone();
      if (left > 0) {
        line.append(", ")
            .append(Units.duration(Duration.ofSeconds(left / operation.rate() + 1)))
            .append(" left");
      }
    } else {
      line.append(", ").append(Units.duration(Duration.between(operation.began(), now)));
    }
    if (!operation.detail().isEmpty()) {
      line.append(": ").append(operation.detail());
    }
    return line.toString();
  }

  static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Stop(Exit.INTERRUPTED, "interrupted");
    }
  }
}
