package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.bench.Chaos;
import dev.haven.lab.Lab;
import dev.haven.lab.LabOptions;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code haven bench chaos} in short, on the daemons as {@code ./haven} has built them. */
class ChaosTest {
  private static final long SEED = Long.getLong("seed", System.nanoTime() % 1_000_000);
  private static final boolean WATCHDOGS = new Random(SEED).nextBoolean();
  private static final Duration LENGTH = Duration.ofMinutes(3);

  private Path directory = Path.of("/");

  @BeforeEach
  void find(@TempDir Path temporary) {
    Assumptions.assumeTrue(
        Lab.isRoot(), "SKIPPED: a lab builds namespaces and needs root; run the tests as root");
    directory = temporary.resolve("lab");
  }

  @AfterEach
  void down() {
    Lab.find(directory).ifPresent(lab -> lab.down((_, _) -> {}));
  }

  @Test
  void threeMinutesOfEverythingThatBreaksRunNoGuestTwiceAndLoseNoCommand() throws Exception {
    var jars = Path.of("").toAbsolutePath().resolveSibling("target/haven/lib");
    assertThat(jars).as("what ./haven builds; run the tests by ./haven test").isDirectory();
    var lab =
        Lab.up(
            LabOptions.defaults()
                .withDirectory(directory)
                .withDaemons(jars)
                .withWatchdogs(WATCHDOGS),
            (step, _) -> System.out.println(step));
    var chaos = new Chaos(lab, LabVerbs.client(haven(), lab), SEED, LENGTH, WATCHDOGS, System.out);
    var report = chaos.run(4);
    System.out.println(report.text());
    assertThat(report.violations()).as("seed %d", SEED).isEmpty();
    assertThat(report.notes()).as("seed %d", SEED).noneMatch(n -> n.startsWith("went wrong"));
    assertThat(report.signatures()).as("the guests wrote").isGreaterThan(100);
    assertThat(report.copies()).as("some copies followed others").isGreaterThan(4);
    assertThat(report.commands().get("acknowledged")).isPositive();
  }

  private Haven haven() {
    return new Haven(
        new Surroundings(
            new ByteArrayInputStream(new byte[0]),
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
            new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
            Map.of(),
            directory,
            false,
            false,
            false));
  }
}
