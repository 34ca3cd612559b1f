package dev.haven.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * What a command finds around it.
 *
 * @param directory relative paths begin here
 * @param outIsTerminal whether a person is likely to look at {@code out}
 * @param errIsTerminal the same of {@code err}, where progress goes
 * @param inIsTerminal whether a person can be asked
 */
record Surroundings(
    InputStream in,
    PrintStream out,
    PrintStream err,
    Map<String, String> environment,
    Path directory,
    boolean outIsTerminal,
    boolean errIsTerminal,
    boolean inIsTerminal) {

  static final int DEFAULT_WIDTH = 80;

  static Surroundings ofThisProcess(PrintStream out, PrintStream err) {
    return new Surroundings(
        System.in,
        out,
        err,
        System.getenv(),
        Path.of("").toAbsolutePath(),
        isTerminal(1),
        isTerminal(2),
        isTerminal(0));
  }

  /** {@code System.console()} tells of stdin and stdout together only, and takes longer. */
  private static boolean isTerminal(int descriptor) {
    try {
      var target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor)).toString();
      return target.startsWith("/dev/pts/")
          || target.startsWith("/dev/tty")
          || target.equals("/dev/console");
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  /**
   * Columns of the terminal; no limit where there is none, so that nothing is cut in a pipe. Asks
   * {@code stty} where the environment does not say, which takes some milliseconds.
   */
  int width() {
    if (!outIsTerminal) {
      return Integer.MAX_VALUE;
    }
    var columns = environment.getOrDefault("COLUMNS", "");
    if (columns.matches("[1-9][0-9]{1,3}")) {
      return Integer.parseInt(columns);
    }
    try {
      var stty =
          new ProcessBuilder("stty", "size")
              .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/tty").toFile()))
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      if (stty.waitFor(500, TimeUnit.MILLISECONDS)) {
        var size = new String(stty.getInputStream().readAllBytes()).strip().split(" ");
        if (size.length == 2 && size[1].matches("[1-9][0-9]{1,3}")) {
          return Integer.parseInt(size[1]);
        }
      } else {
        stty.destroyForcibly();
      }
    } catch (IOException e) {
      // no stty or no terminal after all
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return DEFAULT_WIDTH;
  }
}
