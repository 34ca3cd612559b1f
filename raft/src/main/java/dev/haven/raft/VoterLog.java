package dev.haven.raft;

import static dev.haven.raft.LogFiles.FORMAT;
import static dev.haven.raft.LogFiles.IDENTITY;
import static dev.haven.raft.LogFiles.JOURNAL;
import static dev.haven.raft.LogFiles.SNAPSHOT;
import static dev.haven.raft.LogFiles.SPARE;
import static dev.haven.raft.LogFiles.TEMPORARY;
import static dev.haven.raft.LogFiles.VOTE;
import static dev.haven.raft.LogFiles.checkFormat;
import static dev.haven.raft.LogFiles.crc;
import static dev.haven.raft.LogFiles.readAll;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.function.ObjLongConsumer;
import org.jgroups.Address;
import org.jgroups.protocols.raft.Log;
import org.jgroups.protocols.raft.LogEntries;
import org.jgroups.protocols.raft.LogEntry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A voter's log on its disk. What a method of this class has returned from is on the disk (fsync),
 * and a method that cannot keep that halts the voter.
 *
 * <pre>
 *   identity            the log's id, written last when a log is made
 *   vote                term and vote, and the ones before; after some seconds the same twice
 *   journal-SEQUENCE    segments of one size, laid out with zeros beforehand, only ever appended to
 *   spare               the next segment, laid out but not yet in use
 *   snapshot-INDEX      the whole state up to an entry; made under another name and renamed
 *   aside-NUMBER        there while the files of a log that no longer counts are given other names
 *   old-NUMBER-…        such a log; the last of them, and the two before, are never deleted here
 * </pre>
 *
 * Each kind of file has a class of its own: {@link VoteFile}, {@link Journal}, {@link Snapshots}
 * and {@link OldLogs}. The entries are in memory too, from the snapshot on. That entries were
 * dropped is a frame of the journal like any other.
 *
 * <p>Used by the Raft thread alone, except where a method says otherwise.
 */
final class VoterLog implements Log {
  private static final Logger log = LoggerFactory.getLogger(VoterLog.class);

  private static final long IDENTITY_MAGIC = 0x484156454e494431L; // HAVENID1

  private static final int ENTRY_HEADER = 13;

  private static final byte ENTRIES = 1;
  private static final byte TRUNCATE = 2;
  private static final byte RESET = 3;

  /** The other voter's host is about to be fenced by this one alone, under this boot. */
  private static final byte INTENT = 5;

  /** What follows is of a generation that was begun without a quorum. */
  private static final byte GENERATION = 6;

  /**
   * Entries kept in memory below the snapshot, so that a voter a little behind needs no snapshot.
   */
  private static final int KEPT = 2000;

  /** Room that only entries of the log's own use: a full disk must not stop elections. */
  static final int RESERVE = 256 << 10;

  /** How a snapshot looks in memory. */
  record Snapshot(long index, long term, byte[] voters, byte[] state) {}

  private final Disk disk;
  private final Halted.Switch halt;
  private final OldLogs oldLogs;
  private final UUID id;
  private final VoteFile votes;
  private final Snapshots snapshots;
  private final Journal journal;

  /** Entries first .. first + entries.size() - 1; beforeFirst is the term of first - 1. */
  private final List<LogEntry> entries = new ArrayList<>();

  private long first = 1;
  private long beforeFirst;
  private long commitIndex;
  private Optional<String> intent = Optional.empty();
  private long generation;

  private VoterLog(Disk disk, int segmentBytes, Halted.Switch halt, OldLogs oldLogs)
      throws IOException {
    this.disk = disk;
    this.halt = halt;
    this.oldLogs = oldLogs;
    var names = disk.list();
    if (names.contains(IDENTITY)) {
      id = loadIdentity(disk);
      votes = VoteFile.load(disk, halt);
      for (var name : names) {
        if (name.endsWith(TEMPORARY) || name.equals(SPARE)) {
          disk.delete(name);
        }
      }
      snapshots = Snapshots.load(disk, names, halt);
      journal = Journal.load(disk, names, id, segmentBytes, halt, new Replay());
    } else {
      clear(disk, names);
      id = UUID.randomUUID();
      votes = VoteFile.create(disk, halt);
      snapshots = Snapshots.none(disk, halt);
      journal = Journal.create(disk, id, segmentBytes, halt, new Replay());
      writeIdentity(disk, id);
      log.info("{}: a new log, {}", disk.where(), id);
    }
  }

