package dev.haven.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Runs the frequent verbs against a voter, so that the JVM learns which classes a start needs
 * ({@code -XX:AOTCacheOutput}). ./haven does this once for each build. The voter is another
 * process: the JVM loads all that it learned at every start, so it must learn nothing else.
 */
final class Training {
  private static final List<String> VERBS =
      List.of("status", "status -o json", "op list", "migrate web --dry-run");

  private Training() {}

  /**
   * @param classPath the voter's, which needs more than a client
   */
  static void run(String classPath) throws IOException {
    HeadStart.prepare(new String[] {"status"});
    var directory = Files.createTempDirectory("haven-training");
    var voter =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                classPath,
                TrainingVoter.class.getName(),
                directory.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      if (voter.getInputStream().read() < 0) {
        throw new IOException("the voter for training did not start");
      }
      for (var verb : VERBS) {
        for (boolean terminal : new boolean[] {true, false}) {
          Main.run(verb.split(" "), surroundings(directory.resolve("cli.yaml"), terminal));
        }
      }
      for (boolean terminal : new boolean[] {true, false}) {
        Main.run(new String[] {"status"}, surroundings(directory.resolve("local.yaml"), terminal));
      }
    } finally {
      voter.destroy();
      try (var files = Files.walk(directory)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static Surroundings surroundings(Path config, boolean terminal) {
    var nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
    return new Surroundings(
        System.in,
        nowhere,
        nowhere,
        Map.of("HAVEN_CONFIG", config.toString(), "COLUMNS", "100"),
        Path.of("").toAbsolutePath(),
        terminal,
        terminal,
        false);
  }
}
