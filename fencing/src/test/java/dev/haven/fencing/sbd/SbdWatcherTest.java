package dev.haven.fencing.sbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.fencing.sbd.SbdDisks.Told;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With ClusterLabs' sbd on the other side of the disk. */
final class SbdWatcherTest {
  private static final Duration WITHIN = Duration.ofSeconds(10);

  /** The watchdog of the host whose watcher this is. */
  private static final Duration RESETS = Duration.ofSeconds(4);

  @TempDir Path folder;
  private final List<LoopDisk> disks = new ArrayList<>();

  private static final class Heard implements SbdWatcher.Listener {
    final BlockingQueue<String> all = new LinkedBlockingQueue<>();

    @Override
    public void killed(SbdMessage message, String from, Path disk) {
      all.add(message + " from " + from);
    }

    @Override
    public void told(String message, Path disk) {
      all.add("told " + message);
    }

    @Override
    public void trouble(Path disk, String reason) {
      all.add(reason.isEmpty() ? "mended" : "trouble");
    }

    void expect(String expected) throws InterruptedException {
      assertThat(all.poll(20, TimeUnit.SECONDS)).isEqualTo(expected);
    }
  }

  @BeforeEach
  void needsLoopDisks() {
    assumeTrue(LoopDisk.possible(), "needs root and the package sbd");
  }

  @AfterEach
  void detach() throws Exception {
    for (var disk : disks) {
      disk.close();
    }
  }

  private LoopDisk disk() throws Exception {
    var disk = new LoopDisk(folder.resolve("disk" + disks.size()));
    disks.add(disk);
    return disk;
  }

  private List<Path> paths() {
    return disks.stream().map(LoopDisk::path).toList();
  }

  @Test
  void whatSbdWritesReachesTheWatcher() throws Exception {
    var disk = disk().create("3", "8");
    disk.sbd("allocate", "other");
    disk.sbd("allocate", "host-a");
    var heard = new Heard();
    try (var watcher = watch(heard, false)) {
      assertThat(watcher.blind()).isEqualTo(Duration.ofSeconds(3));
      disk.sbd("message", "other", "reset");
      disk.sbd("message", "host-a", "test");
      assertThat(heard.all.poll(20, TimeUnit.SECONDS)).startsWith("told test from ");
      assertThat(disk.listed("host-a")).isEqualTo("host-a clear");
      disk.sbd("message", "host-a", "off");
      assertThat(heard.all.poll(20, TimeUnit.SECONDS)).startsWith("OFF from ");
      assertThat(disk.listed("host-a")).as("a pill is not taken away").startsWith("host-a off");
    }
    heard.all.clear();
    try (var _ = watch(heard, false)) {
      assertThat(heard.all.poll(20, TimeUnit.SECONDS))
          .as("one that was given before this process began, in the same boot")
          .startsWith("OFF from ");
    }
    heard.all.clear();
    try (var _ = watch(heard, true)) {
      assertThat(disk.listed("host-a")).as("meant for an earlier boot").isEqualTo("host-a clear");
    }
    assertThat(heard.all).isEmpty();
    assertThat(disk.listed("other")).startsWith("other reset");
  }

  @Test
  void aDiskThatWasReplacedUnderItsPathIsNotWatchedBecauseItsWriterMayCountTheOldOne()
      throws Exception {
    var disk = disk().create("3", "8");
    disk.sbd("allocate", "host-a");
    var heard = new Heard();
    try (var watcher = watch(heard, false)) {
      until(watcher, true);
      disk.create("3", "8"); // another UUID
      disk.sbd("allocate", "host-a");
      until(watcher, false);
    }
  }

