package dev.haven.bench;

import com.fasterxml.jackson.annotation.JsonIgnore;
import dev.haven.model.Xml;
import dev.haven.model.config.Settings;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * Lets PIT change one instruction at a time in the packages that {@code bench/mutants.yaml} names,
 * and counts for how many of these mutants a test fails. PIT's own default mutators; nothing is
 * left out. {@link MutationBench} breaks whole rules, which PIT cannot.
 */
public final class MutantBench {
  private static final Set<String> KILLED = Set.of("KILLED", "TIMED_OUT", "MEMORY_ERROR");

  /** A mutant that waits for ever is ended so long after what its test took unbroken. */
  private static final int TIMEOUT_MILLIS = 10_000;

  private static final int PROGRESS_SECONDS = 5;

  /** Nobody waits for longer than this without a line. */
  private static final int QUIET_SECONDS = 60;

  private MutantBench() {}

  /** The file {@code bench/mutants.yaml}. */
  record Mutants(List<Mutated> packages, List<Listed> survivors) {}

  /**
   * Classes that are counted together.
   *
   * @param module its folder, in which the tests run too
   * @param classes PIT's globs
   * @param tests the same, for the test classes that are to notice
   * @param goal percent of the mutants that tests must notice; empty where it is only measured
   */
  record Mutated(
      String name,
      String module,
      List<String> classes,
      List<String> tests,
      Optional<Integer> goal) {}

  /**
   * Survivors that were looked at and stay.
   *
   * @param file below the checkout
   * @param code the line, without the blanks around it
   * @param change what is changed there, in PIT's words
   */
  record Listed(String file, String code, String change, String reason) {
    String words() {
      return "%s: %s: %s".formatted(file, change, code);
    }
  }

  /**
   * One change that no test noticed.
   *
   * @param file below the checkout
   * @param covered whether any test executes the line
   * @param reason why it is left; empty if nobody has said
   */
  public record Survivor(
      String file,
      int line,
      String code,
      String change,
      boolean covered,
      Optional<String> reason) {}

  /**
   * What became of the mutants of one package.
   *
   * @param mutants how many there are: all that were killed, survived or were not covered
   * @param survived although tests execute the line; listed ones too
   * @param uncovered survived because no test executes the line; listed ones too
   * @param goal percent; empty if there is none
   * @param listedInVain entries of the list that fit no survivor any more, for people
   */
  public record Result(
      String name,
      int mutants,
      int killed,
      int survived,
      int uncovered,
      Optional<Integer> goal,
      List<Survivor> survivors,
      List<String> listedInVain) {
    /** How many percent of all mutants were killed, rounded down to a tenth. */
    public double percent() {
      return mutants == 0 ? 100 : Math.floor(killed * 1000.0 / mutants) / 10;
    }

    /** Whether it is at its goal, or has none. */
    @JsonIgnore
    public boolean good() {
      return goal.filter(least -> killed * 100L < (long) least * mutants).isEmpty();
    }
  }

  /**
   * The names of the packages that can be given to {@link #run}, in the order of the file.
   *
   * @param home the checkout
   */
  public static List<String> names(Path home) throws IOException {
    return read(home).packages().stream().map(Mutated::name).toList();
  }

  /**
   * Tries all mutants of these packages; takes minutes.
   *
   * @param home the checkout, built with its tests
   * @param only of these names; all if empty
   * @param threads how many mutants are tried at a time
   * @throws IOException if the file is wrong, see {@link #problems}, or PIT does not run: most
   *     often a test that fails with nothing changed
   */
  public static List<Result> run(Path home, List<String> only, int threads, PrintStream progress)
      throws IOException, InterruptedException {
    var problems = problems(home);
    if (!problems.isEmpty()) {
      throw new IOException(String.join("\n", problems));
    }
    var file = read(home);
    var results = new ArrayList<Result>();
    for (var mutated : file.packages()) {
      if (only.isEmpty() || only.contains(mutated.name())) {
        results.add(run(home, mutated, file.survivors(), threads, progress));
      }
    }
    return results;
  }

  /**
   * Looks for what makes the file worthless, without running anything: a listed survivor whose line
   * is gone, a package without sources, a name that stands twice.
   *
   * @return one sentence for each; empty if all is well
   */
  static List<String> problems(Path home) throws IOException {
    var problems = new ArrayList<String>();
    var names = new ArrayList<String>();
    var file = read(home);
    for (var mutated : file.packages()) {
      if (names.contains(mutated.name())) {
        problems.add("package %s: stands twice".formatted(mutated.name()));
      }
      names.add(mutated.name());
      for (var glob : mutated.classes()) {
        if (!Files.isDirectory(folder(home, mutated.module(), glob))) {
          problems.add("package %s: there are no sources of %s".formatted(mutated.name(), glob));
        }
      }
    }
    for (var listed : file.survivors()) {
      var source = home.resolve(listed.file());
      if (!Files.exists(source)) {
        problems.add("survivor %s: there is no such file".formatted(listed.words()));
      } else if (Files.readAllLines(source).stream()
          .noneMatch(line -> line.strip().equals(listed.code()))) {
        problems.add("survivor %s: no line reads so any more".formatted(listed.words()));
      }
      if (listed.reason().isBlank()) {
        problems.add("survivor %s: say why it may stay".formatted(listed.words()));
      }
    }
    return problems;
  }

