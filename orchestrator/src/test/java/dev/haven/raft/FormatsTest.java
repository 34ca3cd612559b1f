package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.model.Json;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.FactWords;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.zip.ZipInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What a version wrote is read by every later one of the same format. Each folder below formats/
 * was left by a voter of one format in a run of the demo (guests created, moved, a host evacuated
 * and returned, one that lost its power): its log's directory as {@code log.zip}, the state that
 * this version had at its end as {@code snapshot.json}, and in {@code state.txt} what a person
 * would have seen then.
 *
 * <p>A change of a format leaves the folders as they are, and adds one; before the first release it
 * rewrites the one that there is. The class stands in the package of the log because it opens one
 * as its voter does; what was written is the orchestrator's.
 */
final class FormatsTest {
  @TempDir Path directory;

  static Stream<Path> formats() throws Exception {
    var root = Path.of(Objects.requireNonNull(FormatsTest.class.getResource("/formats")).toURI());
    try (var folders = Files.list(root)) {
      var all = folders.filter(f -> Files.exists(f.resolve("log.zip"))).sorted().toList();
      assertThat(all).isNotEmpty();
      return all.stream();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("formats")
  void itsLogIsReadAndLeadsToWhatItsWriterSaw(Path format) throws Exception {
    unzip(format.resolve("log.zip"));
    var state = new ClusterState[] {ClusterState.EMPTY};
    try (var log =
        VoterLog.open(
            new DirectoryDisk(directory),
            64 << 20,
            new Halted.Switch(
                (reason, cause) -> {
                  throw new AssertionError(reason, cause);
                }))) {
      log.forEach(
          (entry, index) -> {
            if (!entry.internal()) {
              var outcome = state[0].apply(Json.read(entry.command(), Entry.class));
              assertThat(outcome)
                  .as("entry %d", index)
                  .isNotInstanceOf(ClusterState.Outcome.Broken.class);
              state[0] = outcome.state();
            }
          });
    }
    assertThat(words(state[0])).isEqualTo(Files.readString(format.resolve("state.txt")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("formats")
  void itsSnapshotIsReadAndWrittenAgainWithoutLoss(Path format) throws Exception {
    var snapshot = Files.readAllBytes(format.resolve("snapshot.json"));
    var state = ClusterState.of(Json.read(snapshot, ClusterState.Snapshot.class));
    assertThat(words(state)).isEqualTo(Files.readString(format.resolve("state.txt")));
    var again =
        ClusterState.of(Json.read(Json.bytes(state.snapshot()), ClusterState.Snapshot.class));
    assertThat(again.snapshot()).isEqualTo(state.snapshot());
  }

  @Test
  void aSnapshotOfANewerVersionIsRefusedWithTheWayOut() {
    var newer =
        new String(Json.bytes(ClusterState.EMPTY.snapshot()), StandardCharsets.UTF_8)
            .replace(
                "\"format\":" + ClusterState.Snapshot.FORMAT,
                "\"format\":" + (ClusterState.Snapshot.FORMAT + 1));
    assertThatThrownBy(() -> ClusterState.of(Json.read(newer, ClusterState.Snapshot.class)))
        .hasMessageContaining("upgrade this one");
  }

  @Test
  void aSnapshotOfAnOlderFormatIsRefusedWithTheWayOut() {
    var older =
        new String(Json.bytes(ClusterState.EMPTY.snapshot()), StandardCharsets.UTF_8)
            .replace(
                "\"format\":" + ClusterState.Snapshot.FORMAT,
                "\"format\":" + (ClusterState.Snapshot.FORMAT - 1));
    assertThatThrownBy(() -> ClusterState.of(Json.read(older, ClusterState.Snapshot.class)))
        .hasMessageContaining("this Haven reads format 3 alone")
        .hasMessageContaining("Install that version again");
  }

  /** The end of it all, in few words. */
  private static String words(ClusterState state) {
    var lines = new java.util.ArrayList<String>();
    lines.add("version " + state.version());
    state
        .hosts()
        .forEach(
            h ->
                lines.add(
                    "host %s %s%s, %s"
                        .formatted(
                            h.id(),
                            h.state().getClass().getSimpleName(),
                            h.cordoned() ? ", cordoned" : "",
                            h.spec().fencing())));
    state
        .guests()
        .forEach(
            g ->
                lines.add(
                    "guest %s %s, epoch %s, held by %s"
                        .formatted(
                            g.id(),
                            g.phase().getClass().getSimpleName(),
                            g.epoch(),
                            g.holders().keySet())));
    state
        .operations()
        .forEach(o -> lines.add("%s %s: %s".formatted(o.id(), o.state(), o.detail())));
    state.audit().forEach(l -> lines.add(line(l)));
    return String.join("\n", List.copyOf(lines)) + "\n";
  }

  private static String line(AuditLine line) {
    var fact = line.fact();
    return "%d %s %s: %s"
        .formatted(line.index(), fact.kind().word(), fact.subject(), FactWords.of(fact));
  }

  private void unzip(Path zip) throws IOException {
    try (var in = new ZipInputStream(Files.newInputStream(zip))) {
      for (var entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        Files.write(directory.resolve(entry.getName()), in.readAllBytes());
      }
    }
  }
}
