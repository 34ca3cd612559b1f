package dev.haven.simulator.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.config.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * Each scenario ends as is written beside it: the examples of the documentation, and those under
 * scenarios/. {@code -Dupdate=true} writes the ends again: look at the difference before it is
 * committed, it is a changed behaviour.
 */
class ScenariosTest {
  static final Path EXAMPLES = Path.of("../docs/examples");
  private static final Path SCENARIOS = Path.of("src/test/resources/scenarios");

  @TestFactory
  Stream<DynamicTest> everyScenarioEndsAsIsWritten() throws IOException {
    return Stream.concat(files(SCENARIOS), files(EXAMPLES))
        .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> play(f)));
  }

  static Stream<Path> files(Path folder) throws IOException {
    try (var files = Files.list(folder)) {
      return files.filter(f -> f.toString().endsWith(".yaml")).sorted().toList().stream();
    }
  }

  private static void play(Path file) throws IOException {
    var end = words(Play.run(ScenarioFile.read(file), null));
    var expected = SCENARIOS.resolve(file.getFileName().toString().replace(".yaml", ".expected"));
    if (Boolean.getBoolean("update")) {
      Files.writeString(expected, end);
    }
    assertThat(end).isEqualTo(Files.readString(expected));
  }

  /** Without times that hang on chance. */
  private static String words(Outcome o) {
    var lines = new ArrayList<String>();
    lines.add(o.well() ? "all well" : "not well");
    if (!o.settled()) {
      lines.add("not settled: " + o.settling());
    }
    o.hosts()
        .forEach(
            h ->
                lines.add(
                    "host %s: %s, %s, %d guests%s"
                        .formatted(
                            h.host(),
                            h.state(),
                            h.machine(),
                            h.guests(),
                            h.cordoned() ? ", cordoned" : "")));
    o.guests()
        .forEach(
            g ->
                lines.add(
                    "guest %s: %s on %s, %d outages, %d moves"
                        .formatted(
                            g.guest(),
                            g.state(),
                            g.host().map(Object::toString).orElse("no host"),
                            g.outages(),
                            g.moves())));
    o.fences().forEach(f -> lines.add("fenced %s: %s".formatted(f.host(), f.proof())));
    o.moves()
        .forEach(
            m -> lines.add("%s %s: %s to %s".formatted(m.kind(), m.guest(), m.from(), m.to())));
    o.violations().forEach(v -> lines.add("broken: " + v));
    o.notRunning().forEach(n -> lines.add("does not run: %s: %s".formatted(n.guest(), n.why())));
    o.alarms().forEach(a -> lines.add("alarm: " + a));
    return String.join("\n", lines) + "\n";
  }

  @Test
  void theSameSeedGivesTheSameCourseAndAnotherAnother() throws SettingsException {
    var scenario = ScenarioFile.read(EXAMPLES.resolve("bad-day.yaml"));
    assertThat(Play.run(scenario, 7L)).isEqualTo(Play.run(scenario, 7L));
    assertThat(Play.run(scenario, 7L).timeline()).isNotEqualTo(Play.run(scenario, 8L).timeline());
  }

  @Test
  void aDayOfAHundredHostsGoesWell() throws SettingsException {
    var events = new ArrayList<String>();
    var kinds = List.of("power-off", "reboot", "hang", "evacuate", "isolate");
    for (int i = 0; i < 25; i++) {
      events.add("  - {at: %dm, %s: h-%d}".formatted(20 + 50 * i, kinds.get(i % 5), 4 + 3 * i));
    }
    var outcome =
        Play.run(
            ScenarioFile.parse(
                "day",
                """
                hosts: [{name: h, count: 100, cpus: 32, memory: 128GiB}]
                guests: [{name: g, count: 1000, cpus: 2, memory: 4GiB}]
                run: 1d
                events:
                """
                    + String.join("\n", events)),
            3L);
    assertThat(outcome.seconds()).isEqualTo(86_400);
    assertThat(outcome.violations()).isEmpty();
    assertThat(outcome.notRunning()).isEmpty();
    assertThat(outcome.guests()).hasSize(1000).allMatch(g -> g.host().isPresent());
    // 5 are evacuated; of each of the others all guests were away for a while
    assertThat(outcome.fences()).hasSizeGreaterThanOrEqualTo(15);
    assertThat(outcome.guests().stream().filter(g -> g.outages() > 0)).hasSizeBetween(150, 400);
  }
}