  /**
   * Opens the log of this disk, or makes one on a disk that has none.
   *
   * @param segmentBytes 4 MiB to 1 GiB
   * @throws DamagedLogException if what is there is not what was written
   */
  static VoterLog open(Disk disk, int segmentBytes, Halted.Switch halt) throws IOException {
    if (segmentBytes < 4 << 20 || segmentBytes > 1 << 30) {
      throw new IllegalArgumentException("segments of %d bytes".formatted(segmentBytes));
    }
    var oldLogs = new OldLogs(disk, halt);
    oldLogs.putAsideWhatIsMarked();
    var opened = new VoterLog(disk, segmentBytes, halt, oldLogs);
    opened.fitToSnapshot();
    opened.commitIndex = opened.snapshots.index();
    if (opened.lastTerm() > opened.votes.term()) {
      throw new DamagedLogException(
          disk.where(),
          VOTE,
          "says term %d, but the last entry is of term %d"
              .formatted(opened.votes.term(), opened.lastTerm()));
    }
    opened.makeSpare();
    return opened;
  }

  // ---- making and loading

  /** At the next start this log is not there any more, but under other names. */
  void setAside() {
    oldLogs.setAside();
  }

  /** Whether a log of this voter was set aside, and nobody has moved it away since. */
  boolean wasSetAside() {
    return oldLogs.wasSetAside();
  }

  /**
   * Deletes the remains of a start that never got as far as having an identity, and nothing else.
   */
  private static void clear(Disk disk, List<String> names) throws IOException {
    for (var name : names) {
      if (name.startsWith(SNAPSHOT) && !name.endsWith(TEMPORARY)) {
        throw new DamagedLogException(disk.where(), IDENTITY, "missing, but there is a " + name);
      }
      if (name.startsWith(JOURNAL) && Journal.hasFrames(disk, name)) {
        throw new DamagedLogException(
            disk.where(), IDENTITY, "missing, but " + name + " has entries");
      }
    }
    for (var name : names) {
      if (name.startsWith(JOURNAL) || name.equals(SPARE) || name.equals(VOTE)) {
        disk.delete(name);
      }
    }
  }

  /** Written last: with it the log is there. */
  private static void writeIdentity(Disk disk, UUID id) throws IOException {
    var file = disk.open(IDENTITY + TEMPORARY);
    var buffer = ByteBuffer.allocate(32);
    buffer.putLong(IDENTITY_MAGIC).putInt(FORMAT).putInt(0);
    buffer.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
    var whole = ByteBuffer.allocate(36).put(buffer.flip()).putInt(crc(buffer.array(), 0, 32));
    file.write(0, whole.flip());
    file.sync();
    file.close();
    disk.rename(IDENTITY + TEMPORARY, IDENTITY);
    disk.syncDirectory();
  }

  private static UUID loadIdentity(Disk disk) throws IOException {
    try (var file = disk.open(IDENTITY)) {
      var buffer = readAll(disk, file, IDENTITY, 36);
      checkFormat(disk, IDENTITY, buffer.getLong(0) == IDENTITY_MAGIC, buffer.getInt(8));
      if (buffer.getInt(32) != crc(buffer.array(), 0, 32)) {
        throw new DamagedLogException(disk.where(), IDENTITY, "checksum does not fit");
      }
      return new UUID(buffer.getLong(16), buffer.getLong(24));
    }
  }

  /** What the journal had when it was opened, as entries in memory. */
  private final class Replay implements Journal.Reader {
    @Override
    public void restart() {
      entries.clear();
      first = 0; // whatever comes first
      beforeFirst = 0;
    }

    @Override
    public long frame(byte kind, ByteBuffer payload, Journal.Place place) throws IOException {
      if (kind != Journal.SEAL) {
        intent = Optional.empty();
      }
      switch (kind) {
        case ENTRIES -> {
          return entries(payload, place);
        }
        case TRUNCATE -> {
          long from = payload.getLong();
          if (first == 0 || from <= first) {
            entries.clear();
            first = first == 0 ? 0 : from;
          } else if (from <= lastAppended()) {
            entries.subList((int) (from - first), entries.size()).clear();
          }
          return from;
        }
        case RESET -> {
          long index = payload.getLong();
          entries.clear();
          first = index + 1;
          beforeFirst = payload.getLong();
          return index;
        }
        case Journal.SEAL -> {}
        case INTENT -> intent = Optional.of(StandardCharsets.UTF_8.decode(payload).toString());
        case GENERATION -> generation = payload.getLong();
        default ->
            throw new IOException(
                "%s/%s: record %d at offset %d is of kind %d, which this Haven does not know; install the newer version again"
                    .formatted(place.where(), place.file(), place.frame(), place.offset(), kind));
      }
      return 0;
    }

    private long entries(ByteBuffer payload, Journal.Place place) throws IOException {
      long index = payload.getLong();
      int count = payload.getInt();
      if (entries.isEmpty() && first == 0) {
        first = index;
      }
      if (index != lastAppended() + 1) {
        throw new DamagedLogException(
            place.where(),
            place.file(),
            "record %d at offset %d begins with entry %d, expected %d"
                .formatted(place.frame(), place.offset(), index, lastAppended() + 1));
      }
      for (int i = 0; i < count; i++) {
        entries.add(readEntry(payload));
      }
      return index + count - 1;
    }
  }