  private static Mutants read(Path home) throws IOException {
    return Settings.read(home.resolve("bench/mutants.yaml"), Mutants.class);
  }

  /** The sources of the package that a glob of classes names. */
  private static Path folder(Path home, String module, String glob) {
    var name = glob.substring(0, glob.lastIndexOf('.'));
    return home.resolve(module).resolve("src/main/java").resolve(name.replace('.', '/'));
  }

  private static Result run(
      Path home, Mutated mutated, List<Listed> listed, int threads, PrintStream progress)
      throws IOException, InterruptedException {
    var reports = Files.createTempDirectory("haven-mutants-");
    try {
      pit(home, mutated, threads, reports, progress);
      var result = result(home, mutated, listed, reports.resolve("mutations.xml"));
      progress.printf("%-10s %d of %d killed%n", mutated.name(), result.killed(), result.mutants());
      progress.flush();
      return result;
    } finally {
      MutationBench.delete(reports);
    }
  }

  private static void pit(
      Path home, Mutated mutated, int threads, Path reports, PrintStream progress)
      throws IOException, InterruptedException {
    var log = reports.resolve("log");
    long began = System.nanoTime();
    var process =
        new ProcessBuilder(
                MutationBench.java(),
                "-XX:+UseSerialGC",
                "-cp",
                MutationBench.testClassPath(home, "mutant-libraries"),
                "org.pitest.mutationtest.commandline.MutationCoverageReport",
                "--reportDir",
                reports.toString(),
                "--targetClasses",
                String.join(",", mutated.classes()),
                "--targetTests",
                String.join(",", mutated.tests()),
                "--sourceDirs",
                home.resolve(mutated.module()).resolve("src/main/java").toString(),
                "--mutableCodePaths",
                codePaths(mutated),
                "--outputFormats",
                "XML",
                "--timestampedReports=false",
                "--verbosity",
                "NO_SPINNER",
                "--threads",
                Integer.toString(threads),
                "--timeoutConst",
                Integer.toString(TIMEOUT_MILLIS),
                "--jvmArgs",
                "-XX:+UseSerialGC,-XX:TieredStopAtLevel=1,-Xmx768m,"
                    + "--add-opens=java.base/java.lang=ALL-UNNAMED,"
                    + "--enable-native-access=ALL-UNNAMED,-Djava.net.preferIPv4Stack=true")
            .directory(home.resolve(mutated.module()).toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    var end = new Thread(() -> end(process), "pit-ends-with-us");
    Runtime.getRuntime().addShutdownHook(end);
    try {
      var said = "";
      long saidAt = began;
      while (!process.waitFor(PROGRESS_SECONDS, TimeUnit.SECONDS)) {
        var now = stage(reports, log);
        long at = System.nanoTime();
        if (!now.equals(said) || at - saidAt > TimeUnit.SECONDS.toNanos(QUIET_SECONDS)) {
          progress.printf(
              "%-10s %s (%d s)%n", mutated.name(), now, TimeUnit.NANOSECONDS.toSeconds(at - began));
          progress.flush();
          said = now;
          saidAt = at;
        }
      }
    } finally {
      end(process);
      Runtime.getRuntime().removeShutdownHook(end);
    }
    if (process.exitValue() != 0) {
      var lines = Files.readAllLines(log);
      throw new IOException(
          "package %s: PIT ended with %d; the last it said:%n%s"
              .formatted(
                  mutated.name(),
                  process.exitValue(),
                  lines.stream()
                      .skip(Math.max(0, lines.size() - 40))
                      .collect(Collectors.joining("\n"))));
    }
  }

  private static void end(Process process) {
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
  }

  /** How far PIT is. It writes its report in blocks of some dozen mutants. */
  private static String stage(Path reports, Path log) throws IOException {
    if (!Files.readString(log).contains("Calculated coverage")) {
      return "runs the tests with nothing changed";
    }
    var report = reports.resolve("mutations.xml");
    long tried = Files.exists(report) ? count(report) : 0;
    return tried == 0 ? "tries the first mutants" : tried + " mutants tried and more";
  }

  private static long count(Path report) throws IOException {
    try (BufferedReader reader = Files.newBufferedReader(report)) {
      return reader.lines().filter(line -> line.contains("<mutation ")).count();
    }
  }

  /** Where the classes of the sources are: a jar, or a folder without the tests. */
  private static String codePaths(Mutated mutated) throws IOException {
    var paths = new ArrayList<String>();
    for (var glob : mutated.classes()) {
      var name = glob.substring(0, glob.lastIndexOf('.')).replace('.', '/') + "/package-info.class";
      var resource = ClassLoader.getSystemResource(name);
      if (resource == null) {
        throw new IOException("package %s: no classes of %s".formatted(mutated.name(), glob));
      }
      var text = resource.toString();
      var whole = text.substring(0, text.length() - name.length());
      var path =
          whole.startsWith("jar:")
              ? whole.substring("jar:".length(), whole.length() - "!/".length())
              : whole;
      paths.add(Path.of(URI.create(path)).toString());
    }
    return paths.stream().distinct().collect(Collectors.joining(","));
  }

  /**
   * What a report of PIT says.
   *
   * @param report its {@code mutations.xml}
   */
  static Result result(Path home, Mutated mutated, List<Listed> listed, Path report)
      throws IOException {
    int killed = 0;
    int survived = 0;
    int uncovered = 0;
    var survivors = new ArrayList<Survivor>();
    var sources = new HashMap<String, List<String>>();
    for (var mutant : mutants(report)) {
      var status = mutant.getOrDefault("status", "");
      if (status.equals("NON_VIABLE")) {
        continue; // the JVM refuses to load it
      }
      if (KILLED.contains(status)) {
        killed++;
        continue;
      }
      boolean covered = !status.equals("NO_COVERAGE");
      if (covered) {
        survived++;
      } else {
        uncovered++;
      }
      var survivor = survivor(home, mutated, mutant, covered, sources);
      survivors.add(
          new Survivor(
              survivor.file(),
              survivor.line(),
              survivor.code(),
              survivor.change(),
              covered,
              listed.stream().filter(l -> fits(l, survivor)).map(Listed::reason).findFirst()));
    }
    survivors.sort(Comparator.comparing(Survivor::file).thenComparingInt(Survivor::line));
    var vain =
        listed.stream()
            .filter(l -> isOf(mutated, l))
            .filter(l -> survivors.stream().noneMatch(s -> fits(l, s)))
            .map(Listed::words)
            .toList();
    return new Result(
        mutated.name(),
        killed + survived + uncovered,
        killed,
        survived,
        uncovered,
        mutated.goal(),
        List.copyOf(survivors),
        vain);
  }

  private static boolean fits(Listed listed, Survivor survivor) {
    return listed.file().equals(survivor.file())
        && listed.code().equals(survivor.code())
        && listed.change().equals(survivor.change());
  }

  /** Whether the file of the listed survivor is one that this package's globs name. */
  private static boolean isOf(Mutated mutated, Listed listed) {
    var sources = mutated.module() + "/src/main/java/";
    if (!listed.file().startsWith(sources) || !listed.file().endsWith(".java")) {
      return false;
    }
    var type =
        listed
            .file()
            .substring(sources.length(), listed.file().length() - ".java".length())
            .replace('/', '.');
    return mutated.classes().stream()
        .anyMatch(glob -> type.matches("\\Q" + glob.replace("*", "\\E.*\\Q") + "\\E"));
  }

  private static Survivor survivor(
      Path home,
      Mutated mutated,
      Map<String, String> mutant,
      boolean covered,
      Map<String, List<String>> sources)
      throws IOException {
    var type = mutant.getOrDefault("mutatedClass", "");
    var folder = folder(home, mutated.module(), type);
    var file = home.relativize(folder.resolve(mutant.getOrDefault("sourceFile", ""))).toString();
    int line = Integer.parseInt(mutant.getOrDefault("lineNumber", "0"));
    var lines = sources.get(file);
    if (lines == null) {
      lines = Files.readAllLines(home.resolve(file));
      sources.put(file, lines);
    }
    var code = line > 0 && line <= lines.size() ? lines.get(line - 1).strip() : "";
    return new Survivor(
        file, line, code, mutant.getOrDefault("description", ""), covered, Optional.empty());
  }

  /** Each mutant of a report: its elements and its status by name. */
  private static List<Map<String, String>> mutants(Path report) throws IOException {
    var all = new ArrayList<Map<String, String>>();
    try (var in = Files.newBufferedReader(report, StandardCharsets.UTF_8)) {
      var xml = Xml.stream(in);
      while (xml.hasNext()) {
        if (xml.next() == XMLStreamConstants.START_ELEMENT
            && xml.getLocalName().equals("mutation")) {
          all.add(mutant(xml));
        }
      }
    } catch (XMLStreamException e) {
      throw new IOException(report + ": " + e.getMessage(), e);
    }
    return all;
  }

  private static Map<String, String> mutant(XMLStreamReader xml) throws XMLStreamException {
    var mutant = new HashMap<String, String>();
    mutant.put("status", xml.getAttributeValue(null, "status"));
    var text = new StringBuilder();
    while (xml.hasNext()) {
      switch (xml.next()) {
        case XMLStreamConstants.START_ELEMENT -> text.setLength(0);
        case XMLStreamConstants.CHARACTERS -> text.append(xml.getText());
        case XMLStreamConstants.END_ELEMENT -> {
          if (xml.getLocalName().equals("mutation")) {
            return mutant;
          }
          mutant.put(xml.getLocalName(), text.toString());
        }
        default -> {} // comments and the like
      }
    }
    return mutant;
  }
}
