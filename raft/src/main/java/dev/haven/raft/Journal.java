package dev.haven.raft;

import static dev.haven.raft.LogFiles.FORMAT;
import static dev.haven.raft.LogFiles.JOURNAL;
import static dev.haven.raft.LogFiles.SPARE;
import static dev.haven.raft.LogFiles.checkFormat;
import static dev.haven.raft.LogFiles.crc;
import static dev.haven.raft.LogFiles.isFull;
import static dev.haven.raft.LogFiles.name;
import static dev.haven.raft.LogFiles.readAll;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The journal of a voter's log: a sequence of frames in segments of one size, numbered without
 * gaps. One frame is one write and one fsync, and the next is written only after that, so a frame
 * that does not check is the torn end of an append that nobody was told of if it is the last one,
 * and damage if a whole frame follows. An idle journal is sealed with an empty frame, which leaves
 * no acknowledged frame at the end where damage would pass for tearing. Nothing is overwritten.
 *
 * <p>What a frame says is its owner's business, except for {@link #SEAL}. A method that cannot
 * write what it must halts the voter.
 */
final class Journal {
  /** The kind of the frame that seals an idle journal. It has no payload. */
  static final byte SEAL = 4;

  private static final Logger log = LoggerFactory.getLogger(Journal.class);

  private static final long MAGIC = 0x484156454e4c4f47L; // HAVENLOG
  private static final int FRAME_MAGIC = 0x48564652; // HVFR
  private static final int HEADER = 64;
  static final int FRAME_HEADER = 24;
  private static final long HALTED_CLOSE_NANOS = 2_000_000_000L;

  /** A disk that needs longer for a segment holds up heartbeats: better refuse a few commands. */
  private static final long SPACE_PATIENCE = TimeUnit.MILLISECONDS.toNanos(200);

  private record Segment(String name, long firstFrame, Disk.DiskFile file) {}

  /** Where a frame stands, for messages to people. */
  record Place(String where, String file, long frame, long offset) {}

  /** Takes in, frame by frame, what the journal had when it was opened. */
  interface Reader {
    /** What was read so far does not count: earlier segments are gone, or were remains. */
    void restart();

    /**
     * The next frame.
     *
     * @return the highest index of an entry that it speaks of, 0 if it speaks of none
     * @throws IOException if it does not fit what came before
     */
    long frame(byte kind, ByteBuffer payload, Place place) throws IOException;
  }

  private final Disk disk;
  private final UUID id;
  private final int segmentBytes;
  private final Halted.Switch halt;
  private final Reader reader;

  private final List<Segment> segments = new ArrayList<>();

  /** For each segment before the last, the highest index that one of its frames speaks of. */
  private final List<Long> highest = new ArrayList<>();

  private long highestInLast;
  private long position;
  private long nextFrame = 1;
  private boolean sealed = true;
  private long frameAtLastCall;

  private enum Space {
    READY,
    MAKING,
    NONE
  }

  private final Object spaceLock = new Object();
  private Space spare = Space.NONE;
  private boolean closed;

  private Journal(Disk disk, UUID id, int segmentBytes, Halted.Switch halt, Reader reader) {
    this.disk = disk;
    this.id = id;
    this.segmentBytes = segmentBytes;
    this.halt = halt;
    this.reader = reader;
  }

  /** An empty one. */
  static Journal create(Disk disk, UUID id, int segmentBytes, Halted.Switch halt, Reader reader)
      throws IOException {
    var made = new Journal(disk, id, segmentBytes, halt, reader);
    made.layOut(SPARE);
    made.startSegment();
    return made;
  }

  /**
   * The one that is there.
   *
   * @throws DamagedLogException if it is not what was written
   */
  static Journal load(
      Disk disk, List<String> names, UUID id, int segmentBytes, Halted.Switch halt, Reader reader)
      throws IOException {
    var loaded = new Journal(disk, id, segmentBytes, halt, reader);
    loaded.load(names);
    return loaded;
  }

  /** Whether a file that looks like a segment has any frame. */
  static boolean hasFrames(Disk disk, String name) throws IOException {
    try (var file = disk.open(name)) {
      if (file.size() < HEADER + FRAME_HEADER) {
        return false;
      }
      var start = ByteBuffer.allocate(FRAME_HEADER);
      file.read(HEADER, start);
      return start.getInt(0) == FRAME_MAGIC;
    }
  }

  private void load(List<String> names) throws IOException {
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
      if (file.size() < HEADER) {
        throw new DamagedLogException(disk.where(), name, "too short");
      }
    }
    var all = readAll(disk, file, name, file.size());
    checkFormat(disk, name, all.getLong(0) == MAGIC, all.getInt(8));
    if (all.getInt(HEADER - 4) != crc(all.array(), 0, HEADER - 4)) {
      throw new DamagedLogException(disk.where(), name, "checksum of the header does not fit");
    }
    if (!id.equals(new UUID(all.getLong(16), all.getLong(24)))) {
      throw new DamagedLogException(disk.where(), name, "belongs to another log");
    }
    long firstFrame = all.getLong(32);
    if (segments.isEmpty() && firstFrame > 1) {
      reader.restart(); // earlier segments were compacted away
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
    position = HEADER;
    while (position + FRAME_HEADER <= all.limit()) {
      int length = frameLength(all, (int) position, nextFrame);
      if (length < 0) {
        break;
      }
      highestInLast =
          Math.max(
              highestInLast,
              reader.frame(
                  all.get((int) position + 16),
                  all.slice((int) position + FRAME_HEADER, length),
                  new Place(disk.where(), name, nextFrame, position)));
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
    reader.restart();
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

  // ---- writing

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
    var header = ByteBuffer.allocate(HEADER);
    header.putLong(MAGIC).putInt(FORMAT).putInt(0);
    header.putLong(id.getMostSignificantBits()).putLong(id.getLeastSignificantBits());
    header.putLong(nextFrame);
    header.putInt(HEADER - 4, crc(header.array(), 0, HEADER - 4));
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
    position = HEADER;
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

  /**
   * Puts a frame on the disk.
   *
   * @param upTo the highest index of an entry that it speaks of, 0 if it speaks of none
   */
  void write(byte kind, ByteBuffer payload, long upTo) {
    highestInLast = Math.max(highestInLast, upTo);
    try {
      int length = payload.remaining();
      int whole = aligned(FRAME_HEADER + length);
      if (position + whole > segmentBytes) {
        nextSegment();
        highestInLast = upTo;
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
    } catch (IOException e) {
      throw halt.now(disk.where() + ": writing the journal failed", e);
    }
  }

  /** Marks everything so far as acknowledged, if nothing was written since the last call. */
  void sealIfIdle() {
    if (!sealed && nextFrame == frameAtLastCall) {
      write(SEAL, ByteBuffer.allocate(0), 0);
    }
    frameAtLastCall = nextFrame;
  }

  /** Deletes the segments that speak of no entry after this one. */
  void compact(long covered) {
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

  /** The first segment's name, for messages to people. */
  String firstFile() {
    return segments.getFirst().name();
  }

  long sizeInBytes() {
    return (segments.size() - 1L) * segmentBytes + position;
  }

  void close() throws IOException {
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
  }

  private static int aligned(int bytes) {
    return (bytes + 7) & ~7;
  }
}
