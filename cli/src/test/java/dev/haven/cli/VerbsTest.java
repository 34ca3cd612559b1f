package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import picocli.CommandLine.Command;

/**
 * The script {@code haven} has to know of some verbs what they need before there is a JVM to ask.
 * It says so in one table, which must fit {@link Verbs}.
 */
class VerbsTest {
  private static final Pattern TABLE = Pattern.compile("\nverbs='\n(.*?)'\n", Pattern.DOTALL);
  private static final Pattern EXPLAINED = Pattern.compile("\n#   ([a-z]+)  +\\S.*");

  /** A line of verbs in the launcher's case, and what follows. */
  private static final Pattern CASE =
      Pattern.compile("\n  ([a-z-]+(?: \\| [a-z-]+)+)\\)\\s+([a-z]+)=");

  private static final Map<String, List<String>> UNDER =
      Map.of("lab", Verbs.LAB, "bench", Verbs.BENCH);

  @Test
  void theScriptKnowsOnlyVerbsThatThereAre() throws IOException {
    var unknown =
        table().keySet().stream().filter(verb -> !exists(List.of(verb.split(" ")))).toList();
    assertThat(unknown).as("renamed or gone: mend the table in the script haven").isEmpty();
  }

  @Test
  void theScriptSaysWhatEachNeedMeansAndHasNoOther() throws IOException {
    var needs = new TreeSet<String>();
    table().values().forEach(needs::addAll);
    assertThat(EXPLAINED.matcher(script()).results().map(r -> r.group(1)))
        .containsExactlyInAnyOrderElementsOf(needs);
  }

  /** Else its packages are missing, and its daemons start slowly. */
  @Test
  void theScriptPreparesEachVerbThatStartsALab() throws IOException {
    var verbs =
        Stream.of(BenchVerbs.class, BenchLabVerbs.class, BenchProofVerbs.class)
            .flatMap(c -> Arrays.stream(c.getDeclaredClasses()))
            .filter(BenchVerbs.OnFreshLab.class::isAssignableFrom)
            .filter(c -> c.isAnnotationPresent(Command.class))
            .map(c -> "bench " + c.getAnnotation(Command.class).name())
            .toList();
    assertThat(verbs).hasSizeGreaterThan(3);
    for (var verb : Stream.concat(verbs.stream(), Stream.of("demo", "lab up")).toList()) {
      assertThat(table().getOrDefault(verb, Set.of())).as(verb).contains("lab");
    }
  }

  /** The packaged launcher is another script, without labs and benches. */
  @Test
  void theInstalledLauncherSaysTheSame() throws IOException {
    var launcher = Files.readString(Path.of("../packaging/haven-runtime/tree/usr/lib/haven/java"));
    var known = new TreeMap<String, Set<String>>();
    CASE.matcher(launcher)
        .results()
        .forEach(
            line ->
                known.put(
                    line.group(2).contains("classpath") ? "client" : "schedules",
                    new TreeSet<>(List.of(line.group(1).split(" \\| ")))));
    for (var need : List.of("client", "schedules")) {
      var verbs =
          table().entrySet().stream()
              .filter(verb -> verb.getValue().contains(need))
              .map(Map.Entry::getKey)
              .filter(verb -> !Verbs.IN_A_CHECKOUT.contains(verb))
              .toList();
      assertThat(known.getOrDefault(need, Set.of())).as(need).hasSameElementsAs(verbs);
    }
  }

  private static boolean exists(List<String> verb) {
    return Verbs.ROOT.contains(verb.getFirst())
        && (verb.size() == 1
            || UNDER.getOrDefault(verb.getFirst(), List.of()).contains(verb.getLast()));
  }

  private static String script() throws IOException {
    return Files.readString(Path.of("../haven"));
  }

  /** What each verb needs. */
  private static Map<String, Set<String>> table() throws IOException {
    var table = TABLE.matcher(script());
    assertThat(table.find()).as("the table of verbs in the script haven").isTrue();
    var needs = new TreeMap<String, Set<String>>();
    table
        .group(1)
        .lines()
        .map(line -> line.split(": "))
        .forEach(line -> needs.put(line[0], Set.of(line[1].split(" "))));
    assertThat(needs).hasSizeGreaterThan(20);
    return needs;
  }
}
