package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.model.wire.LeaseLength;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an operator is told before a failure, and not by it. */
class ReadinessTest {
  private static final String DIRECT =
      "<domain><disk device='disk'><driver cache='none'/></disk></domain>";

  @TempDir Path kernel;
  private final FakeHypervisor libvirt = new FakeHypervisor();
  private Optional<Readiness.Guard> guard =
      Optional.of(new Readiness.Guard(Duration.ofSeconds(10), Optional.empty()));
  private LeaseLength asked = LeaseLength.LONG;
  private Optional<String> forgotten = Optional.empty();

  /** What each question to libvirt takes. */
  private Duration answer = Duration.ofMillis(1);

  private long time;
  private int news;
  private final OwnFaults faults = new OwnFaults(() -> 0);
  private Readiness readiness;

  @BeforeEach
  void aHundredGuestsRun() throws IOException {
    libvirt.definition = DIRECT;
    for (int i = 0; i < 100; i++) {
      libvirt.put("web" + i, Run.RUNNING, Why.BOOTED, 3);
    }
    libvirt.put("off", Run.SHUT_OFF, Why.SHUTDOWN, 3);
    libvirt.put("strange", Run.RUNNING, Why.BOOTED, 0);
    aio(1_024, 65_536);
    readiness =
        new Readiness(
            libvirt,
            new Readiness.Guarded() {
              @Override
              public Optional<Readiness.Guard> now() {
                return guard;
              }

              @Override
              public void asks(LeaseLength length) {
                asked = length;
              }

              @Override
              public Optional<String> forgotten() {
                return forgotten;
              }
            },
            kernel,
            faults,
            () -> news++,
            () -> time += answer.toNanos());
  }

  private void aio(long used, long most) throws IOException {
    Files.writeString(kernel.resolve("aio-nr"), used + "\n");
    Files.writeString(kernel.resolve("aio-max-nr"), most + "\n");
  }

  @Test
  void aHostWithMoreGuestsThanItCanPauseInTimeSaysSo() {
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
    answer = Duration.ofMillis(150); // 59 guests in the 9 s of a round
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("about 59 of its 100 guests", "15 s", "fewer guests", "longer timeout");
    answer = Duration.ofMillis(152);
    readiness.look();
    assertThat(news).as("about the same is no news").isEqualTo(1);
    guard = Optional.of(new Readiness.Guard(Duration.ofSeconds(60), Optional.empty()));
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
    assertThat(news).isEqualTo(2);
  }

  @Test
  void whatPausingTookHereCounts() {
    guard =
        Optional.of(
            new Readiness.Guard(Duration.ofSeconds(10), Optional.of(Duration.ofSeconds(2))));
    readiness.look();
    assertThat(readiness.warnings())
        .as("eight at a time, and six times 2 s until the reset")
        .singleElement()
        .asString()
        .contains("about 48 of its 100 guests");
  }

  @Test
  void aGuestThatCannotBeProvenPausedIsNamed() {
    libvirt.definition = "<domain><disk device='disk'><driver cache='writeback'/></disk></domain>";
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("web0", "and 95 more", "cache='none'")
        .doesNotContain("off", "strange");
    libvirt.mute = true;
    libvirt.definition = DIRECT;
    readiness.look();
    assertThat(readiness.warnings()).as("nothing is known now").hasSize(1);
  }

  @Test
  void aGuestThatLibvirtDoesNotTellOfInTimeIsNoNews() {
    libvirt.domains.keySet().removeIf(name -> name.compareTo("web12") > 0);
    libvirt.definition = "<domain><disk device='disk'><driver cache='writeback'/></disk></domain>";
    readiness.look();
    var named = readiness.warnings();
    assertThat(named).singleElement().asString().contains("web0, web1, web10, web11, web12 cannot");
    libvirt.slow = java.util.Set.of("web1", "web11");
    readiness.look();
    assertThat(readiness.warnings()).isEqualTo(named);
    libvirt.slow = java.util.Set.of();
    libvirt.domains.remove("web1");
    libvirt.definition = DIRECT;
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
    assertThat(news).isEqualTo(2);
  }

