package dev.haven.bench;

import dev.haven.model.config.Settings;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;

/**
 * Breaks each safety rule in turn and lets the simulator look for it: a rule whose absence it does
 * not notice is one that no run of it has ever tried.
 */
public final class MutationBench {
  private static final Pattern SUMMARY =
      Pattern.compile("seed -?\\d+: (\\d+) faults.* (\\d+) violations");
  private static final Pattern VIOLATION = Pattern.compile("\\nseed (\\d+): ([^\\n;]*)");

  private MutationBench() {}

  /** The file {@code simulator/mutations.yaml}. */
  record Mutations(List<Mutation> mutations) {}

  /**
   * @param sentence the rule that it breaks
   * @param theme of the clusters in which it is looked for
   * @param with the name of a rule that stands in for it: both are broken if it is not found alone
   * @param edits all the places that keep it
   */
  record Mutation(
      String name, String sentence, String theme, Optional<String> with, List<Edit> edits) {}

  /**
   * @param file below the checkout
   * @param find stands in the file exactly once
   */
  record Edit(String file, String find, String replace) {}

  /**
   * @param theme of the clusters in which it was looked for
   * @param found empty if it was not
   * @param with the rule that was broken as well; empty if it was found alone
   */
  public record Result(
      String name, String sentence, String theme, Optional<Found> found, Optional<String> with) {
    /** What showed it. */
    public String words() {
      return found
          .map(
              f ->
                  "%d faults%s: %s (seed %d)"
                      .formatted(
                          f.faults(),
                          with.map(other -> ", together with " + other).orElse(""),
                          f.violation(),
                          f.seed()))
          .orElse("NOT FOUND");
    }
  }

  /**
   * @param faults until then
   * @param seed of the cluster in which it showed
   * @param violation what first broke there
   */
  public record Found(int faults, long seed, String violation) {}

  /**
   * @param home the checkout, built
   * @param jars its jars
   * @param only of these names; all if empty
   * @param faults at most, for each
   */
  public static List<Result> run(
      Path home, Path jars, List<String> only, int faults, long seed, PrintStream progress)
      throws IOException, InterruptedException {
    var results = new ArrayList<Result>();
    var all = Settings.read(home.resolve("simulator/mutations.yaml"), Mutations.class).mutations();
    for (var mutation : all) {
      if (only.isEmpty() || only.contains(mutation.name())) {
        var found = found(home, jars, mutation, mutation.edits(), faults, seed);
        Optional<String> with = found.isPresent() ? Optional.empty() : mutation.with();
        if (with.isPresent()) {
          var both = new ArrayList<>(mutation.edits());
          all.stream()
              .filter(m -> with.get().equals(m.name()))
              .forEach(m -> both.addAll(m.edits()));
          found = found(home, jars, mutation, both, faults, seed);
        }
        var result =
            new Result(mutation.name(), mutation.sentence(), mutation.theme(), found, with);
        progress.printf("%-36s %s%n", result.name(), result.words());
        progress.flush();
        results.add(result);
      }
    }
    return results;
  }

  private static Optional<Found> found(
      Path home, Path jars, Mutation mutation, List<Edit> edits, int faults, long seed)
      throws IOException, InterruptedException {
    var classes = Files.createTempDirectory("haven-mutation-");
    try {
      compile(home, jars, mutation.name(), edits, classes);
      var process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-XX:+UseSerialGC",
                  "-cp",
                  classes + java.io.File.pathSeparator + jars + "/*",
                  "dev.haven.cli.Main",
                  "bench",
                  "simulate",
                  "--faults",
                  Integer.toString(faults),
                  "--seed",
                  Long.toString(seed),
                  "--theme",
                  mutation.theme(),
                  "--stop-after",
                  "1")
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      var out = new String(process.getInputStream().readAllBytes());
      process.waitFor();
      var line = SUMMARY.matcher(out);
      if (!line.find()) {
        throw new IOException(
            "mutation %s: the simulator said: %s".formatted(mutation.name(), out));
      }
      var violation = VIOLATION.matcher(out);
      return violation.find()
          ? Optional.of(
              new Found(
                  Integer.parseInt(line.group(1)),
                  Long.parseLong(violation.group(1)),
                  violation.group(2).strip()))
          : Optional.empty();
    } finally {
      try (var files = Files.walk(classes)) {
        for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  private static String classPath(Path jars) throws IOException {
    try (var all = Files.newDirectoryStream(jars, "*.jar")) {
      var paths = new ArrayList<String>();
      all.forEach(jar -> paths.add(jar.toString()));
      return String.join(java.io.File.pathSeparator, paths);
    }
  }

  private static void compile(Path home, Path jars, String name, List<Edit> edits, Path classes)
      throws IOException {
    var changed = new LinkedHashMap<Path, String>();
    for (var edit : edits) {
      var source = home.resolve(edit.file());
      var text = changed.getOrDefault(source, Files.readString(source));
      int at = text.indexOf(edit.find());
      if (at < 0 || text.indexOf(edit.find(), at + 1) >= 0) {
        throw new IOException(
            "mutation %s: what it looks for does not stand exactly once in %s"
                .formatted(name, edit.file()));
      }
      changed.put(source, text.replace(edit.find(), edit.replace()));
    }
    var arguments =
        new ArrayList<>(
            List.of(
                "-proc:none",
                "-nowarn",
                "-parameters",
                "-d",
                classes.toString(),
                "-cp",
                classPath(jars)));
    for (var file : changed.entrySet()) {
      var copy = classes.resolve(file.getKey().getFileName());
      Files.writeString(copy, file.getValue());
      arguments.add(copy.toString());
    }
    var compiler = ToolProvider.getSystemJavaCompiler();
    var errors = new java.io.ByteArrayOutputStream();
    int status = compiler.run(null, errors, errors, arguments.toArray(String[]::new));
    if (status != 0) {
      throw new IOException("mutation %s does not compile: %s".formatted(name, errors.toString()));
    }
  }
}
