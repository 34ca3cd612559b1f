package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.lease.Opened;
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
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One boot of a host, in which processes of its agent follow each other. */
@Timeout(20)
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
    boolean goesOn = true;
    Duration timeout = Duration.ofSeconds(60);

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
      return files;
    }

    @Override
    public void set(int file, Duration wanted) {
      timeout = wanted;
      fed++;
    }

    @Override
    public LinuxWatchdog.Facts facts(int file) {
      return new LinuxWatchdog.Facts("Software Watchdog", timeout, true, goesOn);
    }

    @Override
    public void feed(int file) {
      fed++;
    }

    void copy(int file) {
      copies.merge(file, 1, Integer::sum);
    }

    void close(int file) {
      if (copies.merge(file, -1, Integer::sum) == 0) {
        copies.remove(file);
        fed++;
      }
    }
  }

  /** systemd's store. */
  private final class Unit implements LinuxWatchdog.Keeper {
    OptionalInt kept = OptionalInt.empty();
    volatile boolean keeps = true;
    final CountDownLatch asked = new CountDownLatch(1);

    @Override
    public OptionalInt left() {
      kept.ifPresent(kernel::copy);
      return kept;
    }

    @Override
    public Optional<Boolean> keeps(int file) {
      if (keeps && kept.isEmpty()) {
        kernel.copy(file);
        kept = OptionalInt.of(file);
      }
      asked.countDown();
      return Optional.of(keeps);
    }

    /** The unit is stopped, and this systemd closes what it kept. */
    void closes() {
      kept.ifPresent(kernel::close);
      kept = OptionalInt.empty();
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

  private static void awaits(LinuxWatchdog dog, Opened opened) throws InterruptedException {
    while (dog.opened() != opened) {
      Thread.sleep(1);
    }
  }

  @Test
  void aBootOpensItOnceAndSetsItsTimeout() throws Exception {
    var dog = process(10);
    assertThat(dog.timeout()).hasSeconds(10);
    assertThat(dog.kind()).isEqualTo(Watchdog.Kind.SOFTDOG);
    assertThat(dog.resetThisHost()).isTrue();
    awaits(dog, Opened.KEPT);
    assertThat(kernel.fed).isEqualTo(2);
  }

  /** Else a host that is cut off would be reset one timeout later than others count. */
  @Test
  void neitherTheEndNorTheStartOfAnAgentFeedsIt() throws Exception {
    awaits(process(10), Opened.KEPT);
    int fed = kernel.fed;
    for (int i = 0; i < 3; i++) {
      ends();
      var next = process(10);
      awaits(next, Opened.KEPT);
      assertThat(next.timeout()).hasSeconds(10);
    }
    assertThat(kernel.fed).isEqualTo(fed);
    process(10).feed();
    assertThat(kernel.fed).isEqualTo(fed + 1);
  }

  /** A host that is cut off cannot tell the leader, which counts on 10 s. */
  @Test
  void anotherTimeoutWaitsForTheNextBoot() throws Exception {
    awaits(process(10), Opened.KEPT);
    int fed = kernel.fed;
    ends();
    assertThat(process(60).timeout()).hasSeconds(10);
    assertThat(kernel.fed).as("to set a timeout feeds").isEqualTo(fed);
  }

  @Test
  void whereItsDescriptorWasLostItIsOpenedByAJudgedFeedingAlone() throws Exception {
    awaits(process(10), Opened.KEPT);
    ends();
    unit.closes();
    int fed = kernel.fed;
    var next = process(10);
    assertThat(kernel.fed).isEqualTo(fed);
    assertThat(next.timeout()).hasSeconds(10);
    assertThat(next.identity()).isEqualTo("Software Watchdog");
    assertThat(next.opened()).as("nobody relies on it before").isEqualTo(Opened.NOT);
    next.feed();
    assertThat(kernel.fed).isEqualTo(fed + 1);
    awaits(next, Opened.KEPT);
  }

  /** An administrator changes the agent's unit while the agent runs. */
  @Test
  void whereWhatKeptItKeepsItNoMoreItsTimeoutCountsTwiceUntilItIsKeptAgain() throws Exception {
    var dog =
        new LinuxWatchdog(
            Watchdog.Kind.HARDWARE,
            DEVICE,
            Duration.ofSeconds(10),
            page,
            kernel,
            unit,
            Duration.ofMillis(1));
    awaits(dog, Opened.KEPT);
    unit.keeps = false;
    awaits(dog, Opened.BY_US_ALONE);
    unit.keeps = true;
    awaits(dog, Opened.KEPT);
  }

  /** Each later one opens it only where it may be fed: so the timeout counts twice and no more. */
  @Test
  void whereNothingKeepsItOnlyTheEndOfAProcessFeedsIt() throws Exception {
    unit.keeps = false;
    var dog = process(10);
    assertThat(dog.opened()).isEqualTo(Opened.BY_US_ALONE);
    unit.asked.await();
    assertThat(dog.opened()).isEqualTo(Opened.BY_US_ALONE);
    int fed = kernel.fed;
    ends();
    assertThat(kernel.fed).isEqualTo(fed + 1);
    for (int i = 0; i < 3; i++) {
      process(10);
      ends();
    }
    assertThat(kernel.fed).isEqualTo(fed + 1);
  }

  @Test
  void nobodyReliesOnOneThatIsSwitchedOffWhenItIsClosed() throws Exception {
    kernel.goesOn = false;
    var dog = process(10);
    dog.feed();
    assertThat(unit.asked.getCount()).as("nobody is asked to keep it").isEqualTo(1);
    assertThat(dog.opened()).isEqualTo(Opened.NOT);
  }

  @Test
  void whatAnotherProgramHoldsIsOpenedOnceItIsFreeWithTheTimeoutThatItLeft() throws Exception {
    int theirs = kernel.open(DEVICE); // systemd's RuntimeWatchdogSec
    kernel.timeout = Duration.ofSeconds(10);
    var dog = process(10);
    dog.feed();
    assertThat(dog.opened()).as("they feed it").isEqualTo(Opened.NOT);
    kernel.timeout = Duration.ofSeconds(60);
    kernel.close(theirs);
    dog.feed();
    assertThat(dog.timeout()).hasSeconds(60);
    awaits(dog, Opened.KEPT);
  }

  @Test
  void whereTheKernelDoesNotSayWhetherItIsArmedTheEarlierProcessDoes() throws Exception {
    kernel.says = false;
    var first = process(10);
    awaits(first, Opened.KEPT);
    page = Optional.of(asTold(first));
    ends();
    unit.closes();
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
        .contains(new LinuxWatchdog.Facts("iTCO_wdt", Duration.ofSeconds(10), true, false));
  }
}
