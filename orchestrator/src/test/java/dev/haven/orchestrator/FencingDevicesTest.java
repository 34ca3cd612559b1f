package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.fencing.Fencer;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the orchestrator says about a host's devices before it takes them into the cluster. */
class FencingDevicesTest {
  @TempDir Path folder;

  private List<String> mistakes(FencingDevice... level) {
    return new FencingDevices(new Fencer(folder), SealedSecrets.with(Optional.empty()))
        .mistakes(
            new HostSpec(
                new HostId("a"),
                Optional.empty(),
                "qemu+tls://a/system",
                List.of(),
                List.of(List.of(level)),
                Map.of(),
                Optional.empty(),
                1024,
                4));
  }

  @Test
  void aPlanWithoutMistakesIsTaken() {
    assertThat(mistakes(new FencingDevice("hand", "manual", Map.of()))).isEmpty();
  }

  @Test
  void eachMistakeIsNamedWithItsDevice() {
    assertThat(
            mistakes(
                new FencingDevice("bmc", "ipmy", Map.of("address", "10.0.9.4")),
                new FencingDevice("other", "ipmi", Map.of("adress", "10.0.9.5"))))
        .hasSize(2)
        .anySatisfy(problem -> assertThat(problem).contains("bmc").contains("ipmy"))
        .anySatisfy(problem -> assertThat(problem).contains("other").contains("address"));
  }

  @Test
  void aNameThatIsGivenTwiceIsAMistake() {
    var device = new FencingDevice("bmc", "manual", Map.of());
    assertThat(mistakes(device, device))
        .singleElement()
        .asString()
        .contains("bmc")
        .contains("twice");
  }
}