  private static LogEntry readEntry(ByteBuffer from) {
    long term = from.getLong();
    boolean internal = from.get() != 0;
    var command = new byte[from.getInt()];
    from.get(command);
    return new LogEntry(term, command).internal(internal);
  }

  /** What the snapshot covers is dropped; a log that does not reach up to it is dropped whole. */
  private void fitToSnapshot() throws IOException {
    long snapshotIndex = snapshots.index();
    long snapshotTerm = snapshots.term();
    if (first == 0) {
      first = snapshotIndex + 1;
      beforeFirst = snapshotTerm;
    }
    if (first > snapshotIndex + 1) {
      throw new DamagedLogException(
          disk.where(),
          journal.firstFile(),
          "entries %d to %d are missing".formatted(snapshotIndex + 1, first - 1));
    }
    if (snapshotIndex == 0) {
      return;
    }
    boolean reaches =
        lastAppended() >= snapshotIndex
            && (snapshotIndex < first
                || get(snapshotIndex) instanceof LogEntry entry && entry.term() == snapshotTerm);
    if (reaches) {
      if (snapshotIndex >= first) {
        entries.subList(0, (int) (snapshotIndex - first + 1)).clear();
      }
      first = snapshotIndex + 1;
      beforeFirst = snapshotTerm;
    } else {
      reset(snapshotIndex, snapshotTerm);
    }
  }

  // ---- writing

  /**
   * Whether a command of this size is still taken. When not, voting and leading go on from a
   * reserve.
   */
  boolean takesCommand(int bytes) {
    return hasRoom(bytes + RESERVE);
  }

  /** Whether an append of entries of this size, all together, will find room. */
  boolean hasRoom(long bytes) {
    return journal.hasRoom(bytes);
  }

  /** Bytes that a batch of entries takes in the journal. */
  static long size(Iterable<LogEntry> batch) {
    long bytes = Journal.FRAME_HEADER + 20;
    for (var entry : batch) {
      bytes += ENTRY_HEADER + entry.length();
    }
    return bytes;
  }

  /** Tries again to lay out the next segment where there was no space; call it now and then. */
  void makeSpare() {
    journal.makeSpare();
  }

  /** Marks everything so far as acknowledged, if nothing was written since the last call. */
  void sealIfIdle() {
    journal.sealIfIdle();
  }

  private void frame(byte kind, ByteBuffer payload, long upTo) {
    journal.write(kind, payload, upTo);
    intent = Optional.empty();
  }

  /** Takes entries into memory, visible but not on the disk; {@link #flush} must follow. */
  void stage(List<LogEntry> batch) {
    entries.addAll(batch);
  }

  /** Puts on the disk what was staged, from this index on. */
  void flush(long index) {
    var batch = entries.subList((int) (index - first), entries.size());
    var payload = ByteBuffer.allocate((int) size(batch));
    payload.putLong(index).putInt(batch.size());
    for (var entry : batch) {
      payload.putLong(entry.term()).put((byte) (entry.internal() ? 1 : 0));
      payload.putInt(entry.length()).put(entry.command(), entry.offset(), entry.length());
    }
    frame(ENTRIES, payload.flip(), lastAppended());
  }

  @Override
  public long append(long index, LogEntries batch) {
    if (index != lastAppended() + 1) {
      throw halt.broken("append at %d, but the last entry is %d".formatted(index, lastAppended()));
    }
    var list = new ArrayList<LogEntry>(batch.size());
    batch.forEach(list::add);
    stage(list);
    flush(index);
    return lastAppended();
  }

  @Override
  public void deleteAllEntriesStartingFrom(long index) {
    if (index <= commitIndex) {
      throw halt.broken(
          "entries from %d were to be dropped, but %d is committed".formatted(index, commitIndex));
    }
    if (index > lastAppended()) {
      return;
    }
    entries.subList((int) (index - first), entries.size()).clear();
    frame(TRUNCATE, ByteBuffer.allocate(8).putLong(index).flip(), index);
  }

  /** Forgets all entries: the log goes on after this index, which a snapshot on the disk covers. */
  void reset(long index, long termThere) {
    entries.clear();
    first = index + 1;
    beforeFirst = termThere;
    commitIndex = Math.max(commitIndex, index);
    frame(RESET, ByteBuffer.allocate(16).putLong(index).putLong(termThere).flip(), index);
  }

  // ---- two voters alone

  /** Notes that the other voter's host is about to be fenced, under this boot of our own. */
  void intend(String boot) {
    frame(INTENT, StandardCharsets.UTF_8.encode(boot), 0);
    intent = Optional.of(boot);
  }

