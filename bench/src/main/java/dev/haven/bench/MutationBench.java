package dev.haven.bench;

import com.fasterxml.jackson.annotation.JsonFormat;
import dev.haven.model.config.Settings;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;

/**
 * Breaks each rule of {@code simulator/mutations.yaml} in turn, and lets the simulator or the tests
 * that the rule names look for it. A rule whose absence nobody notices is one that nobody tries.
 */
public final class MutationBench {
  private static final Pattern SUMMARY =
      Pattern.compile("seed -?\\d+: (\\d+) faults.* (\\d+) violations");
  private static final Pattern VIOLATION = Pattern.compile("\\nseed (\\d+): ([^\\n;]*)");
  private static final Pattern TEST = Pattern.compile("dev\\.haven\\.[\\w.]+#\\w+");

  /** A broken rule may make its test wait for ever, which shows it as well as a failure does. */
  private static final int TEST_SECONDS = 180;

  private MutationBench() {}

  /** The file {@code simulator/mutations.yaml}. */
  record Mutations(List<Mutation> mutations) {}

  /**
   * One broken rule. It has either a theme or tests.
   *
   * @param sentence the rule that it breaks
   * @param theme of the simulated clusters in which it is looked for
   * @param test names of test methods, {@code dev.haven.part.SomeTest#method}: it is found when one
   *     of them fails
   * @param with the name of a rule that stands in for it: both are broken if it is not found alone
   * @param edits all the places that keep it
   */
  record Mutation(
      String name,
      String sentence,
      Optional<String> theme,
      @JsonFormat(with = JsonFormat.Feature.ACCEPT_SINGLE_VALUE_AS_ARRAY)
          Optional<List<String>> test,
      Optional<String> with,
      List<Edit> edits) {
    List<String> tests() {
      return test.orElse(List.of());
    }

    /** Who looks for it, for people. */
    String lookedForBy() {
      return theme
          .map(t -> "simulator, theme " + t)
          .orElseGet(
              () ->
                  String.join(
                      ", ", tests().stream().map(t -> t.substring(simpleName(t))).toList()));
    }

    private static int simpleName(String test) {
      return test.lastIndexOf('.', test.indexOf('#')) + 1;
    }
  }

  /**
   * @param file below the checkout
   * @param find stands in the file exactly once
   */
  record Edit(String file, String find, String replace) {}

  /**
   * @param lookedForBy the simulator with the theme of its clusters, or tests
   * @param simulated whether the simulator looked for it
   * @param found what showed it; empty if nothing did
   * @param with the rule that was broken as well; empty if it was found alone
   */
  public record Result(
      String name,
      String sentence,
      String lookedForBy,
      boolean simulated,
      Optional<String> found,
      Optional<String> with) {
    /** What showed it. */
    public String words() {
      return found
          .map(f -> f + with.map(other -> " (together with " + other + ")").orElse(""))
          .orElse("NOT FOUND");
    }
  }

  /**
   * How many of them were found, by either way of looking.
   *
   * @return one line, for people
   */
  public static String summary(List<Result> results) {
    return "found: %s by the simulator, %s by a test"
        .formatted(
            share(results.stream().filter(Result::simulated).toList()),
            share(results.stream().filter(r -> !r.simulated()).toList()));
  }

  private static String share(List<Result> results) {
    return "%d of %d"
        .formatted(results.stream().filter(r -> r.found().isPresent()).count(), results.size());
  }

  /**
   * @param home the checkout, built; its tests as well if the file names any
   * @param only of these names; all if empty
   * @param faults at most, for each that the simulator looks for
   * @throws IOException if the file is wrong, see {@link #problems}, if a broken rule does not
   *     compile, or if a test fails with nothing broken
   */
  public static List<Result> run(
      Path home, List<String> only, int faults, long seed, PrintStream progress)
      throws IOException, InterruptedException {
    var problems = problems(home, only);
    if (!problems.isEmpty()) {
      throw new IOException(String.join("\n", problems));
    }
    var results = new ArrayList<Result>();
    var all = read(home);
    for (var mutation : all) {
      if (only.isEmpty() || only.contains(mutation.name())) {
        var found = found(home, mutation, mutation.edits(), faults, seed);
        Optional<String> with = found.isPresent() ? Optional.empty() : mutation.with();
        if (with.isPresent()) {
          var both = new ArrayList<>(mutation.edits());
          all.stream()
              .filter(m -> with.get().equals(m.name()))
              .forEach(m -> both.addAll(m.edits()));
          found = found(home, mutation, both, faults, seed);
        }
        var result =
            new Result(
                mutation.name(),
                mutation.sentence(),
                mutation.lookedForBy(),
                mutation.theme().isPresent(),
                found,
                with);
        progress.printf("%-36s %s%n", result.name(), result.words());
        progress.flush();
        results.add(result);
      }
    }
    return results;
  }

