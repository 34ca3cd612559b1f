package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One boot of a host, in which processes of its agent follow each other. */
class LinuxWatchdogTest {
  private static final Path DEVICE = Path.of("/dev/watchdog0");

  private final Kernel kernel = new Kernel();
  private final Unit unit = new Unit();
  private Optional<Watchdog> page = Optional.empty();

  /** Feeds a watchdog whenever the real one does. */
  private static final class Kernel implements LinuxWatchdog.Calls {
    final Map<Integer, Integer> copies = new HashMap<>();
    private int files = 2;
    int fed;
    boolean armed;
    boolean says = true;
    Duration timeout = Duration.ofSeconds(60);
    CountDownLatch opened = new CountDownLatch(1);

    @Override
    public Optional<Optional<LinuxWatchdog.Facts>> armed(Path device) {
      return says
          ? Optional.of(armed ? Optional.of(facts(0)) : Optional.empty())
          : Optional.empty();
    }

    @Override
    public int open(Path device) throws IOException {
      if (!copies.isEmpty()) {
        throw new IOException("watchdog " + device + " is busy");
      }
      armed = true;
      fed++;
      copies.put(++files, 1);
      opened.countDown();
      return files;
    }

    @Override
    public void set(int file, Duration wanted) {
      timeout = wanted;
      fed++;
    }

    @Override
    public LinuxWatchdog.Facts facts(int file) {
      return new LinuxWatchdog.Facts("Software Watchdog", timeout, true);
    }

    @Override
    public void feed(int file) {
      fed++;
    }

    void copy(int file) {
      copies.merge(file, 1, Integer::sum);
    }

    @Override
    public void close(int file) {
      if (copies.merge(file, -1, Integer::sum) == 0) {
        copies.remove(file);
        fed++;
      }
    }
  }

  /** systemd's store. */
  private final class Unit implements LinuxWatchdog.Keeper {
    OptionalInt kept = OptionalInt.empty();
    boolean keeps = true;
    boolean overStops = true;

    @Override
    public OptionalInt left() {
      kept.ifPresent(kernel::copy);
      return kept;
    }

    @Override
    public Optional<String> leave(int file) {
      if (!keeps) {
        return Optional.of("nobody keeps it");
      }
      if (kept.isEmpty()) {
        kernel.copy(file);
        kept = OptionalInt.of(file);
      }
      return Optional.empty();
    }

    @Override
    public boolean overStops() {
      return overStops;
    }

    @Override
    public void giveBack() {
      kept.ifPresent(kernel::close);
      kept = OptionalInt.empty();
    }

    /** Somebody stops the agent, and this systemd closes what it kept. */
    void stop() {
      if (!overStops) {
        giveBack();
      }
    }
  }

  private LinuxWatchdog process(int seconds) throws IOException {
    return new LinuxWatchdog(
        Watchdog.Kind.HARDWARE, DEVICE, Duration.ofSeconds(seconds), page, kernel, unit);
  }

  /** The process ends, by whatever way, and the kernel closes what it had open. */
  private void ends() {
    kernel.copies.keySet().stream().toList().forEach(kernel::close);
  }

  @Test
  void aBootOpensItOnceAndSetsItsTimeout() throws Exception {
    var dog = process(10);
    assertThat(dog.timeout()).hasSeconds(10);
    assertThat(dog.kind()).isEqualTo(Watchdog.Kind.SOFTDOG);
    assertThat(dog.resetThisHost()).isTrue();
    assertThat(dog.unkept()).isEmpty();
    assertThat(kernel.fed).isEqualTo(2);
  }

  /** Else a host that is cut off would be reset one timeout later than others count. */
  @Test
  void neitherTheEndNorTheStartOfAnAgentFeedsIt() throws Exception {
    process(10);
    int fed = kernel.fed;
    for (int i = 0; i < 3; i++) {
      ends();
      var next = process(10);
      assertThat(next.unkept()).isEmpty();
      assertThat(next.timeout()).hasSeconds(10);
    }
    assertThat(kernel.fed).isEqualTo(fed);
    process(10).feed();
    assertThat(kernel.fed).isEqualTo(fed + 1);
  }

