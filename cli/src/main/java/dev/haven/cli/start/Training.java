package dev.haven.cli.start;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;

/**
 * Runs the frequent verbs against a voter, so that the JVM learns which classes a start needs
 * ({@code -XX:AOTCacheOutput}). ./haven does this once for each build. The voter is another
 * process: the JVM loads all that it learned at every start, so it must learn nothing else.
 */
public final class Training {
  private static final List<String> VERBS =
      List.of("status", "status -o json", "op list", "migrate web --dry-run");

  private Training() {}

  /** Runs a command as a person or a program would. */
  @FunctionalInterface
  public interface Runner {
    /**
     * @param terminal whether a person looks at the output, which goes nowhere
     */
    void run(String[] args, Path config, boolean terminal);
  }

  /**
   * @param classPath the voter's, which needs more than a client
   */
  public static void run(String classPath, Runner runner) throws IOException {
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
          runner.run(verb.split(" "), directory.resolve("cli.yaml"), terminal);
        }
      }
      for (boolean terminal : new boolean[] {true, false}) {
        runner.run(new String[] {"status"}, directory.resolve("local.yaml"), terminal);
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
}
