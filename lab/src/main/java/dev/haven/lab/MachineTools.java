package dev.haven.lab;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Runs the machine's own tools, each with a time limit. */
final class MachineTools {
  /** Local tools answer in milliseconds; this is for a machine with its hands full. */
  static final Duration LIMIT = Duration.ofSeconds(30);

  record Result(int exit, String output) {
    boolean ok() {
      return exit == 0;
    }
  }

  private MachineTools() {}

  /**
   * Runs a command and returns what it printed, or throws with it.
   *
   * @throws LabException when it ends with another status than 0, cannot be started, or takes too
   *     long
   */
  static String run(String... command) {
    return run(List.of(command), "");
  }

  static String run(List<String> command, String input) {
    var result = attempt(LIMIT, command, input);
    if (!result.ok()) {
      throw new LabException(
          String.join(" ", command)
              + " failed ("
              + result.exit()
              + "): "
              + result.output().strip());
    }
    return result.output();
  }

  /** Runs a command whose failure is an answer too. */
  static Result attempt(Duration limit, List<String> command, String input) {
    Process process;
    try {
      process = new ProcessBuilder(command).redirectErrorStream(true).start();
    } catch (IOException e) {
      throw new LabException(
          command.getFirst() + " cannot be run: " + e.getMessage() + "; is its package installed?",
          e);
    }
    var output = new CompletableFuture<String>();
    Thread.ofVirtual()
        .start(
            () -> {
              try (var in = process.getInputStream()) {
                output.complete(new String(in.readAllBytes(), StandardCharsets.UTF_8));
              } catch (IOException e) {
                output.complete("");
              }
            });
    try {
      try (var out = process.getOutputStream()) {
        out.write(input.getBytes(StandardCharsets.UTF_8));
      } catch (IOException e) {
        // It ended without reading its input; its status says why.
      }
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        throw new LabException(
            String.join(" ", command) + " took longer than " + limit.toSeconds() + " s");
      }
      return new Result(process.exitValue(), output.get(1, TimeUnit.SECONDS));
    } catch (TimeoutException e) {
      throw new LabException(
          String.join(" ", command) + " left a process behind that holds its output open", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LabException("interrupted while " + command.getFirst() + " ran", e);
    } finally {
      process.destroyForcibly();
    }
  }
}
