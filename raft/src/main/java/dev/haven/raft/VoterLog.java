package dev.haven.raft;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.ObjLongConsumer;
import java.util.zip.CRC32C;
import org.jgroups.Address;
import org.jgroups.protocols.raft.Log;
import org.jgroups.protocols.raft.LogEntries;
import org.jgroups.protocols.raft.LogEntry;
import org.jgroups.util.ByteArrayDataInputStream;
import org.jgroups.util.ByteArrayDataOutputStream;
import org.jgroups.util.Util;
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
 * The journal is a sequence of frames, numbered without gaps. One frame is one write and one fsync,
 * and the next is written only after that, so a frame that does not check is the torn end of an
 * append that nobody was told of if it is the last one, and damage if a whole frame follows. An
 * idle log is sealed with an empty frame, which leaves no acknowledged frame at the end where
 * damage would pass for tearing. Nothing is overwritten: that entries were dropped is a frame of
 * its own.
 *
 * <p>Used by the Raft thread alone, except where a method says otherwise.
 */
final class VoterLog implements Log {
  private static final long HALTED_CLOSE_NANOS = 2_000_000_000L;

  private static final Logger log = LoggerFactory.getLogger(VoterLog.class);

  static final int FORMAT = 1;
  private static final long IDENTITY_MAGIC = 0x484156454e494431L; // HAVENID1
  private static final long SEGMENT_MAGIC = 0x484156454e4c4f47L; // HAVENLOG
  private static final long SNAPSHOT_MAGIC = 0x484156454e534e50L; // HAVENSNP
  private static final int FRAME_MAGIC = 0x48564652; // HVFR
  private static final int VOTE_MAGIC = 0x48565654; // HVVT

  private static final String IDENTITY = "identity";
  private static final String VOTE = "vote";
  private static final String SPARE = "spare";
  private static final String JOURNAL = "journal-";
  private static final String SNAPSHOT = "snapshot-";
  private static final String TEMPORARY = ".new";
  private static final String ASIDE = "aside-";
  private static final String OLD = "old-";

  private static final int KEPT_OLD = 3;

  private static final int SEGMENT_HEADER = 64;
  private static final int FRAME_HEADER = 24;
  private static final int ENTRY_HEADER = 13;
  private static final int VOTE_SLOT = 512;
  private static final int VOTE_SETTLED_SECONDS = 5;

  private static final byte ENTRIES = 1;
  private static final byte TRUNCATE = 2;
  private static final byte RESET = 3;
  private static final byte SEAL = 4;

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

  /** A disk that needs longer for a segment holds up heartbeats: better refuse a few commands. */
  private static final long SPACE_PATIENCE = TimeUnit.MILLISECONDS.toNanos(200);

  /** How a snapshot looks in memory. */
  record Snapshot(long index, long term, byte[] voters, byte[] state) {}

  private record Segment(String name, long firstFrame, Disk.DiskFile file) {}

  private final Disk disk;
  private final int segmentBytes;
  private final Halted.Switch halt;

  private UUID id = new UUID(0, 0);
  private long term;
  private @Nullable Address vote;

  /** What was written last, as long as only one copy of it is on the disk. */
  private @Nullable ByteBuffer lastVote;

  /** Where the newest whole copy is: 0 or 1. */
  private int voteSlot;

  private int voteSettled;
  private boolean held;
  private boolean unsaved;
  private long voteWrites;
  private Disk.@Nullable DiskFile voteFile;

  /** Entries first .. first + entries.size() - 1; beforeFirst is the term of first - 1. */
  private final List<LogEntry> entries = new ArrayList<>();

  private long first = 1;
  private long beforeFirst;
  private long commitIndex;
  private Optional<String> intent = Optional.empty();
  private long generation;

  private final List<Segment> segments = new ArrayList<>();

  /** For each segment before the last, the highest index that one of its frames speaks of. */
  private final List<Long> highest = new ArrayList<>();

  private long highestInLast;
  private long position;
  private long nextFrame = 1;
  private boolean sealed = true;
  private long frameAtLastCall;

  private volatile long snapshotIndex;
  private volatile long snapshotTerm;
  private final Object snapshotLock = new Object();

  private enum Space {
    READY,
    MAKING,
    NONE
  }

