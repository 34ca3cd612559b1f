package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MutationBenchTest {
  @TempDir private Path home;

  @Test
  void theTableFitsTheSourcesOfToday() throws Exception {
    assertThat(MutationBench.problems(Path.of("..").toAbsolutePath().normalize(), List.of()))
        .isEmpty();
  }

  @Test
  void aTableThatFitsNoLongerIsTold() throws Exception {
    write("part/src/test/java/dev/haven/part/SomeTest.java", "@Test void here() {}");
    write("Rule.java", "one two two");
    write(
        "simulator/mutations.yaml",
        """
        mutations:
          - name: good
            sentence: "A rule."
            test: dev.haven.part.SomeTest#here
            edits: [{file: Rule.java, find: "one", replace: "none"}]
          - name: good
            sentence: "A rule."
            test: [dev.haven.part.SomeTest#here, dev.haven.part.SomeTest#gone]
            edits: [{file: Rule.java, find: "two", replace: "none"}]
          - name: nobody
            sentence: "A rule."
            edits: [{file: Moved.java, find: "two", replace: "none"}]
        """);
    assertThat(MutationBench.problems(home, List.of()))
        .containsExactly(
            "mutation good: stands twice in the table",
            "mutation good: there is no test dev.haven.part.SomeTest#gone",
            "mutation good: what it looks for does not stand exactly once in Rule.java: two",
            "mutation nobody: give it either a theme or a test",
            "mutation nobody: there is no file Moved.java");
  }

  private void write(String name, String text) throws Exception {
    var file = home.resolve(name);
    Files.createDirectories(file.getParent());
    Files.writeString(file, text);
  }
}
