package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.cli.start.FastStart;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
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

/** Whether the start is fast or plain, a person and a program are told the same. */
class FastStartTest {
  @TempDir Path directory;

  private record Said(int exit, String out, String err) {}

  @Test
  void everyCommandSaysTheSameWithTheSwitchOffAndOn() throws Exception {
    for (var status : List.of(Samples.status(), Samples.troubled())) {
      try (var cluster = CannedCluster.start(directory)) {
        cluster.on("GET /v1/status", status);
        cluster.on("GET /v1/operations", status.operations());
        cluster.on(
            "GET /v1/events",
            List.of(new Views.Event(1, Instant.EPOCH, Fact.Kind.DECISION, "a", "b")));
        cluster.on(
            "POST /v1/commands", new Reply.Accepted("done", Optional.empty(), List.of("step")));
        for (var line :
            List.of(
                "status",
                "status --check",
                "status -o json",
                "status -o yaml",
                "op list",
                "events",
                "migrate web --dry-run",
                "guest show nowhere",
                "status --no-such-option",
                "--help",
                "status --help")) {
          assertThat(haven("off", line)).as(line).isEqualTo(haven("on", line));
        }
      }
    }
  }

  @Test
  void aBrokenSettingsFileIsRefusedInTheSameWords() throws Exception {
    for (var text :
        List.of("voters: []\n", "voters: [\"a b\"]\ntls: {}\n", "none: of this\n", "")) {
      Files.writeString(directory.resolve("cli.yaml"), text);
      assertThat(haven("off", "status")).isEqualTo(haven("on", "status"));
    }
  }

  @Test
  void offMeansOff() {
    assertThat(FastStart.isOn(Map.of())).isTrue();
    assertThat(FastStart.isOn(Map.of(FastStart.VARIABLE, "off"))).isFalse();
  }

  private Said haven(String fast, String line) {
    var out = new ByteArrayOutputStream();
    var err = new ByteArrayOutputStream();
    int exit =
        Main.run(
            line.split(" "),
            new Surroundings(
                InputStream.nullInputStream(),
                new PrintStream(out, false, StandardCharsets.UTF_8),
                new PrintStream(err, false, StandardCharsets.UTF_8),
                Map.of(
                    "HAVEN_CONFIG",
                    directory.resolve("cli.yaml").toString(),
                    "COLUMNS",
                    "100",
                    FastStart.VARIABLE,
                    fast),
                directory,
                false,
                false,
                false));
    return new Said(exit, timeless(out), timeless(err));
  }

  /** Without how long ago something was, which a second later is more. */
  private static String timeless(ByteArrayOutputStream text) {
    return text.toString(StandardCharsets.UTF_8)
        .replaceAll("([\\d.]+ (h|min|s) ?)+(?= ago|\\)| |$)", "T ")
        .replaceAll(" +", " ");
  }
}
