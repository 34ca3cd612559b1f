package dev.haven.fencing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs a program with an end. It runs under timeout(1), which makes it a process group of its own
 * and kills the whole group when the time is over, even if we have died by then.
 */
final class Program {
  /** Beyond timeout(1)'s own limit: it has to start and to kill. */
  private static final Duration GRACE = Duration.ofMillis(250);

  /** More than any agent's metadata; what comes after is thrown away. */
  private static final int LONGEST_OUTPUT = 1 << 20;

  private Program() {}

  sealed interface Result {
    /**
     * @param output its standard output
     * @param complaint the last line of its standard error: for people, never to be interpreted
     */
    record Exited(int code, String output, String complaint) implements Result {}

    /** No result: it did not start, or did not end in time. */
    record Failed(String reason) implements Result {}
  }

  /**
   * @param environment added to ours; the place for secrets, as only root and the same user can see
   *     it
   * @param input its standard input
   * @param secrets hidden in all that is returned
   */
  static Result run(
      List<String> command,
      Map<String, String> environment,
      String input,
      Collection<String> secrets,
      Duration within) {
    if (within.toMillis() < 1) {
      return new Result.Failed("there was no time left to ask it");
    }
    var program = command.getFirst();
    var bounded = new ArrayList<String>();
    bounded.addAll(
        List.of(
            "timeout",
            "--signal=KILL",
            String.format(Locale.ROOT, "%.3f", within.toMillis() / 1000.0)));
    bounded.addAll(command);
    var builder = new ProcessBuilder(bounded);
    builder.environment().put("LC_ALL", "C");
    builder.environment().putAll(environment);
    long began = System.nanoTime();
    Process process;
    try {
      process = builder.start();
    } catch (IOException e) {
      return new Result.Failed("cannot run " + program + " (" + e.getMessage() + ")");
    }
    try {
      var output = collect(process.getInputStream());
      var complaint = collect(process.getErrorStream());
      try (var stdin = process.getOutputStream()) {
        stdin.write(input.getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        // It ended without reading what it was told; its exit status says more.
      }
      if (!process.waitFor(within.plus(GRACE).toNanos(), TimeUnit.NANOSECONDS)) {
        process.destroyForcibly();
        return new Result.Failed("no answer in " + seconds(within));
      }
      int code = process.exitValue();
      // 137: killed. Some program may end so by itself; it has no answer for us then either.
      if (code == 137 || System.nanoTime() - began >= within.toNanos()) {
        return new Result.Failed("no answer in " + seconds(within));
      }
      // timeout(1) itself says so when there is nothing to run.
      if (code == 126 || code == 127) {
        return new Result.Failed("cannot run " + program + "; is it installed?");
      }
      // A child of the program that left its group may hold the pipe open; what it might say is not
      // waited for.
      return new Result.Exited(
          code,
          Secrets.hide(output.get(GRACE.toMillis(), TimeUnit.MILLISECONDS), secrets),
          lastLine(Secrets.hide(complaint.get(GRACE.toMillis(), TimeUnit.MILLISECONDS), secrets)));
    } catch (InterruptedException e) {
      process.destroy(); // timeout(1) passes it on to the group
      Thread.currentThread().interrupt();
      return new Result.Failed("the call was interrupted");
    } catch (ExecutionException | TimeoutException e) {
      return new Result.Failed("the output of " + program + " has no end");
    }
  }

  private static CompletableFuture<String> collect(InputStream stream) {
    var result = new CompletableFuture<String>();
    Thread.ofVirtual()
        .start(
            () -> {
              var kept = new ByteArrayOutputStream();
              try (stream) {
                var buffer = new byte[8192];
                for (int n = stream.read(buffer); n >= 0; n = stream.read(buffer)) {
                  kept.write(buffer, 0, Math.min(n, LONGEST_OUTPUT - kept.size()));
                }
                result.complete(kept.toString(StandardCharsets.UTF_8));
              } catch (IOException e) {
                result.completeExceptionally(e);
              }
            });
    return result;
  }

  private static String lastLine(String text) {
    var last = text.lines().filter(line -> !line.isBlank()).reduce("", (_, line) -> line.strip());
    return last.length() > 300 ? last.substring(0, 300) + " …" : last;
  }

  static String seconds(Duration time) {
    return String.format(Locale.ROOT, "%.1f s", time.toMillis() / 1000.0);
  }
}