  /**
   * Looks for what makes the table worthless, without running anything: a text to be replaced that
   * does not stand exactly once in its file, a test that does not exist, a name that stands twice.
   *
   * @param only of these names; all if empty
   * @return one sentence for each; empty if all is well
   */
  static List<String> problems(Path home, List<String> only) throws IOException {
    var problems = new ArrayList<String>();
    var names = new ArrayList<String>();
    var all = read(home);
    for (var mutation : all) {
      var name = "mutation " + mutation.name() + ": ";
      if (names.contains(mutation.name())) {
        problems.add(name + "stands twice in the table");
      }
      names.add(mutation.name());
      if (!only.isEmpty() && !only.contains(mutation.name())) {
        continue;
      }
      if (mutation.theme().isPresent() == mutation.test().isPresent()) {
        problems.add(name + "give it either a theme or a test");
      }
      for (var test : mutation.tests()) {
        if (!exists(home, test)) {
          problems.add(name + "there is no test " + test);
        }
      }
      mutation
          .with()
          .filter(other -> all.stream().noneMatch(m -> m.name().equals(other)))
          .ifPresent(other -> problems.add(name + "there is no mutation " + other));
      try {
        changed(home, mutation.name(), mutation.edits());
      } catch (IOException e) {
        problems.add(String.valueOf(e.getMessage()));
      }
    }
    return problems;
  }

  private static List<Mutation> read(Path home) throws IOException {
    return Settings.read(home.resolve("simulator/mutations.yaml"), Mutations.class).mutations();
  }

  private static boolean exists(Path home, String test) throws IOException {
    if (!TEST.matcher(test).matches()) {
      return false;
    }
    var module = module(home, test);
    var method = test.substring(test.indexOf('#') + 1);
    return module.isPresent()
        && Pattern.compile("\\b" + method + "\\(\\)|\\bvoid\\s+" + method + "\\(")
            .matcher(Files.readString(module.get().resolve(source(test))))
            .find();
  }

  private static String source(String test) {
    return "src/test/java/" + test.substring(0, test.indexOf('#')).replace('.', '/') + ".java";
  }

  private static Optional<Path> module(Path home, String test) throws IOException {
    try (var modules = Files.newDirectoryStream(home)) {
      for (var module : modules) {
        if (Files.exists(module.resolve(source(test)))) {
          return Optional.of(module);
        }
      }
    }
    return Optional.empty();
  }

  private static Optional<String> found(
      Path home, Mutation mutation, List<Edit> edits, int faults, long seed)
      throws IOException, InterruptedException {
    var classes = Files.createTempDirectory("haven-mutation-");
    try {
      compile(home, mutation.name(), edits, classes);
      return mutation.theme().isPresent()
          ? simulated(classes, mutation.name(), mutation.theme().get(), faults, seed)
          : tested(home, classes, mutation);
    } finally {
      delete(classes);
    }
  }

  /** The simulator schedules virtual threads itself. */
  private static final String OPENS = "--add-opens=java.base/java.lang=ALL-UNNAMED";

  private static Optional<String> simulated(
      Path classes, String name, String theme, int faults, long seed)
      throws IOException, InterruptedException {
    var process =
        new ProcessBuilder(
                java(),
                "-XX:+UseSerialGC",
                OPENS,
                "-cp",
                classes + File.pathSeparator + classPath(),
                "dev.haven.cli.Main",
                "bench",
                "simulate",
                "--faults",
                Integer.toString(faults),
                "--seed",
                Long.toString(seed),
                "--theme",
                theme,
                "--stop-after",
                "1")
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    var out = new String(process.getInputStream().readAllBytes());
    process.waitFor();
    var line = SUMMARY.matcher(out);
    if (!line.find()) {
      throw new IOException("mutation %s: the simulator said: %s".formatted(name, out));
    }
    var violation = VIOLATION.matcher(out);
    return violation.find()
        ? Optional.of(
            "%s faults: %s (seed %s)"
                .formatted(line.group(1), violation.group(2).strip(), violation.group(1)))
        : Optional.empty();
  }