  /** The boot under which the last thing that this log was told is {@link #intend}. */
  Optional<String> intent() {
    return intent;
  }

  /** An empty log begins with a later generation. */
  void begin(long with) {
    frame(GENERATION, ByteBuffer.allocate(8).putLong(with).flip(), 0);
    generation = with;
  }

  long generation() {
    return generation;
  }

  // ---- term and vote

  @Override
  public long currentTerm() {
    return votes.term();
  }

  @Override
  public Log currentTerm(long newTerm) {
    votes.term(newTerm);
    return this;
  }

  @Override
  public @Nullable Address votedFor() {
    return votes.vote();
  }

  @Override
  public Log votedFor(@Nullable Address candidate) {
    votes.vote(candidate);
    return this;
  }

  /** Term and vote are written once, when this is done; nothing may be said to anyone in it. */
  void atOnce(Runnable changes) {
    votes.atOnce(changes);
  }

  /** To be called once a second, see {@link VoteFile#copyIfSettled}. */
  void copyVoteIfSettled() {
    votes.copyIfSettled();
  }

  // ---- snapshots

  /**
   * Puts a snapshot on the disk. Any thread may call this.
   *
   * @return whether it is there; not when the disk is full, and then nothing has changed
   */
  boolean writeSnapshot(Snapshot snapshot) {
    return snapshots.write(snapshot);
  }

  /** The newest snapshot, or null where there is none. */
  @Nullable Snapshot snapshot() throws IOException {
    return snapshots.newest();
  }

  long snapshotIndex() {
    return snapshots.index();
  }

  /**
   * Drops what the snapshot on the disk covers, except a tail in memory for voters a little behind.
   */
  void compact() {
    long covered = snapshots.index();
    long keepFrom = Math.min(covered + 1, Math.max(first, covered + 1 - KEPT));
    if (keepFrom > first) {
      beforeFirst = termAt(keepFrom - 1);
      entries.subList(0, (int) (keepFrom - first)).clear();
      first = keepFrom;
    }
    journal.compact(covered);
  }

  // ---- reading

  UUID id() {
    return id;
  }

  /** For messages to people. */
  String where() {
    return disk.where();
  }

  /** The term of an entry, or of the one just before the first; -1 if it is not known here. */
  long termAt(long index) {
    if (index == first - 1) {
      return beforeFirst;
    }
    var entry = get(index);
    return entry == null ? -1 : entry.term();
  }

  long lastTerm() {
    return termAt(lastAppended());
  }

  @Override
  public @Nullable LogEntry get(long index) {
    return index < first || index > lastAppended() ? null : entries.get((int) (index - first));
  }

  @Override
  public long commitIndex() {
    return commitIndex;
  }

  @Override
  public Log commitIndex(long index) {
    if (index > lastAppended()) {
      throw halt.broken(
          "%d was to be committed, but the last entry is %d".formatted(index, lastAppended()));
    }
    commitIndex = Math.max(commitIndex, index);
    return this;
  }

  @Override
  public long firstAppended() {
    return first;
  }

  @Override
  public long lastAppended() {
    return first + entries.size() - 1;
  }

  @Override
  public void forEach(ObjLongConsumer<LogEntry> function, long from, long to) {
    for (long i = Math.max(first, from); i <= Math.min(lastAppended(), to); i++) {
      function.accept(Objects.requireNonNull(get(i)), i);
    }
  }

  @Override
  public void forEach(ObjLongConsumer<LogEntry> function) {
    forEach(function, first, lastAppended());
  }

  @Override
  public long sizeInBytes() {
    return journal.sizeInBytes();
  }

  long freeBytes() {
    return disk.freeBytes();
  }

  @Override
  public void close() throws IOException {
    journal.close();
    votes.close();
    disk.close();
  }

  // ---- what the interface asks for and HavenRaft never calls

  @Override
  public void init(String name, Map<String, String> arguments) {}

  @Override
  public Log useFsync(boolean use) {
    return this; // there is no other way
  }

  @Override
  public boolean useFsync() {
    return true;
  }

  @Override
  public void delete() {
    throw new UnsupportedOperationException("a log is not deleted by its own voter");
  }

  @Override
  public void setSnapshot(ByteBuffer snapshot) {
    throw new UnsupportedOperationException("a snapshot without its index");
  }

  @Override
  public ByteBuffer getSnapshot() {
    throw new UnsupportedOperationException("a snapshot without its index");
  }

  @Override
  public void truncate(long before) {
    throw new UnsupportedOperationException("see compact");
  }

  @Override
  public void reinitializeTo(long index, LogEntry entry) {
    throw new UnsupportedOperationException("see reset");
  }
}
