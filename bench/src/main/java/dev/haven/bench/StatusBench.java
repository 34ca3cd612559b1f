package dev.haven.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * How long a person waits for {@code haven status}: the whole process, from its start to its end.
 */
public final class StatusBench {
  public static final Duration GOAL = Duration.ofMillis(250);

  /** The first ones read the program from the disk. */
  private static final int UNCOUNTED = 2;

  private StatusBench() {}

  /**
   * @param took how long each run took, in their order
   */
  public record Result(List<Duration> took) {
    public Duration median() {
      return FailoverBench.median(took);
    }

    public String text() {
      return String.format(
          Locale.ROOT,
          "haven status, the whole process, %d runs: min %.0f ms, median %.0f ms, max %.0f ms (goal: median <= %d ms)",
          took.size(),
          took.stream().min(Duration::compareTo).orElseThrow().toNanos() / 1e6,
          median().toNanos() / 1e6,
          took.stream().max(Duration::compareTo).orElseThrow().toNanos() / 1e6,
          GOAL.toMillis());
    }
  }

  /**
   * @param program the script that starts the command line
   * @param environment beside what this process has, such as HAVEN_CONFIG
   * @throws IOException if it cannot be started or a run fails
   */
  public static Result run(Path program, Map<String, String> environment, int runs)
      throws IOException, InterruptedException {
    var took = new ArrayList<Duration>();
    for (int i = -UNCOUNTED; i < runs; i++) {
      var builder =
          new ProcessBuilder(program.toString(), "status")
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .redirectError(ProcessBuilder.Redirect.DISCARD);
      builder.environment().putAll(environment);
      long began = System.nanoTime();
      int exit = builder.start().waitFor();
      long ended = System.nanoTime();
      if (exit != 0) {
        throw new IOException("%s status ended with %d".formatted(program, exit));
      }
      if (i >= 0) {
        took.add(Duration.ofNanos(ended - began));
      }
    }
    return new Result(took);
  }
}
