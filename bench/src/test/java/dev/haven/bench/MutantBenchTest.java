package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.bench.MutantBench.Listed;
import dev.haven.bench.MutantBench.Mutated;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MutantBenchTest {
  private static final String FILE = "part/src/main/java/dev/haven/part/Rule.java";
  private static final Mutated PART =
      new Mutated(
          "part",
          "part",
          List.of("dev.haven.part.*"),
          List.of("dev.haven.part.*"),
          Optional.of(85));

  @TempDir private Path home;

  @BeforeEach
  void aRule() throws Exception {
    write(FILE, "class Rule {\n  boolean off(long at) {\n    return at > 5;\n  }\n}\n");
  }

  @Test
  void theListFitsTheSourcesOfToday() throws Exception {
    assertThat(MutantBench.problems(Path.of("..").toAbsolutePath().normalize())).isEmpty();
  }

  @Test
  void aListThatFitsNoLongerIsTold() throws Exception {
    write(
        "bench/mutants.yaml",
        """
        packages:
          - {name: part, module: part, classes: [dev.haven.part.*], tests: [dev.haven.part.*]}
          - {name: part, module: part, classes: [dev.haven.gone.*], tests: [dev.haven.part.*]}
        survivors:
          - {file: %1$s, code: return at > 5;, change: negated conditional, reason: a reason}
          - {file: %1$s, code: return at > 6;, change: negated conditional, reason: a reason}
          - {file: Gone.java, code: return at > 5;, change: negated conditional, reason: ' '}
        """
            .formatted(FILE));
    assertThat(MutantBench.problems(home))
        .containsExactly(
            "package part: stands twice",
            "package part: there are no sources of dev.haven.gone.*",
            "survivor %s: negated conditional: return at > 6;: no line reads so any more"
                .formatted(FILE),
            "survivor Gone.java: negated conditional: return at > 5;: there is no such file",
            "survivor Gone.java: negated conditional: return at > 5;: say why it may stay");
    assertThat(MutantBench.names(home)).containsExactly("part", "part");
  }

  private static String mutant(String status, int line, String change) {
    return """
    <mutation detected='false' status='%s' numberOfTestsRun='1'><sourceFile>Rule.java</sourceFile>\
    <mutatedClass>dev.haven.part.Rule$Inner</mutatedClass><lineNumber>%d</lineNumber>\
    <indexes><index>5</index></indexes><killingTest/><description>%s</description></mutation>
    """
        .formatted(status, line, change);
  }

  private MutantBench.Result result(List<Listed> listed, String... mutants) throws Exception {
    write(
        "mutations.xml",
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <mutations partial="true">
        %s</mutations>
        """
            .formatted(String.join("", mutants)));
    return MutantBench.result(home, PART, listed, home.resolve("mutations.xml"));
  }

  @Test
  void aSurvivorIsNamedWithItsLineAndWhatWasChanged() throws Exception {
    var result =
        result(
            List.of(),
            mutant("KILLED", 3, "negated conditional"),
            mutant("TIMED_OUT", 3, "negated conditional"),
            mutant("NON_VIABLE", 3, "cannot be loaded"),
            mutant("SURVIVED", 3, "changed conditional boundary"),
            mutant("NO_COVERAGE", 2, "removed call to &lt;init&gt;"));
    assertThat(result.mutants()).isEqualTo(4);
    assertThat(result.killed()).isEqualTo(2);
    assertThat(result.percent()).isEqualTo(50.0);
    assertThat(result.good()).isFalse();
    assertThat(result.survivors())
        .containsExactly(
            new MutantBench.Survivor(
                FILE,
                2,
                "boolean off(long at) {",
                "removed call to <init>",
                false,
                Optional.empty()),
            new MutantBench.Survivor(
                FILE, 3, "return at > 5;", "changed conditional boundary", true, Optional.empty()));
  }

  @Test
  void aListedSurvivorHasItsReasonAndCountsAllTheSame() throws Exception {
    var listed = new Listed(FILE, "return at > 5;", "changed conditional boundary", "a nanosecond");
    var killedToday = new Listed(FILE, "return at > 5;", "negated conditional", "none");
    var elsewhere =
        new Listed("part/src/main/java/dev/haven/other/Other.java", "x", "negated", "none");
    var result =
        result(
            List.of(listed, killedToday, elsewhere),
            mutant("SURVIVED", 3, "changed conditional boundary"));
    assertThat(result.survivors().getFirst().reason()).contains("a nanosecond");
    assertThat(result.survived()).isEqualTo(1);
    assertThat(result.good()).isFalse();
    assertThat(result.listedInVain()).containsExactly(killedToday.words());
  }

  @Test
  void theGoalIsReachedWithExactlyItsShare() throws Exception {
    var mutants = new String[100];
    for (int i = 0; i < mutants.length; i++) {
      mutants[i] = mutant(i < 85 ? "KILLED" : "SURVIVED", 3, "negated conditional");
    }
    assertThat(result(List.of(), mutants).good()).isTrue();
    mutants[0] = mutant("SURVIVED", 3, "negated conditional");
    assertThat(result(List.of(), mutants).good()).isFalse();
  }

  private void write(String name, String text) throws Exception {
    var file = home.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