  private final Object spaceLock = new Object();
  private Space spare = Space.NONE;
  private boolean closed;

  private VoterLog(Disk disk, int segmentBytes, Halted.Switch halt) {
    this.disk = disk;
    this.segmentBytes = segmentBytes;
    this.halt = halt;
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
    var opened = new VoterLog(disk, segmentBytes, halt);
    var names = disk.list();
    for (var name : names) {
      if (name.startsWith(ASIDE)) {
        putAside(disk, name);
      }
    }
    names = disk.list();
    if (names.contains(IDENTITY)) {
      opened.load(names);
    } else {
      opened.create(names);
    }
    opened.makeSpare();
    return opened;
  }

  // ---- making and loading

  /** At the next start this log is not there any more, but under other names. */
  void setAside() {
    try {
      disk.open(ASIDE + (lastOld(disk) + 1)).close();
      disk.syncDirectory();
    } catch (IOException e) {
      throw halt.now(disk.where() + ": setting the log aside failed", e);
    }
  }

  /** Whether a log of this voter was set aside, and nobody has moved it away since. */
  boolean wasSetAside() {
    try {
      return lastOld(disk) > 0;
    } catch (IOException e) {
      throw halt.now(disk.where() + ": the directory cannot be read", e);
    }
  }

  /** The number of the last log that was set aside, 0 if there is none. */
  private static long lastOld(Disk disk) throws IOException {
    long last = 0;
    for (var name : disk.list()) {
      last = Math.max(last, oldNumber(name));
    }
    return last;
  }

