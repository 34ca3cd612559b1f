package dev.haven.raft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import org.jgroups.protocols.raft.LogEntries;
import org.jgroups.protocols.raft.LogEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VoterLogTest {
  private static final int SEGMENT = 4 << 20;

  @TempDir private Path directory;
  private final List<String> halts = new ArrayList<>();

  private VoterLog open() throws IOException {
    return open(new DirectoryDisk(directory));
  }

  private VoterLog open(Disk disk) throws IOException {
    try {
      return VoterLog.open(disk, SEGMENT, new Halted.Switch((reason, cause) -> halts.add(reason)));
    } catch (IOException e) {
      disk.close();
      throw e;
    }
  }

  private static LogEntries entries(long term, String... words) {
    var entries = new LogEntries();
    for (var word : words) {
      entries.add(new LogEntry(term, word.getBytes(StandardCharsets.UTF_8)));
    }
    return entries;
  }

  private static List<String> words(VoterLog log) {
    var words = new ArrayList<String>();
    log.forEach((entry, index) -> words.add(new String(entry.command(), StandardCharsets.UTF_8)));
    return words;
  }

  private Path segment() throws IOException {
    try (var files = Files.list(directory)) {
      return files
          .filter(file -> file.getFileName().toString().startsWith("journal-"))
          .findFirst()
          .orElseThrow();
    }
  }

  /** Flips a byte of the n-th place where the text stands. */
  private static void damage(Path file, String text) throws IOException {
    var bytes = Files.readAllBytes(file);
    int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
    assertThat(at).isPositive();
    bytes[at] ^= 1;
    Files.write(file, bytes);
  }

  @Test
  void whatWasAppendedIsThereAfterARestart() throws Exception {
    try (var log = open()) {
      log.currentTerm(3);
      log.append(1, entries(2, "one", "two"));
      log.append(3, entries(3, "three"));
      log.deleteAllEntriesStartingFrom(3);
      log.append(3, entries(3, "other", "four"));
    }
    try (var log = open()) {
      assertThat(words(log)).containsExactly("one", "two", "other", "four");
      assertThat(log.currentTerm()).isEqualTo(3);
      assertThat(log.termAt(2)).isEqualTo(2);
    }
  }

  @Test
  void termAndVoteAreThereAfterARestartAndAVoteIsGivenOnce() throws Exception {
    var candidate = HavenRaft.address(new Voters.Peer("b", new UUID(1, 2)));
    var other = HavenRaft.address(new Voters.Peer("c", new UUID(3, 4)));
    try (var log = open()) {
      log.currentTerm(7);
      log.votedFor(candidate);
    }
    try (var log = open()) {
      assertThat(log.currentTerm()).isEqualTo(7);
      assertThat(log.votedFor()).isEqualTo(candidate);
      assertThatThrownBy(() -> log.votedFor(other)).isInstanceOf(Halted.class);
      assertThatThrownBy(() -> log.currentTerm(6)).isInstanceOf(Halted.class);
      assertThat(halts).hasSize(1);
    }
  }

  @Test
  void oneDamagedCopyOfTheVoteDoesNoHarm() throws Exception {
    try (var log = open()) {
      log.currentTerm(7);
      settle(log);
    }
    overwrite(directory.resolve("vote"), 20, 4);
    try (var log = open()) {
      assertThat(log.currentTerm()).isEqualTo(7);
      settle(log);
    }
    overwrite(directory.resolve("vote"), 532, 4);
    try (var log = open()) {
      assertThat(log.currentTerm()).isEqualTo(7);
    }
    overwrite(directory.resolve("vote"), 20, 4);
    overwrite(directory.resolve("vote"), 532, 4);
    assertThatThrownBy(this::open)
        .isInstanceOf(DamagedLogException.class)
        .hasMessageContaining("vote");
  }

  /** Fencing passwords and heartbeat keys are in it. */
  @Test
  void nobodyElseReadsTheLogWhateverTheUmaskAndWhateverWasThere() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    Files.writeString(directory.resolve("spare"), "of an earlier version");
    Files.setPosixFilePermissions(
        directory.resolve("spare"), PosixFilePermissions.fromString("rw-r--r--"));
    try (var log = open()) {
      log.currentTerm(1);
    }
    assertThat(Files.getPosixFilePermissions(directory))
        .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    try (var files = Files.list(directory)) {
      for (var file : files.toList()) {
        assertThat(Files.getPosixFilePermissions(file))
            .as("%s", file)
            .isEqualTo(PosixFilePermissions.fromString("rw-------"));
      }
    }
  }

  /** Some quiet seconds. */
  private static void settle(VoterLog log) {
    for (int i = 0; i < 10; i++) {
      log.copyVoteIfSettled();
    }
  }

  /** The write that was torn is one that nobody was told of. */
  @Test
  void aVoteThatIsTornLeavesTheOneBefore() throws Exception {
    for (int term = 7; term < 9; term++) {
      try (var log = open()) {
        log.currentTerm(term);
      }
      var newest = Files.readAllBytes(directory.resolve("vote"));
      try (var log = open()) {
        log.currentTerm(term + 1);
      }
      var after = Files.readAllBytes(directory.resolve("vote"));
      int at = Arrays.mismatch(newest, after);
      overwrite(directory.resolve("vote"), at, 4);
      try (var log = open()) {
        assertThat(log.currentTerm()).isEqualTo(term);
      }
    }
  }

  private static void overwrite(Path file, long at, int bytes) throws IOException {
    try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      var junk = ByteBuffer.allocate(bytes);
      while (junk.hasRemaining()) {
        junk.put((byte) 0x5a);
      }
      channel.write(junk.flip(), at);
    }
  }

  @Test
  void aTornEndIsCutOff() throws Exception {
    try (var log = open()) {
      log.currentTerm(1);
      log.append(1, entries(1, "one"));
      log.append(2, entries(1, "torn"));
    }
    damage(segment(), "torn");
    try (var log = open()) {
      assertThat(words(log)).containsExactly("one");
      log.append(2, entries(1, "two"));
    }
    try (var log = open()) {
      assertThat(words(log)).containsExactly("one", "two");
    }
  }

  @Test
  void damageBeforeTheEndIsRefusedWithRecordAndOffsetAndAWayOut() throws Exception {
    try (var log = open()) {
      log.currentTerm(1);
      log.append(1, entries(1, "one"));
      log.append(2, entries(1, "two"));
    }
    damage(segment(), "one");
    assertThatThrownBy(this::open)
        .isInstanceOf(DamagedLogException.class)
        .hasMessageContaining("journal-")
        .hasMessageContaining("record 1 at offset 64")
        .hasMessageContaining("haven voter remove");
  }

  @Test
  void anIdleLogTakesDamageToItsLastEntryForWhatItIs() throws Exception {
    try (var log = open()) {
      log.currentTerm(1);
      log.append(1, entries(1, "acknowledged"));
      log.sealIfIdle();
      log.sealIfIdle();
    }
    damage(segment(), "acknowledged");
    assertThatThrownBy(this::open).isInstanceOf(DamagedLogException.class);
  }

  @Test
  void aLogOfANewerHavenIsRefusedAsSuch() throws Exception {
    open().close();
    try (var channel = FileChannel.open(directory.resolve("identity"), StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.allocate(4).putInt(99).flip(), 8);
    }
    assertThatThrownBy(this::open)
        .hasMessageContaining("newer Haven (format 99")
        .hasMessageContaining("install the newer version");
  }

  @Test
  void aMissingIdentityBesideEntriesIsDamage() throws Exception {
    try (var log = open()) {
      log.currentTerm(1);
      log.append(1, entries(1, "one"));
    }
    Files.delete(directory.resolve("identity"));
    assertThatThrownBy(this::open).isInstanceOf(DamagedLogException.class);
  }

  @Test
  void aSnapshotReplacesTheEntriesThatItCovers() throws Exception {
    var text = "x".repeat(100_000);
    try (var log = open()) {
      log.currentTerm(1);
      for (int i = 1; i <= 100; i++) {
        log.append(i, entries(1, i + text));
      }
      log.commitIndex(90);
      assertThat(log.writeSnapshot(new VoterLog.Snapshot(90, 1, new byte[0], new byte[] {7})))
          .isTrue();
      log.compact();
    }
    try (var log = open()) {
      assertThat(log.firstAppended()).isEqualTo(91);
      assertThat(log.lastAppended()).isEqualTo(100);
      assertThat(log.commitIndex()).isEqualTo(90);
      assertThat(log.termAt(90)).isEqualTo(1);
      assertThat(log.snapshot())
          .isNotNull()
          .satisfies(s -> assertThat(s.state()).containsExactly(7));
    }
    try (var files = Files.list(directory)) {
      assertThat(files.filter(f -> f.getFileName().toString().startsWith("journal-"))).hasSize(1);
    }
  }

  @Test
  void aDamagedSnapshotIsRefused() throws Exception {
    try (var log = open()) {
      log.currentTerm(1);
      log.append(1, entries(1, "one"));
      log.commitIndex(1);
      log.writeSnapshot(
          new VoterLog.Snapshot(1, 1, new byte[0], "state".getBytes(StandardCharsets.UTF_8)));
    }
    try (var files = Files.list(directory)) {
      damage(
          files
              .filter(f -> f.getFileName().toString().startsWith("snapshot-"))
              .findAny()
              .orElseThrow(),
          "state");
    }
    assertThatThrownBy(this::open)
        .isInstanceOf(DamagedLogException.class)
        .hasMessageContaining("snapshot-");
  }

  @Test
  void aLogThatASnapshotOvertookIsDroppedOnLoad() throws Exception {
    try (var log = open()) {
      log.currentTerm(5);
      log.append(1, entries(1, "one", "two"));
      // The power goes between the snapshot and the journal's reset.
      log.writeSnapshot(new VoterLog.Snapshot(10, 5, new byte[0], new byte[0]));
    }
    try (var log = open()) {
      assertThat(log.firstAppended()).isEqualTo(11);
      assertThat(log.lastAppended()).isEqualTo(10);
      log.append(11, entries(5, "eleven"));
    }
    try (var log = open()) {
      assertThat(words(log)).containsExactly("eleven");
    }
  }

  @Test
  void twoProcessesDoNotShareALog() throws Exception {
    try (var log = open()) {
      assertThat(log.lastAppended()).isZero();
      assertThatThrownBy(this::open)
          .hasMessageContaining("another orchestrator uses this directory");
    }
  }

  @Test
  void aFullDiskRefusesCommandsButKeepsRoomForElections() throws Exception {
    var disk = new FailingDisk(new DirectoryDisk(directory));
    try (var log = open(disk)) {
      log.currentTerm(1);
      disk.full = true;
      var text = "x".repeat(200_000);
      int index = 1;
      // The first spare segment may have been laid out before the disk became full.
      while (log.takesCommand(text.length())) {
        log.append(index++, entries(1, text));
        log.makeSpare();
        assertThat(index).isLessThan(100);
      }
      assertThat(halts).isEmpty();
      assertThat(log.hasRoom(1000)).isTrue();
      log.append(index, entries(1, "no-op"));
      log.currentTerm(2);
      disk.full = false;
      log.makeSpare();
      Cluster.await(Duration.ofSeconds(10), () -> log.takesCommand(text.length()));
    }
    assertThat(halts).isEmpty();
  }

  @Test
  void anErrorOfTheDiskHaltsBeforeAnythingIsAcknowledged() throws Exception {
    var disk = new FailingDisk(new DirectoryDisk(directory));
    try (var log = open(disk)) {
      log.currentTerm(1);
      assertThat(log.hasRoom(SEGMENT)).isTrue(); // nothing is written in the background any more
      disk.broken = true;
      assertThatThrownBy(() -> log.append(1, entries(1, "one"))).isInstanceOf(Halted.class);
      assertThat(halts).hasSize(1);
    }
  }

  /** A disk that is full, or broken. */
  private static final class FailingDisk extends FaultyDisk {
    private volatile boolean full;
    private volatile boolean broken;

    FailingDisk(Disk real) {
      super(real);
    }

    @Override
    void write(DiskFile file, long position, ByteBuffer from) throws IOException {
      if (broken) {
        throw new IOException("Input/output error");
      }
      if (full && position + from.remaining() > file.size()) {
        throw new IOException("No space left on device");
      }
      super.write(file, position, from);
    }
  }
}