  @Test
  void aHostAtItsLimitIsToldOnceAndClearsOnlyWithRoom() {
    answer = Duration.ofMillis(100); // 89 guests
    readiness.look();
    assertThat(readiness.warnings()).hasSize(1);
    for (int i = 0; i < 10; i++) {
      answer = Duration.ofMillis(i % 2 == 0 ? 80 : 100); // 112 guests: there is not much room
      readiness.look();
    }
    assertThat(news).as("it does not come and go").isEqualTo(1);
    answer = Duration.ofMillis(60);
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
    answer = Duration.ofMillis(80);
    readiness.look();
    assertThat(news).isEqualTo(2);
  }

  private void keep(int guests) {
    for (int i = guests; i < 100; i++) {
      libvirt.domains.remove("web" + i);
    }
  }

  @Test
  void whoKeepsAsManyGuestsAsCanBePausedIsNotToldThatTheHostWouldBeReset() {
    answer = Duration.ofMillis(195); // 45 guests
    keep(50);
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("about 45 of its 50 guests", "would reset this host");
    keep(45);
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("about 45 guests can be paused", "45 run here", "no room", "with 37 guests")
        .doesNotContain("would reset this host");
    answer = Duration.ofMillis(190); // 46 guests
    readiness.look();
    assertThat(news).as("about the same is no news").isEqualTo(2);
    answer = Duration.ofMillis(200); // 44 guests
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("about 44 of its 45 guests", "would reset this host");
    answer = Duration.ofMillis(195);
    keep(37);
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
  }

  @Test
  void aHostThatCouldPauseNoGuestIsToldUntilThereIsRoomAgain() {
    keep(10);
    answer = Duration.ofSeconds(9);
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("about 0 of its 10 guests");
    answer = Duration.ofMillis(800); // 10 guests
    readiness.look();
    assertThat(readiness.warnings()).singleElement().asString().contains("no room for more");
    answer = Duration.ofMillis(600); // 14 guests
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
  }

  @Test
  void whereNobodyReliesOnItsLeasesGuestsAreNotLookedAt() {
    answer = Duration.ofSeconds(1);
    guard = Optional.empty();
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
  }

  @Test
  void aHostWithoutRoomForMoreDisksSaysWhatToSet() throws Exception {
    aio(60_000, 65_536);
    readiness.look();
    assertThat(readiness.warnings())
        .singleElement()
        .asString()
        .contains("65536", "fs.aio-max-nr = 1048576", "sysctl --system");
    aio(60_000, 1_048_576);
    readiness.look();
    assertThat(readiness.warnings()).isEmpty();
    Files.delete(kernel.resolve("aio-nr"));
    readiness.look();
    assertThat(readiness.warnings()).as("a kernel that does not tell").isEmpty();
  }

  @Test
  void aNumberOfTheRealKernelIsReadWhole() throws Exception {
    var file = Path.of("/proc/sys/fs/aio-max-nr");
    var cat = new ProcessBuilder("cat", file.toString()).start();
    var told = new String(cat.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
    assertThat(told).matches("[0-9]{2,}");
    assertThat(Readiness.number(file)).isEqualTo(Long.parseLong(told));
  }

  @Test
  void aRuntimeDirectoryThatWasEmptiedIsTold() {
    forgotten = Optional.of("/run/haven-agent was empty");
    readiness.look();
    assertThat(readiness.warnings()).containsExactly("/run/haven-agent was empty");
  }

  @Test
  void aHostThatCanPauseAllItsGuestsInTimeAsksForShortLeases() {
    answer = Duration.ofMillis(5);
    readiness.look();
    assertThat(asked).isEqualTo(LeaseLength.SHORT);
    libvirt.definition = "<domain><disk device='disk'><driver cache='writeback'/></disk></domain>";
    readiness.look();
    assertThat(asked).as("no pause of these proves anything").isEqualTo(LeaseLength.LONG);
    libvirt.definition = DIRECT;
    readiness.look();
    assertThat(asked).isEqualTo(LeaseLength.SHORT);
    answer = Duration.ofMillis(100);
    readiness.look();
    assertThat(asked).as("too many").isEqualTo(LeaseLength.LONG);
  }
}