  @Test
  void theSameDiskTwiceIsNoSecondDisk() throws Exception {
    var disk = disk().create("3", "8");
    disk.sbd("allocate", "host-a");
    var alias = Files.createSymbolicLink(folder.resolve("alias"), disk.path());
    assertThatThrownBy(
            () ->
                SbdWatcher.start(List.of(disk.path(), alias), "host-a", RESETS, false, new Heard()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("are the same one");
  }

  @Test
  void theWatchdogMustLeaveTimeToReadWithinTheWait() throws Exception {
    var disk = disk().create("3", "8");
    disk.sbd("allocate", "host-a");
    assertThatThrownBy(
            () -> SbdWatcher.start(paths(), "host-a", Duration.ofSeconds(7), false, new Heard()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("create them again with sbd -4 11"); // 7 + 1 + 3
  }

  private SbdWatcher watch(Heard heard, boolean bootedAnew) throws IOException {
    return SbdWatcher.start(paths(), "host-a", RESETS, bootedAnew, heard);
  }

  @Test
  void whatWeWriteIsWhatSbdReadsAndNothingBesideItChanges() throws Exception {
    var disk = disk().create("3", "8");
    disk.sbd("allocate", "host-a");
    disk.sbd("allocate", "host-b");
    var before = disk.bytes();
    var told =
        new SbdDisks(paths(), "HOST-B")
            .write(SbdMessage.RESET, "haven", WITHIN); // as sbd: any case
    assertThat(told.get(disk.path()))
        .usingRecursiveComparison()
        .ignoringFields("id")
        .isEqualTo(
            new Told.Mailbox(
                "", Duration.ofSeconds(3), Duration.ofSeconds(8), "reset from haven", true));
    assertThat(disk.listed("host-b")).isEqualTo("host-b reset haven");
    assertThat(disk.listed("host-a")).isEqualTo("host-a clear");
    var after = disk.bytes();
    int mailbox = 512 * (2 + 2); // of slot 1
    for (int i = 0; i < before.length; i++) {
      if (i < mailbox || i >= mailbox + 512) {
        assertThat(after[i]).as("byte %d", i).isEqualTo(before[i]);
      }
    }
  }

  @Test
  void anUnknownMessageSuchAsATornWriteLeavesIsClearedAndKillsNobody() throws Exception {
    var disk = disk().create("3", "8");
    disk.sbd("allocate", "host-a");
    try (var file = DirectFile.open(disk.path())) {
      var sector = new byte[512];
      sector[0] = 99;
      file.write(2 * 512, sector);
    }
    var heard = new Heard();
    try (var watcher = watch(heard, false)) {
      heard.expect("told an unknown message");
      until(watcher, true);
    }
  }

  @Test
  void aWatcherThatCannotReadEnoughDisksMayNotFeedTheWatchdog() throws Exception {
    for (int i = 0; i < 3; i++) {
      disk().create("3", "8").sbd("allocate", "host-a");
    }
    var heard = new Heard();
    try (var watcher = watch(heard, false)) {
      until(watcher, true);
      wipe(disks.get(0));
      heard.expect("trouble");
      until(watcher, true); // two of three are enough
      var header = wipe(disks.get(1));
      heard.expect("trouble");
      until(watcher, false);
      // A message on the two lost ones would not be seen, so the watchdog has to do it.
      write(disks.get(1), header);
      heard.expect("mended");
      until(watcher, true);
      watcher.close();
      assertThat(watcher.mayFeed()).isFalse();
    }
  }

  @Test
  void oneOfTwoDisksIsEnoughToReadBecauseBothHaveToBeWritten() throws Exception {
    disk().create("3", "8").sbd("allocate", "host-a");
    disk();
    var heard = new Heard();
    try (var watcher = watch(heard, false)) {
      until(watcher, true);
    }
    assertThat(new SbdDisks(paths(), "host-a").majority()).isEqualTo(2);
  }

  @Test
  void disksThatCannotBeWatchedAreNamedWithTheWayOut() throws Exception {
    var disk = disk();
    refused("is no sbd disk; make it one with: sbd -d " + disk.path() + " create");
    disk.create("2", "3");
    refused("less than twice that proves nothing");
    disk.create("3", "8");
    refused("has no slot host-a; make one with: sbd -d " + disk.path() + " allocate host-a");
    disk.sbd("allocate", "host-a");
    var other = disk().create("1", "9");
    other.sbd("allocate", "host-a");
    refused("keep different times");
    assertThatThrownBy(
            () ->
                SbdWatcher.start(
                    List.of(Path.of("/nowhere/disk")), "host-a", RESETS, false, new Heard()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot open /nowhere/disk: No such file");
  }

  private void refused(String reason) {
    assertThatThrownBy(() -> watch(new Heard(), false).close())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(reason);
  }

  /** Returns what was there. */
  private static byte[] wipe(LoopDisk disk) throws IOException {
    try (var file = DirectFile.open(disk.path())) {
      var header = file.read(0, 512);
      file.write(0, new byte[512]);
      return header;
    }
  }

  private static void write(LoopDisk disk, byte[] header) throws IOException {
    try (var file = DirectFile.open(disk.path())) {
      file.write(0, header);
    }
  }

  private static void until(SbdWatcher watcher, boolean mayFeed) throws InterruptedException {
    var deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
    while (watcher.mayFeed() != mayFeed) {
      assertThat(System.nanoTime()).as("it may feed: %s", mayFeed).isLessThan(deadline);
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}
