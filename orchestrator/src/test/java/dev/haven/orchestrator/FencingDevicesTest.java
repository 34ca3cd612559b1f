package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.lead.Cut;
import dev.haven.fencing.Fencer;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Time;
import dev.haven.orchestrator.power.FencingDevices;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the orchestrator says about a host's devices before it takes them into the cluster. */
class FencingDevicesTest {
  @TempDir Path folder;

  private List<String> mistakes(FencingDevice... level) {
    return new FencingDevices(new Fencer(folder), SealedSecrets.with(Optional.empty()), Time.SYSTEM)
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

  @Test
  void aFenceThatFailsAfterItsDeviceSaidOffTellsSo() throws Exception {
    // a switch whose off is read once and then never again
    var off = folder.resolve("off");
    var status = folder.resolve("status");
    Files.writeString(off, "#!/bin/sh\ntouch %s/is-off\n".formatted(folder));
    Files.writeString(
        status,
        """
        #!/bin/sh
        cd %s
        [ -e read ] && exit 9
        [ -e is-off ] && touch read && exit 2
        exit 0
        """
            .formatted(folder));
    assertThat(off.toFile().setExecutable(true) && status.toFile().setExecutable(true)).isTrue();
    var spec =
        new HostSpec(
            new HostId("a"),
            Optional.empty(),
            "qemu+tls://a/system",
            List.of(),
            List.of(
                List.of(new FencingDevice("hand", "manual", Map.of())),
                List.of(
                    new FencingDevice(
                        "plug",
                        "command",
                        Map.of(
                            "off",
                            off.toString(),
                            "on",
                            "/bin/true",
                            "status",
                            status.toString())))),
            Map.of(),
            Optional.empty(),
            1024,
            4);
    var cut =
        new FencingDevices(new Fencer(folder), SealedSecrets.with(Optional.empty()), Time.SYSTEM)
            .cut(spec.id(), spec, Map.of(), Duration.ofSeconds(2));
    assertThat(cut)
        .isInstanceOfSatisfying(
            Cut.Failed.class, failed -> assertThat(failed.saidOff()).hasValue(2));
  }
}
