package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PacemakerPeerTest {
  @Test
  void whatTheScriptPrintsIsUnderstood() {
    assertThat(
            PacemakerPeer.parse(
                "{\"token\": 1000, \"run\": 1, \"guest\": \"g1\", \"process\": 10362, \"up\": 16256}"))
        .isEqualTo(new PacemakerPeer.Start(1000, 1, "g1", 10362, 16256));
  }
}
