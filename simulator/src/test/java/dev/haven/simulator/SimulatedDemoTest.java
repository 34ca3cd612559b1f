package dev.haven.simulator;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class SimulatedDemoTest {
  @Test
  void itSaysThatItIsSimulatedAndShowsEvidenceAndDecision() {
    var bytes = new ByteArrayOutputStream();
    SimulatedDemo.run(new PrintStream(bytes, true, StandardCharsets.UTF_8));
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .startsWith("This is a simulation")
        .contains("power read back off", "fence host", "is evacuated", "has arrived on host");
  }
}
