package dev.haven.simulator.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Guest;
import dev.haven.core.ha.Host;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.api.FactWords;
import dev.haven.model.api.Views;
import dev.haven.model.config.SettingsException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What a cluster's audit log tells of an incident is enough to play it again. */
class IncidentExportTest {
  private static final Path SCENARIOS = Path.of("src/test/resources/scenarios");

  /** A cluster after something happened to it, and what it has kept of that. */
  private record After(Outcome outcome, Views.Export now, List<Views.Event> audit, Instant began) {
    static After of(Scenario scenario) {
      var play = Play.of(scenario, null);
      var state = play.state();
      var audit =
          state.audit().stream()
              .map(
                  l ->
                      new Views.Event(
                          l.index(),
                          l.at(),
                          l.fact().kind(),
                          l.fact().subject(),
                          FactWords.of(l.fact()),
                          Optional.of(l.fact())))
              .toList();
      var outcome = play.outcome();
      return new After(outcome, export(scenario, state), audit, began(outcome, audit));
    }

    /** The timeline counts from the beginning, the audit log by the clock. */
    private static Instant began(Outcome outcome, List<Views.Event> audit) {
      for (var line : outcome.timeline()) {
        for (var event : audit) {
          if (event.message().equals(line.message())) {
            return event.at().minusMillis(Math.round(line.at() * 1000));
          }
        }
      }
      throw new AssertionError("nothing of it is in the audit log");
    }

    String incident() {
      return IncidentExport.of(now, audit, began, audit.getLast().at());
    }
  }

  private static Views.Export export(Scenario scenario, ClusterState state) {
    return new Views.Export(
        scenario.voters(),
        Map.of(),
        state.hosts().stream().map(IncidentExportTest::host).toList(),
        state.guests().stream().map(IncidentExportTest::guest).toList());
  }

  private static Views.Host host(Host h) {
    return new Views.Host(
        h.id(),
        word(h.state(), Views.Host.State.class),
        h.cordoned(),
        Optional.empty(),
        Optional.empty(),
        h.capacity(),
        0,
        0,
        0,
        "",
        Optional.empty(),
        Optional.empty(),
        h.boot()
            .flatMap(b -> h.guard().orElse(Guard.NONE).bound(h.id(), b))
            .map(b -> b.toSeconds() + " s"),
        h.spec());
  }

  private static Views.GuestDetail guest(Guest g) {
    return new Views.GuestDetail(
        new Views.Guest(
            g.id(),
            word(g.phase(), Views.Guest.State.class),
            g.wanted(),
            g.host(),
            Optional.empty(),
            g.epoch().value(),
            "",
            g.spec().memoryMib(),
            g.spec().vcpus(),
            g.spec().priority()),
        g.spec(),
        List.copyOf(g.holders().keySet()));
  }

  private static <E extends Enum<E>> E word(Object state, Class<E> as) {
    var word = state.getClass().getSimpleName().toLowerCase(Locale.ROOT);
    return Json.read(Json.text(word), as);
  }

  @TestFactory
  Stream<DynamicTest> whatHappenedIsPlayedAgainFromTheAuditLog() throws IOException {
    return Stream.concat(
            ScenariosTest.files(SCENARIOS), ScenariosTest.files(ScenariosTest.EXAMPLES))
        .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> replay(f)));
  }

  private static void replay(Path file) throws SettingsException {
    var after = After.of(ScenarioFile.read(file));
    var text = after.incident();
    var again = Play.run(ScenarioFile.parse("incident", text), null);
    assertThat(ends(again)).as(text).isEqualTo(ends(after.outcome()));
    assertThat(again.violations()).isEmpty();
  }

  /** Who ended how. */
  private static Map<String, String> ends(Outcome o) {
    var ends = new TreeMap<String, String>();
    o.guests().forEach(g -> ends.put("guest " + g.guest(), g.state()));
    var fenced = new TreeSet<String>();
    o.fences().forEach(f -> fenced.add(f.host() + " by " + f.proof()));
    ends.put("fenced", fenced.toString());
    o.hosts().forEach(h -> ends.put("host " + h.host(), h.cordoned() ? "cordoned" : "open"));
    return ends;
  }

  @Test
  void everythingIsWhereItWasThenAndNotWhereItIsNow() throws SettingsException {
    var scenario = ScenarioFile.read(ScenariosTest.EXAMPLES.resolve("maintenance.yaml"));
    var after = After.of(scenario);
    assertThat(after.now().guests()).noneMatch(g -> g.guest().host().equals(on("a")));
    var then = ScenarioFile.parse("incident", after.incident());
    assertThat(then.guests()).hasSize(4).allMatch(g -> g.host().equals(on("a")));
  }

  @Test
  void onlyWhatHappenedBetweenTheTwoTimesIsInIt() throws SettingsException {
    var scenario = ScenarioFile.read(ScenariosTest.EXAMPLES.resolve("maintenance.yaml"));
    var after = After.of(scenario);
    var late =
        ScenarioFile.parse(
            "incident",
            IncidentExport.of(
                after.now(),
                after.audit(),
                after.began().plus(Duration.ofMinutes(3)),
                after.audit().getLast().at()));
    // by then host a was empty, cordoned and off
    assertThat(late.guests()).noneMatch(g -> g.host().equals(on("a")));
    assertThat(late.hosts().getFirst().cordoned()).isTrue();
    assertThat(late.hosts().getFirst().power()).isFalse();
    assertThat(late.events()).hasSize(2); // switched on, uncordoned
  }

  @Test
  void whatIsThereNoMoreIsSaidAndLeftOut() throws SettingsException {
    var after =
        After.of(
            ScenarioFile.parse(
                "gone",
                """
                hosts: [{name: h, count: 3, cpus: 4, memory: 8GiB}]
                guests: [{name: old, memory: 1GiB}, {name: web, memory: 1GiB}]
                events:
                  - {at: 10s, stop: old}
                  - {at: settled, remove-guest: old}
                  - {at: settled, crash: web}
                """));
    var text = after.incident();
    assertThat(text).contains("# not known: stop \"old\": it is there no more");
    var then = ScenarioFile.parse("incident", text);
    assertThat(then.guests().stream().map(g -> g.spec().id())).containsExactly(new GuestId("web"));
    assertThat(then.events()).hasSize(1);
  }

  private static Optional<HostId> on(String host) {
    return Optional.of(new HostId(host));
  }
}
