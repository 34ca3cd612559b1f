package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.OperationId;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Playing a scenario, and a copy of a live cluster, from the command line. */
class SimulateTest {
  private static final String CLUSTER =
      """
      hosts: [{name: h, count: 3, cpus: 8, memory: 32GiB, fencing: %s}]
      guests: [{name: web, host: h-1, memory: 2GiB}]
      events: [{at: 5s, power-off: h-1}]
      """;

  @TempDir Path directory;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  private int haven(String... args) {
    return Main.run(
        args,
        new Surroundings(
            new ByteArrayInputStream(new byte[0]),
            new PrintStream(out, true, StandardCharsets.UTF_8),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Map.of("HAVEN_CONFIG", directory.resolve("cli.yaml").toString()),
            directory,
            false,
            false,
            false));
  }

  private void write(String text) throws IOException {
    Files.writeString(directory.resolve("s.yaml"), text);
  }

  @Test
  void aScenarioThatEndsWellExitsWithZero() throws IOException {
    write(CLUSTER.formatted("true"));
    assertThat(haven("simulate", "s.yaml")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8))
        .contains("host h-1 loses power", "PROVEN OFF", "power-read-off", "h-1 → h-", "all well");
  }

  @Test
  void aGuestThatFitsAndDoesNotRunIsFive() throws IOException {
    write(CLUSTER.formatted("false"));
    assertThat(haven("simulate", "s.yaml", "-o", "json")).isEqualTo(5);
    var end = Json.mapper().readTree(out.toByteArray());
    assertThat(end.get("well").asBoolean()).isFalse();
    assertThat(end.get("notRunning").get(0).get("guest").asText()).isEqualTo("web");
    assertThat(end.get("fences")).isEmpty();
  }

  @Test
  void aWrongFileIsTwoAndSaysWhere() throws IOException {
    write("hosts: [{name: a, cpus: 8}]");
    assertThat(haven("simulate", "s.yaml")).isEqualTo(2);
    assertThat(err.toString(StandardCharsets.UTF_8))
        .contains("s.yaml:1:9: hosts[1]: 'memory' is missing");
  }

  private static final Views.Export LIVE =
      new Views.Export(
          List.of("a", "b", "c"),
          Map.of(),
          List.of(
              Samples.host("a", "online"),
              Samples.host("b", "online"),
              Samples.host("c", "online")),
          List.of(
              new Views.GuestDetail(
                  Samples.guest("web", "running", "a"), Samples.spec(), List.of(new HostId("a")))));

  @Test
  void aPastIncidentBecomesAScenarioThatCanBePlayed() throws IOException {
    var then = Instant.now().minusSeconds(600);
    try (var cluster = CannedCluster.start(directory)) {
      cluster.on("GET /v1/export", LIVE);
      cluster.on(
          "GET /v1/events",
          List.of(
              line(1, then, new Fact.HostOnline(new HostId("b"), "joined")),
              line(
                  2,
                  then,
                  new Fact.GuestRuns(WEB, new HostId("b"), new Epoch(1), Optional.empty())),
              line(
                  3,
                  then.plusSeconds(300),
                  new Fact.CommandAccepted(
                      "eva",
                      "Migrate",
                      true,
                      Optional.of(new HostId("a")),
                      Optional.of(WEB),
                      Optional.empty(),
                      Optional.of(new OperationId("op-1")),
                      "guest web moves from host b to host a"))));
      assertThat(haven("simulate", "--export", "--since", "8m")).isZero();
      var text = out.toString(StandardCharsets.UTF_8);
      assertThat(text)
          .contains("as far as the audit log tells", "# not known: sizes", "\"web\", to: \"a\"");
      write(text);
      out.reset();
      assertThat(haven("simulate", "s.yaml")).isZero();
      assertThat(out.toString(StandardCharsets.UTF_8)).contains("b → a");
      assertThat(haven("simulate", "--export", "--since", "noon")).isEqualTo(2);
      assertThat(haven("simulate", "s.yaml", "--since", "8m")).isEqualTo(2);
    }
  }

  private static final GuestId WEB = new GuestId("web");

  private static Views.Event line(long index, Instant at, Fact fact) {
    return new Views.Event(index, at, fact.kind(), fact.subject(), "as it was", Optional.of(fact));
  }

  @Test
  void whatIfIsPlayedOnACopyAndOnlyAsks() throws IOException {
    try (var cluster = CannedCluster.start(directory)) {
      cluster.on("GET /v1/export", LIVE);
      assertThat(haven("what-if", "power-off", "a", "then", "power-on", "a")).isZero();
      assertThat(out.toString(StandardCharsets.UTF_8))
          .contains("host a loses power", "a → ", "host a is switched on", "all well");
      assertThat(haven("what-if", "power-of", "a")).isEqualTo(2);
      assertThat(err.toString(StandardCharsets.UTF_8)).contains("perhaps 'power-off'");
      out.reset();
      assertThat(haven("simulate", "--export")).isZero();
      write(out.toString(StandardCharsets.UTF_8));
      assertThat(haven("simulate", "s.yaml")).isZero();
      assertThat(cluster.requests).allMatch(r -> r.method().equals("GET"));
    }
  }
}
