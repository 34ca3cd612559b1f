package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./haven test}, in a checkout of its own and with a Maven that only leaves reports. */
class TestCommandTest {
  @TempDir private Path root;

  @BeforeEach
  void checkout() throws Exception {
    Files.createDirectories(root.resolve("target/haven"));
    Files.createDirectories(root.resolve("part"));
    Files.createFile(root.resolve("part/packages.txt"));
    Files.copy(Path.of("../haven"), root.resolve("haven"));
    Files.createDirectories(root.resolve("bin"));
    var maven = root.resolve("bin/mvn");
    Files.writeString(
        maven,
        """
        #!/bin/sh
        echo "maven $*"
        mkdir -p part/target/surefire-reports
        cp report part/target/surefire-reports/TEST-dev.haven.part.SomeTest.xml
        """);
    assertThat(maven.toFile().setExecutable(true)).isTrue();
  }

  @Test
  void aSkippedTestIsNamedAndWithCiItIsAFailure() throws Exception {
    report(
        1,
        "<testcase name=\"needsRoot\" classname=\"dev.haven.part.SomeTest\">"
            + "<skipped message=\"needs root\"/></testcase>");
    var here = run(Map.of());
    assertThat(here.said())
        .contains("skipped: dev.haven.part.SomeTest.needsRoot: needs root")
        .contains("1 passed, 0 failed, 1 skipped");
    assertThat(here.exit()).isZero();
    assertThat(run(Map.of("CI", "true")).exit()).isEqualTo(1);
  }

  @Test
  void eachRunDrawsANewSeedAndOneThatIsGivenIsRepeated() throws Exception {
    report(0, "");
    var seeds =
        java.util.stream.Stream.of(run(Map.of()), run(Map.of()), run(Map.of("CI", "true")))
            .map(r -> r.said().replaceAll("(?s).*haven: seed (\\d+).*-Dseed=\\1\\n.*", "$1"))
            .toList();
    assertThat(seeds).doesNotHaveDuplicates().allMatch(s -> s.matches("\\d+"));
    assertThat(run(Map.of(), "-Dseed=4417").said())
        .contains("haven: seed 4417")
        .containsOnlyOnce("-Dseed=");
  }

  private void report(int skipped, String cases) throws Exception {
    Files.writeString(
        root.resolve("report"),
        """
        <testsuite name="dev.haven.part.SomeTest" tests="%d" errors="0" skipped="%d" failures="0">
          <testcase name="runs" classname="dev.haven.part.SomeTest"/>
          %s
        </testsuite>
        """
            .formatted(1 + skipped, skipped, cases));
  }

  private record Ended(int exit, String said) {}

  private Ended run(Map<String, String> environment, String... arguments) throws Exception {
    var log = root.resolve("log");
    var builder =
        new ProcessBuilder("bash", root.resolve("haven").toString(), "test")
            .directory(root.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    builder.command().addAll(java.util.List.of(arguments));
    var variables = builder.environment();
    variables.remove("CI");
    variables.putAll(environment);
    variables.put("HAVEN_BUILT", "1");
    variables.put("JAVA_HOME", System.getProperty("java.home"));
    variables.put("PATH", root.resolve("bin") + ":" + variables.get("PATH"));
    var process = builder.start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Ended(process.exitValue(), Files.readString(log));
  }
}
