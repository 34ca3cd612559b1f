package dev.haven.fencing.sbd;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.fencing.sbd.SbdDisks.Told;
import java.io.IOException;
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
    var disk = disk().create();
    disk.sbd("allocate", "other");
    disk.sbd("allocate", "host-a");
    var heard = new Heard();
    try (var watcher = SbdWatcher.start(paths(), "host-a", heard)) {
      assertThat(watcher.watchdog()).isEqualTo(Duration.ofSeconds(1));
      disk.sbd("message", "other", "reset");
      disk.sbd("message", "host-a", "test");
      assertThat(heard.all.poll(20, TimeUnit.SECONDS)).startsWith("told test from ");
      assertThat(disk.listed("host-a")).isEqualTo("host-a clear");
      disk.sbd("message", "host-a", "off");
      assertThat(heard.all.poll(20, TimeUnit.SECONDS)).startsWith("OFF from ");
      assertThat(disk.listed("host-a")).as("a pill is not taken away").startsWith("host-a off");
      watcher.empty();
      assertThat(disk.listed("host-a")).isEqualTo("host-a clear");
    }
    assertThat(disk.listed("other")).startsWith("other reset");
  }

  @Test
  void whatWeWriteIsWhatSbdReadsAndNothingBesideItChanges() throws Exception {
    var disk = disk().create();
    disk.sbd("allocate", "host-a");
    disk.sbd("allocate", "host-b");
    var before = disk.bytes();
    var told =
        new SbdDisks(paths(), "HOST-B")
            .write(SbdMessage.RESET, "haven", WITHIN); // as sbd: any case
    assertThat(told.get(disk.path()))
        .isEqualTo(
            new Told.Mailbox(
                Duration.ofSeconds(1), Duration.ofSeconds(2), "reset from haven", true));
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
    var disk = disk().create();
    disk.sbd("allocate", "host-a");
    try (var file = DirectFile.open(disk.path())) {
      var sector = new byte[512];
      sector[0] = 99;
      file.write(2 * 512, sector);
    }
    var heard = new Heard();
    try (var watcher = SbdWatcher.start(paths(), "host-a", heard)) {
      heard.expect("told an unknown message");
      assertThat(watcher.mayFeed()).isTrue();
    }
  }

  @Test
  void aWatcherThatCannotReadEnoughDisksMayNotFeedTheWatchdog() throws Exception {
    for (int i = 0; i < 3; i++) {
      disk().create().sbd("allocate", "host-a");
    }
    var heard = new Heard();
    try (var watcher = SbdWatcher.start(paths(), "host-a", heard)) {
      until(watcher, true);
      wipe(disks.get(0));
      heard.expect("trouble");
      until(watcher, true); // two of three are enough
      wipe(disks.get(1));
      heard.expect("trouble");
      until(watcher, false);
      // A message on the two lost ones would not be seen, so the watchdog has to do it.
      disks.get(1).create();
      disks.get(1).sbd("allocate", "host-a");
      heard.expect("mended");
      until(watcher, true);
      watcher.close();
      assertThat(watcher.mayFeed()).isFalse();
    }
  }

  @Test
  void oneOfTwoDisksIsEnoughToReadBecauseBothHaveToBeWritten() throws Exception {
    disk().create().sbd("allocate", "host-a");
    disk();
    var heard = new Heard();
    try (var watcher = SbdWatcher.start(paths(), "host-a", heard)) {
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
    disk.create();
    refused("has no slot host-a; make one with: sbd -d " + disk.path() + " allocate host-a");
    disk.sbd("allocate", "host-a");
    var other = disk().create("1", "8");
    other.sbd("allocate", "host-a");
    refused("keep different times");
    assertThatThrownBy(
            () -> SbdWatcher.start(List.of(Path.of("/nowhere/disk")), "host-a", new Heard()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("cannot open /nowhere/disk: No such file");
  }

  private void refused(String reason) {
    assertThatThrownBy(() -> SbdWatcher.start(paths(), "host-a", new Heard()).close())
        .isInstanceOf(IOException.class)
        .hasMessageContaining(reason);
  }

  private static void wipe(LoopDisk disk) throws IOException {
    try (var file = DirectFile.open(disk.path())) {
      file.write(0, new byte[512]);
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