  /** 0 for the name of another file. */
  private static long oldNumber(String name) {
    int end = name.indexOf('-', OLD.length());
    if (!name.startsWith(OLD) || end < 0) {
      return 0;
    }
    try {
      return Long.parseLong(name.substring(OLD.length(), end));
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  /** May be interrupted anywhere: it goes on with the next start. */
  private static void putAside(Disk disk, String marker) throws IOException {
    long number;
    try {
      number = Long.parseLong(marker.substring(ASIDE.length()));
    } catch (NumberFormatException e) {
      throw new DamagedLogException(disk.where(), marker, "is no file of Haven's; move it away");
    }
    for (var name : disk.list()) {
      if (name.equals(IDENTITY)
          || name.equals(VOTE)
          || name.startsWith(JOURNAL)
          || name.startsWith(SNAPSHOT)) {
        disk.rename(name, OLD + number + "-" + name);
      } else if (oldNumber(name) > 0 && oldNumber(name) <= number - KEPT_OLD) {
        disk.delete(name);
      }
    }
    disk.syncDirectory();
    disk.delete(marker);
    disk.syncDirectory();
    log.warn("{}: the former log is kept as {}{}-*", disk.where(), OLD, number);
  }

  private void create(List<String> names) throws IOException {
    for (var name : names) {
      if (name.startsWith(SNAPSHOT) && !name.endsWith(TEMPORARY)) {
        throw new DamagedLogException(disk.where(), IDENTITY, "missing, but there is a " + name);
      }
      if (name.startsWith(JOURNAL) && hasFrames(name)) {
        throw new DamagedLogException(
            disk.where(), IDENTITY, "missing, but " + name + " has entries");
      }
    }
    for (var name : names) {
      if (name.startsWith(JOURNAL) || name.equals(SPARE) || name.equals(VOTE)) {
        disk.delete(name); // left by a start that never got as far as having an identity
      }
    }
    id = UUID.randomUUID();
    voteFile = disk.open(VOTE);
    writeVote();
    copyVote();
    layOut(SPARE);
    startSegment();
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
    log.info("{}: a new log, {}", disk.where(), id);
  }

  private boolean hasFrames(String name) throws IOException {
    try (var file = disk.open(name)) {
      if (file.size() < SEGMENT_HEADER + FRAME_HEADER) {
        return false;
      }
      var start = ByteBuffer.allocate(FRAME_HEADER);
      file.read(SEGMENT_HEADER, start);
      return start.getInt(0) == FRAME_MAGIC;
    }
  }

  private void load(List<String> names) throws IOException {
    loadIdentity();
    loadVote();
    for (var name : names) {
      if (name.endsWith(TEMPORARY) || name.equals(SPARE)) {
        disk.delete(name);
      }
    }
    var snapshot = loadSnapshot(names);
    if (snapshot != null) {
      snapshotIndex = snapshot.index();
      snapshotTerm = snapshot.term();
    }
    loadJournal(names);
    fitToSnapshot();
    commitIndex = snapshotIndex;
    if (lastTerm() > term) {
      throw new DamagedLogException(
          disk.where(),
          VOTE,
          "says term %d, but the last entry is of term %d".formatted(term, lastTerm()));
    }
  }

  private void loadIdentity() throws IOException {
    try (var file = disk.open(IDENTITY)) {
      var buffer = readAll(file, IDENTITY, 36);
      checkFormat(IDENTITY, buffer.getLong(0) == IDENTITY_MAGIC, buffer.getInt(8));
      if (buffer.getInt(32) != crc(buffer.array(), 0, 32)) {
        throw new DamagedLogException(disk.where(), IDENTITY, "checksum does not fit");
      }
      id = new UUID(buffer.getLong(16), buffer.getLong(24));
    }
  }

  private void checkFormat(String file, boolean magicFits, int format) throws IOException {
    if (!magicFits) {
      throw new DamagedLogException(disk.where(), file, "does not begin as Haven's files do");
    }
    if (format > FORMAT) {
      throw new IOException(
          "%s/%s: written by a newer Haven (format %d, this one knows up to %d); install the newer version again"
              .formatted(disk.where(), file, format, FORMAT));
    }
  }

  private ByteBuffer readAll(Disk.DiskFile file, String name, long bytes) throws IOException {
    if (file.size() < bytes) {
      throw new DamagedLogException(
          disk.where(), name, "%d bytes long, expected %d".formatted(file.size(), bytes));
    }
    var buffer = ByteBuffer.allocate(Math.toIntExact(bytes));
    file.read(0, buffer);
    return buffer.flip();
  }

  /** Each write goes over the older of the two copies, so the one that counts is whole. */
  private void loadVote() throws IOException {
    var file = disk.open(VOTE);
    voteFile = file;
    if (file.size() < VOTE_SLOT * 2L) {
      throw new DamagedLogException(disk.where(), VOTE, "too short");
    }
    boolean found = false;
    for (int slot = 0; slot < 2; slot++) {
      var buffer = ByteBuffer.allocate(VOTE_SLOT);
      file.read((long) slot * VOTE_SLOT, buffer);
      buffer.flip();
      int length = buffer.getInt(8);
      if (buffer.getInt(0) != VOTE_MAGIC || length < 0 || length > VOTE_SLOT - 40) {
        continue;
      }
      if (buffer.getInt(VOTE_SLOT - 4) != crc(buffer.array(), 0, VOTE_SLOT - 4)) {
        continue;
      }
      if (buffer.getInt(4) > FORMAT) {
        checkFormat(VOTE, true, buffer.getInt(4));
      }
      long writes = buffer.getLong(12);
      if (found && writes < voteWrites) {
        continue;
      }
      found = true;
      voteWrites = writes;
      term = buffer.getLong(20);
      vote = length == 0 ? null : address(buffer.array(), 28, length);
      voteSlot = slot;
      lastVote = buffer; // perhaps the other copy is older, or damaged
    }
    if (!found) {
      throw new DamagedLogException(disk.where(), VOTE, "neither copy of term and vote checks");
    }
  }

  private @Nullable Snapshot loadSnapshot(List<String> names) throws IOException {
    long newest = -1;
    for (var name : names) {
      if (name.startsWith(SNAPSHOT) && !name.endsWith(TEMPORARY)) {
        newest = Math.max(newest, number(name, SNAPSHOT));
      }
    }
    if (newest < 0) {
      return null;
    }
    for (var name : names) {
      if (name.startsWith(SNAPSHOT)
          && !name.endsWith(TEMPORARY)
          && number(name, SNAPSHOT) < newest) {
        disk.delete(name);
      }
    }
    return readSnapshot(newest);
  }

  private Snapshot readSnapshot(long index) throws IOException {
    var name = name(SNAPSHOT, index);
    try (var file = disk.open(name)) {
      var buffer = readAll(file, name, Math.max(file.size(), 40));
      checkFormat(name, buffer.getLong(0) == SNAPSHOT_MAGIC, buffer.getInt(8));
      int voters = buffer.getInt(28);
      int state = buffer.getInt(32);
      long expected = 36L + Math.max(0, voters) + Math.max(0, state) + 4;
      if (voters < 0 || state < 0 || buffer.limit() < expected) {
        throw new DamagedLogException(disk.where(), name, "too short");
      }
      int end = (int) expected - 4;
      if (buffer.getInt(end) != crc(buffer.array(), 0, end)) {
        throw new DamagedLogException(disk.where(), name, "checksum does not fit");
      }
      var members = new byte[voters];
      buffer.get(36, members);
      var content = new byte[state];
      buffer.get(36 + voters, content);
      return new Snapshot(buffer.getLong(12), buffer.getLong(20), members, content);
    }
  }

  private void loadJournal(List<String> names) throws IOException {
    var found =
        names.stream().filter(n -> n.startsWith(JOURNAL)).sorted().toList(); // fixed-width numbers
    if (found.isEmpty()) {
      throw new DamagedLogException(disk.where(), JOURNAL + "*", "no segment is there");
    }
    for (int i = 0; i < found.size(); i++) {
      loadSegment(found.get(i), i == found.size() - 1);
    }
  }

  private void loadSegment(String name, boolean last) throws IOException {
    var file = disk.open(name);
    if (file.size() < segmentBytes) {
      // Laid out in full before its name was given: shorter means another setting or damage.
      if (file.size() < SEGMENT_HEADER) {
        throw new DamagedLogException(disk.where(), name, "too short");
      }
    }
    var all = readAll(file, name, file.size());
    checkFormat(name, all.getLong(0) == SEGMENT_MAGIC, all.getInt(8));
    if (all.getInt(SEGMENT_HEADER - 4) != crc(all.array(), 0, SEGMENT_HEADER - 4)) {
      throw new DamagedLogException(disk.where(), name, "checksum of the header does not fit");
    }
    if (!id.equals(new UUID(all.getLong(16), all.getLong(24)))) {
      throw new DamagedLogException(disk.where(), name, "belongs to another log");
    }
    long firstFrame = all.getLong(32);
    if (segments.isEmpty() && firstFrame > 1) {
      first = 0; // earlier segments were compacted away: whatever comes first
    }
    if (!segments.isEmpty()) {
      if (firstFrame != nextFrame) {
        // Segments are deleted oldest first, and a power loss can bring some of them back.
        log.info("{}/{}: earlier segments are remains of a compaction", disk.where(), name);
        forgetSegments();
      } else {
        highest.add(highestInLast);
      }
    }
    segments.add(new Segment(name, firstFrame, file));
    nextFrame = firstFrame;
    highestInLast = 0;
    position = SEGMENT_HEADER;
    while (position + FRAME_HEADER <= all.limit()) {
      int length = frameLength(all, (int) position, nextFrame);
      if (length < 0) {
        break;
      }
      replay(name, all, (int) position, length);
      position += aligned(FRAME_HEADER + length);
      nextFrame++;
    }
    afterLastFrame(name, all, file, last);
  }

  private void forgetSegments() throws IOException {
    for (var segment : segments) {
      segment.file().close();
      disk.delete(segment.name());
    }
    segments.clear();
    highest.clear();
    entries.clear();
    first = 0; // whatever comes first
    beforeFirst = 0;
  }

  /** The payload's length if a whole frame of this number is there, else -1. */
  private static int frameLength(ByteBuffer all, int at, long number) {
    if (all.getInt(at) != FRAME_MAGIC) {
      return -1;
    }
    int length = all.getInt(at + 4);
    if (length < 0 || (long) at + FRAME_HEADER + length > all.limit()) {
      return -1;
    }
    if (number >= 0 && all.getLong(at + 8) != number) {
      return -1;
    }
    return all.getInt(at + 20) == frameCrc(all.array(), at, length) ? length : -1;
  }

  private static int frameCrc(byte[] bytes, int at, int length) {
    var crc = new CRC32C();
    crc.update(bytes, at, 20);
    crc.update(bytes, at + FRAME_HEADER, length);
    return (int) crc.getValue();
  }

  /**
   * Zeros must follow, or in the last segment the torn remains of one append; else it is damage.
   */
  private void afterLastFrame(String name, ByteBuffer all, Disk.DiskFile file, boolean last)
      throws IOException {
    int end = all.limit();
    while (end > position && all.get(end - 1) == 0) {
      end--;
    }
    if (end <= position) {
      return;
    }
    for (long at = position + 8; at + FRAME_HEADER <= end; at += 8) {
      if (all.getInt((int) at) == FRAME_MAGIC
          && frameLength(all, (int) at, -1) >= 0
          && all.getLong((int) at + 8) > nextFrame) {
        throw new DamagedLogException(
            disk.where(),
            name,
            "record %d at offset %d does not check, but record %d at offset %d does, so it was acknowledged"
                .formatted(nextFrame, position, all.getLong((int) at + 8), at));
      }
    }
    if (!last) {
      throw new DamagedLogException(
          disk.where(),
          name,
          "record %d at offset %d does not check, but a later segment exists"
              .formatted(nextFrame, position));
    }
    log.warn(
        "{}/{}: record {} at offset {} is incomplete: the power went while it was written; it was"
            + " never acknowledged and is cut off",
        disk.where(),
        name,
        nextFrame,
        position);
    file.write(position, ByteBuffer.allocate((int) (end - position)));
    file.sync();
  }

  private void replay(String name, ByteBuffer all, int at, int length) throws IOException {
    var payload = all.slice(at + FRAME_HEADER, length);
    if (all.get(at + 16) != SEAL) {
      intent = Optional.empty();
    }
    switch (all.get(at + 16)) {
      case ENTRIES -> {
        long index = payload.getLong();
        int count = payload.getInt();
        if (entries.isEmpty() && first == 0) {
          first = index;
        }
        if (index != lastAppended() + 1) {
          throw new DamagedLogException(
              disk.where(),
              name,
              "record %d at offset %d begins with entry %d, expected %d"
                  .formatted(nextFrame, at, index, lastAppended() + 1));
        }
        for (int i = 0; i < count; i++) {
          entries.add(readEntry(payload));
        }
        highestInLast = Math.max(highestInLast, index + count - 1);
      }
      case TRUNCATE -> {
        long from = payload.getLong();
        if (first == 0 || from <= first) {
          entries.clear();
          first = first == 0 ? 0 : from;
        } else if (from <= lastAppended()) {
          entries.subList((int) (from - first), entries.size()).clear();
        }
        highestInLast = Math.max(highestInLast, from);
      }
      case RESET -> {
        long index = payload.getLong();
        entries.clear();
        first = index + 1;
        beforeFirst = payload.getLong();
        highestInLast = Math.max(highestInLast, index);
      }
      case SEAL -> {}
      case INTENT -> intent = Optional.of(StandardCharsets.UTF_8.decode(payload).toString());
      case GENERATION -> generation = payload.getLong();
      default ->
          throw new IOException(
              "%s/%s: record %d at offset %d is of kind %d, which this Haven does not know; install the newer version again"
                  .formatted(disk.where(), name, nextFrame, at, all.get(at + 16)));
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
    if (first == 0) {
      first = snapshotIndex + 1;
      beforeFirst = snapshotTerm;
    }
    if (first > snapshotIndex + 1) {
      throw new DamagedLogException(
          disk.where(),
          segments.getFirst().name(),
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
    long needed = bytes + 1024;
    if (segmentBytes - position >= needed) {
      return true;
    }
    synchronized (spaceLock) {
      // Whether there is space shows only when the segment is laid out; that takes milliseconds.
      long end = System.nanoTime() + SPACE_PATIENCE;
      while (spare == Space.MAKING && System.nanoTime() - end < 0) {
        try {
          spaceLock.wait(10);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return false;
        }
      }
      return spare == Space.READY;
    }
  }

  /** Bytes that a batch of entries takes in the journal. */
  static long size(Iterable<LogEntry> batch) {
    long bytes = FRAME_HEADER + 20;
    for (var entry : batch) {
      bytes += ENTRY_HEADER + entry.length();
    }
    return bytes;
  }

  /** Tries again to lay out the next segment where there was no space; call it now and then. */
  void makeSpare() {
    synchronized (spaceLock) {
      if (spare != Space.NONE || closed) {
        return;
      }
      spare = Space.MAKING;
    }
    Thread.ofPlatform()
        .daemon()
        .name("haven-log-space")
        .start(
            () -> {
              var result = Space.NONE;
              try {
                layOut(SPARE);
                result = Space.READY;
              } catch (IOException e) {
                deleteSpare(e);
              } finally {
                synchronized (spaceLock) {
                  spare = result;
                  spaceLock.notifyAll();
                }
              }
            });
  }

  private void deleteSpare(IOException why) {
    synchronized (spaceLock) {
      if (closed) {
        return;
      }
    }
    if (!isFull(why)) {
      var unused = halt.now(disk.where() + ": laying out the next segment failed", why);
      return;
    }
    log.warn("{}: no space for the next segment; new commands may be refused", disk.where());
    try {
      disk.delete(SPARE);
    } catch (IOException e) {
      var unused = halt.now(disk.where() + ": deleting " + SPARE + " failed", e);
    }
  }

  static boolean isFull(IOException e) {
    var message = String.valueOf(e.getMessage());
    return message.contains("No space left") || message.contains("quota exceeded");
  }

  private void layOut(String name) throws IOException {
    disk.delete(name);
    try (var file = disk.open(name)) {
      var zeros = ByteBuffer.allocateDirect(256 << 10);
      for (long at = 0; at < segmentBytes; at += zeros.capacity()) {
        zeros.clear().limit((int) Math.min(zeros.capacity(), segmentBytes - at));
        file.write(at, zeros);
      }
      file.sync();
    }
    disk.syncDirectory();
  }

  private void startSegment() throws IOException {
    var file = disk.open(SPARE);
    var header = ByteBuffer.allocate(SEGMENT_HEADER);
    header.putLong(SEGMENT_MAGIC).putInt(FORMAT).putInt(0);
    header.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
    header.putLong(nextFrame);
    header.putInt(SEGMENT_HEADER - 4, crc(header.array(), 0, SEGMENT_HEADER - 4));
    file.write(0, header.clear());
    file.sync();
    var name = name(JOURNAL, nextFrame);
    disk.rename(SPARE, name);
    disk.syncDirectory();
    if (!segments.isEmpty()) {
      highest.add(highestInLast);
    }
    highestInLast = 0;
    segments.add(new Segment(name, nextFrame, file));
    position = SEGMENT_HEADER;
  }

  private void nextSegment() throws IOException {
    synchronized (spaceLock) {
      while (spare == Space.MAKING) {
        try {
          spaceLock.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new IOException("interrupted", e);
        }
      }
      if (spare == Space.NONE) {
        throw new IOException("no next segment, although hasRoom was asked");
      }
    }
    startSegment();
    synchronized (spaceLock) {
      spare = Space.NONE;
    }
    makeSpare();
  }

  private void frame(byte kind, ByteBuffer payload) {
    try {
      int length = payload.remaining();
      int whole = aligned(FRAME_HEADER + length);
      if (position + whole > segmentBytes) {
        nextSegment();
      }
      var frame = ByteBuffer.allocate(whole);
      frame.putInt(FRAME_MAGIC).putInt(length).putLong(nextFrame).put(kind);
      frame.position(FRAME_HEADER).put(payload).clear();
      frame.putInt(20, frameCrc(frame.array(), 0, length));
      var file = segments.getLast().file();
      file.write(position, frame);
      file.sync();
      position += whole;
      nextFrame++;
      sealed = kind == SEAL;
      if (kind != SEAL) {
        intent = Optional.empty();
      }
    } catch (IOException e) {
      throw halt.now(disk.where() + ": writing the journal failed", e);
    }
  }

  /** Marks everything so far as acknowledged, if nothing was written since the last call. */
  void sealIfIdle() {
    if (!sealed && nextFrame == frameAtLastCall) {
      frame(SEAL, ByteBuffer.allocate(0));
    }
    frameAtLastCall = nextFrame;
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
    highestInLast = Math.max(highestInLast, lastAppended());
    frame(ENTRIES, payload.flip());
    highestInLast = Math.max(highestInLast, lastAppended()); // it may have begun a new segment
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
    frame(TRUNCATE, ByteBuffer.allocate(8).putLong(index).flip());
    highestInLast = Math.max(highestInLast, index);
  }

  /** Forgets all entries: the log goes on after this index, which a snapshot on the disk covers. */
  void reset(long index, long termThere) {
    entries.clear();
    first = index + 1;
    beforeFirst = termThere;
    commitIndex = Math.max(commitIndex, index);
    frame(RESET, ByteBuffer.allocate(16).putLong(index).putLong(termThere).flip());
    highestInLast = Math.max(highestInLast, index);
  }

  // ---- two voters alone

  /** Notes that the other voter's host is about to be fenced, under this boot of our own. */
  void intend(String boot) {
    frame(INTENT, StandardCharsets.UTF_8.encode(boot));
    intent = Optional.of(boot);
  }

  /** The boot under which the last thing that this log was told is {@link #intend}. */
  Optional<String> intent() {
    return intent;
  }

  /** An empty log begins with a later generation. */
  void begin(long with) {
    frame(GENERATION, ByteBuffer.allocate(8).putLong(with).flip());
    generation = with;
  }

  long generation() {
    return generation;
  }

  // ---- term and vote

  @Override
  public long currentTerm() {
    return term;
  }

  @Override
  public Log currentTerm(long newTerm) {
    if (newTerm < term) {
      throw halt.broken("term %d was to follow term %d".formatted(newTerm, term));
    }
    if (newTerm > term) {
      term = newTerm;
      vote = null;
      saveVote();
    }
    return this;
  }

  @Override
  public @Nullable Address votedFor() {
    return vote;
  }

  @Override
  public Log votedFor(@Nullable Address candidate) {
    if (vote != null && candidate != null && !vote.equals(candidate)) {
      throw halt.broken(
          "a second vote in term %d, for %s after %s".formatted(term, candidate, vote));
    }
    if (!Objects.equals(vote, candidate)) {
      vote = candidate;
      saveVote();
    }
    return this;
  }

  /** Term and vote are written once, when this is done; nothing may be said to anyone in it. */
  void atOnce(Runnable changes) {
    held = true;
    try {
      changes.run();
    } finally {
      held = false;
    }
    if (unsaved) {
      saveVote();
    }
  }

  private void saveVote() {
    unsaved = held;
    if (held) {
      return;
    }
    try {
      writeVote();
    } catch (IOException e) {
      throw halt.now(disk.where() + ": writing term and vote failed", e);
    }
  }

  private void writeVote() throws IOException {
    voteWrites++;
    var candidate = vote == null ? new byte[0] : bytes(vote);
    var slot = ByteBuffer.allocate(VOTE_SLOT);
    slot.putInt(VOTE_MAGIC).putInt(FORMAT).putInt(candidate.length);
    slot.putLong(voteWrites).putLong(term).put(candidate);
    slot.putInt(VOTE_SLOT - 4, crc(slot.array(), 0, VOTE_SLOT - 4));
    // over the older of the two: the one that counts is whole whenever the power goes
    var file = Objects.requireNonNull(voteFile);
    file.write((1L - voteSlot) * VOTE_SLOT, slot.clear());
    file.sync();
    voteSlot = 1 - voteSlot;
    lastVote = slot;
    voteSettled = 0;
  }

  /**
   * To be called once a second: a vote that did not change for some seconds is written over the
   * older copy too, so that damage to one of them is no loss. Not at once, since a slow disk would
   * then decide elections.
   */
  void copyVoteIfSettled() {
    if (lastVote != null && ++voteSettled > VOTE_SETTLED_SECONDS) {
      try {
        copyVote();
      } catch (IOException e) {
        throw halt.now(disk.where() + ": writing term and vote failed", e);
      }
    }
  }

  private void copyVote() throws IOException {
    var file = Objects.requireNonNull(voteFile);
    file.write((1L - voteSlot) * VOTE_SLOT, Objects.requireNonNull(lastVote).clear());
    file.sync();
    lastVote = null;
  }

  // ---- snapshots

  /**
   * Puts a snapshot on the disk. Any thread may call this.
   *
   * @return whether it is there; not when the disk is full, and then nothing has changed
   */
  boolean writeSnapshot(Snapshot snapshot) {
    synchronized (snapshotLock) {
      if (snapshot.index() <= snapshotIndex) {
        return false;
      }
      var name = name(SNAPSHOT, snapshot.index());
      try {
        writeAndRename(snapshot, name);
      } catch (IOException e) {
        if (!isFull(e)) {
          throw halt.now(disk.where() + ": writing " + name + " failed", e);
        }
        log.warn("{}: no space for a snapshot; the log is not compacted", disk.where());
        try {
          disk.delete(name + TEMPORARY);
        } catch (IOException again) {
          throw halt.now(disk.where() + ": deleting " + name + TEMPORARY + " failed", again);
        }
        return false;
      }
      long older = snapshotIndex;
      snapshotTerm = snapshot.term();
      snapshotIndex = snapshot.index();
      try {
        if (older > 0) {
          disk.delete(name(SNAPSHOT, older));
        }
      } catch (IOException e) {
        throw halt.now(disk.where() + ": deleting an old snapshot failed", e);
      }
      return true;
    }
  }

  private void writeAndRename(Snapshot snapshot, String name) throws IOException {
    int length = 36 + snapshot.voters().length + snapshot.state().length;
    var buffer = ByteBuffer.allocate(length + 4);
    buffer.putLong(SNAPSHOT_MAGIC).putInt(FORMAT);
    buffer.putLong(snapshot.index()).putLong(snapshot.term());
    buffer.putInt(snapshot.voters().length).putInt(snapshot.state().length);
    buffer.put(snapshot.voters()).put(snapshot.state());
    buffer.putInt(crc(buffer.array(), 0, length));
    disk.delete(name + TEMPORARY);
    try (var file = disk.open(name + TEMPORARY)) {
      file.write(0, buffer.flip());
      file.sync();
    }
    disk.rename(name + TEMPORARY, name);
    disk.syncDirectory();
  }

  /** The newest snapshot, or null where there is none. */
  @Nullable Snapshot snapshot() throws IOException {
    synchronized (snapshotLock) {
      return snapshotIndex == 0 ? null : readSnapshot(snapshotIndex);
    }
  }

  long snapshotIndex() {
    return snapshotIndex;
  }

  /**
   * Drops what the snapshot on the disk covers, except a tail in memory for voters a little behind.
   */
  void compact() {
    long covered = snapshotIndex;
    long keepFrom = Math.min(covered + 1, Math.max(first, covered + 1 - KEPT));
    if (keepFrom > first) {
      beforeFirst = termAt(keepFrom - 1);
      entries.subList(0, (int) (keepFrom - first)).clear();
      first = keepFrom;
    }
    try {
      while (!highest.isEmpty() && highest.getFirst() <= covered) {
        var segment = segments.removeFirst();
        highest.removeFirst();
        segment.file().close();
        disk.delete(segment.name());
      }
    } catch (IOException e) {
      throw halt.now(disk.where() + ": deleting an old segment failed", e);
    }
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
    return (segments.size() - 1L) * segmentBytes + position;
  }

  long freeBytes() {
    return disk.freeBytes();
  }

  @Override
  public void close() throws IOException {
    synchronized (spaceLock) {
      closed = true;
      // once halted the disk may hang: it gets a moment, so that nothing is written after the end
      long deadline = System.nanoTime() + HALTED_CLOSE_NANOS;
      while (spare == Space.MAKING && !(halt.isHalted() && System.nanoTime() - deadline >= 0)) {
        try {
          spaceLock.wait(100);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          break;
        }
      }
    }
    for (var segment : segments) {
      segment.file().close();
    }
    if (voteFile != null) {
      voteFile.close();
    }
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

  // ---- bytes

  private static String name(String prefix, long number) {
    return "%s%019d".formatted(prefix, number);
  }

  private long number(String name, String prefix) throws IOException {
    try {
      return Long.parseLong(name.substring(prefix.length()));
    } catch (NumberFormatException e) {
      throw new DamagedLogException(disk.where(), name, "is no file of Haven's; move it away");
    }
  }

  private static int aligned(int bytes) {
    return (bytes + 7) & ~7;
  }

  private static int crc(byte[] bytes, int from, int length) {
    var crc = new CRC32C();
    crc.update(bytes, from, length);
    return (int) crc.getValue();
  }

  private static byte[] bytes(Address address) throws IOException {
    var out = new ByteArrayDataOutputStream(128);
    Util.writeAddress(address, out);
    return Arrays.copyOf(out.buffer(), out.position());
  }

  private static Address address(byte[] from, int offset, int length) throws IOException {
    try {
      return Util.readAddress(new ByteArrayDataInputStream(from, offset, length));
    } catch (ClassNotFoundException e) {
      throw new IOException(e);
    }
  }
}
