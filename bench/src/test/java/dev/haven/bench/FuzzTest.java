package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A short run of {@code haven bench fuzz}, and the flood that needs no key. */
class FuzzTest {
  @TempDir Path dir = Path.of("");

  @Test
  void aVoterWithASmallHeapOutlivesWhateverIsSentToIt() throws Exception {
    long seed = Long.getLong("seed", System.nanoTime() & 0xffff);
    var result = Fuzz.run(200, seed, "64m", new PrintStream(PrintStream.nullOutputStream()));
    assertThat(result.wrong()).as(result.text()).isEmpty();
  }

  @Test
  void aWitnessOutlivesThousandsOfHalfOpenHandshakes() throws Exception {
    try (var voter = new LoneVoter(dir, List.of("-Xmx32m", "-XX:MaxDirectMemorySize=16m"))) {
      var crowd = Fuzz.halfOpen(voter, 3_000);
      try {
        assertThat(voter.alive()).as(voter.log()).isTrue();
        assertThat(voter.get("/v1/status")).startsWith("HTTP/1.1 200");
        assertThat(voter.log()).doesNotContain("OutOfMemory");
      } finally {
        for (var socket : crowd) {
          socket.close();
        }
      }
    }
  }
}