  private static Optional<String> tested(Path home, Path classes, Mutation mutation)
      throws IOException, InterruptedException {
    var none = classes.resolve("none");
    for (var test : mutation.tests()) {
      var before = test(home, none, test);
      if (before.isPresent()) {
        throw new IOException(
            "mutation %s: %s with nothing broken".formatted(mutation.name(), before.get()));
      }
      var after = test(home, classes, test);
      if (after.isPresent()) {
        return after;
      }
    }
    return Optional.empty();
  }

  /**
   * Runs one test method in a process of its own, in the folder of its module.
   *
   * @param first a folder of classes that stand in for the ordinary ones
   * @return how it failed; empty if it passed
   */
  private static Optional<String> test(Path home, Path first, String test)
      throws IOException, InterruptedException {
    var output = Files.createTempFile("haven-mutation-", ".log");
    try {
      var process =
          new ProcessBuilder(
                  java(),
                  "-XX:+UseSerialGC",
                  "-XX:TieredStopAtLevel=1",
                  "-Xmx768m",
                  "--enable-native-access=ALL-UNNAMED",
                  OPENS,
                  "-Djava.net.preferIPv4Stack=true",
                  "-cp",
                  first + File.pathSeparator + testClassPath(home, "test-libraries"),
                  "dev.haven.bench.OneTest",
                  test)
              .directory(module(home, test).orElseThrow().toFile())
              .redirectErrorStream(true)
              .redirectOutput(output.toFile())
              .start();
      if (!process.waitFor(TEST_SECONDS, TimeUnit.SECONDS)) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
        return Optional.of(test + " did not end within " + TEST_SECONDS + " s");
      }
      var text = Files.readString(output);
      return switch (process.exitValue()) {
        case 0 -> Optional.empty();
        case 1 -> Optional.of(text.lines().reduce((a, b) -> b).orElse(test + " failed"));
        default -> throw new IOException("%s did not run: %s".formatted(test, text));
      };
    } finally {
      Files.delete(output);
    }
  }

  static String java() {
    return Path.of(System.getProperty("java.home"), "bin", "java").toString();
  }

  private static String classPath() {
    return System.getProperty("java.class.path");
  }

  /**
   * The modules' test classes and the libraries of all tests, unless they are ours already.
   *
   * @param name of the file in {@code cli/target} that names the libraries
   */
  static String testClassPath(Path home, String name) throws IOException {
    if (ClassLoader.getSystemResource("dev/haven/bench/OneTest.class") != null) {
      return classPath();
    }
    var paths = new ArrayList<String>();
    try (var modules = Files.newDirectoryStream(home)) {
      for (var module : modules) {
        var classes = module.resolve("target/test-classes");
        if (Files.isDirectory(classes)) {
          paths.add(classes.toString());
        }
      }
    }
    paths.add(classPath());
    var libraries = home.resolve("cli/target").resolve(name);
    if (!Files.exists(libraries)) {
      throw new IOException(
          libraries + " is missing: the tests are not built; start it with ./haven");
    }
    paths.add(Files.readString(libraries).strip());
    return String.join(File.pathSeparator, paths);
  }

  private static Map<Path, String> changed(Path home, String name, List<Edit> edits)
      throws IOException {
    var changed = new LinkedHashMap<Path, String>();
    for (var edit : edits) {
      var source = home.resolve(edit.file());
      if (!Files.exists(source)) {
        throw new IOException("mutation %s: there is no file %s".formatted(name, edit.file()));
      }
      var text = changed.getOrDefault(source, Files.readString(source));
      int at = text.indexOf(edit.find());
      if (at < 0 || text.indexOf(edit.find(), at + 1) >= 0) {
        throw new IOException(
            "mutation %s: what it looks for does not stand exactly once in %s: %s"
                .formatted(name, edit.file(), edit.find()));
      }
      changed.put(source, text.replace(edit.find(), edit.replace()));
    }
    return changed;
  }

  private static void compile(Path home, String name, List<Edit> edits, Path classes)
      throws IOException {
    var arguments =
        new ArrayList<>(
            List.of(
                "-proc:none",
                "-nowarn",
                "-parameters",
                "-d",
                classes.toString(),
                "-cp",
                classPath()));
    for (var file : changed(home, name, edits).entrySet()) {
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

  static void delete(Path folder) throws IOException {
    try (var files = Files.walk(folder)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