  /** A host that is cut off cannot tell the leader, which counts on 10 s. */
  @Test
  void anotherTimeoutWaitsForTheNextBoot() throws Exception {
    process(10);
    int fed = kernel.fed;
    ends();
    assertThat(process(60).timeout()).hasSeconds(10);
    assertThat(kernel.fed).as("to set a timeout feeds").isEqualTo(fed);
  }

  @Test
  void whereItsDescriptorWasLostItIsOpenedByAJudgedFeedingAlone() throws Exception {
    process(10);
    ends();
    unit.giveBack();
    int fed = kernel.fed;
    kernel.opened = new CountDownLatch(1);
    var next = process(10);
    assertThat(kernel.fed).isEqualTo(fed);
    assertThat(next.timeout()).hasSeconds(10);
    assertThat(next.identity()).isEqualTo("Software Watchdog");
    assertThat(next.unkept()).as("nobody relies on it before").isPresent();
    next.feed();
    assertThat(kernel.fed).isEqualTo(fed + 1);
    while (next.unkept().isPresent()) {
      Thread.onSpinWait();
    }
    assertThat(unit.kept).isPresent();
  }

  @Test
  void anotherProgramThatHoldsItKeepsNobodyFromRunningGuests() throws Exception {
    kernel.open(DEVICE); // systemd's RuntimeWatchdogSec
    var dog = process(10);
    dog.feed();
    assertThat(dog.unkept().orElseThrow()).contains("is busy");
  }

  @Test
  void whereTheKernelDoesNotSayWhetherItIsArmedTheEarlierProcessDoes() throws Exception {
    kernel.says = false;
    var first = process(10);
    assertThat(first.timeout()).hasSeconds(10);
    page = Optional.of(asTold(first));
    ends();
    unit.giveBack();
    int fed = kernel.fed;
    var next = process(60);
    assertThat(kernel.fed).isEqualTo(fed);
    assertThat(asTold(next)).isEqualTo(page.get());
  }

  private static Watchdog asTold(LinuxWatchdog dog) {
    return new Watchdog(
        dog.kind(),
        dog.identity(),
        dog.timeout(),
        dog.resetThisHost(),
        false,
        Optional.empty(),
        Optional.empty());
  }

  @Test
  void nobodyReliesOnItWhereNothingKeepsIt() throws Exception {
    unit.keeps = false;
    assertThat(process(10).unkept()).contains("nobody keeps it");
  }

  @Test
  void anOldSystemdThatClosesItAtAStopDoesSoWhileItMayBeFed() throws Exception {
    unit.overStops = false;
    var dog = process(10);
    dog.stopping(true);
    int judged = kernel.fed;
    ends();
    unit.stop();
    assertThat(kernel.fed).as("closed at the moment of the judgement").isEqualTo(judged);
    assertThat(unit.kept).isEmpty();
  }

  @Test
  void aNewSystemdKeepsItOverAStop() throws Exception {
    var dog = process(10);
    int fed = kernel.fed;
    dog.stopping(true);
    ends();
    unit.stop();
    assertThat(kernel.fed).isEqualTo(fed);
  }

  @Test
  void theKernelsOwnFilesSayWhetherItIsArmed(@TempDir Path shown) throws Exception {
    var calls = new WatchdogCalls(shown);
    var device = Files.createFile(shown.resolve("watchdog")); // the old name of the first one
    assertThat(calls.armed(device)).as("this kernel shows none").isEmpty();
    var folder = Files.createDirectory(shown.resolve("watchdog0"));
    Files.writeString(folder.resolve("state"), "inactive\n");
    assertThat(calls.armed(device)).contains(Optional.empty());
    Files.writeString(folder.resolve("state"), "active\n");
    assertThat(calls.armed(device)).as("what it does not say completely").isEmpty();
    Files.writeString(folder.resolve("identity"), "iTCO_wdt\n");
    Files.writeString(folder.resolve("timeout"), "10\n");
    Files.writeString(folder.resolve("bootstatus"), "32\n");
    assertThat(calls.armed(device).orElseThrow())
        .contains(new LinuxWatchdog.Facts("iTCO_wdt", Duration.ofSeconds(10), true));
  }
}
