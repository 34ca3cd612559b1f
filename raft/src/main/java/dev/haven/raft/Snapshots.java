package dev.haven.raft;

import static dev.haven.raft.LogFiles.FORMAT;
import static dev.haven.raft.LogFiles.SNAPSHOT;
import static dev.haven.raft.LogFiles.TEMPORARY;
import static dev.haven.raft.LogFiles.checkFormat;
import static dev.haven.raft.LogFiles.crc;
import static dev.haven.raft.LogFiles.isFull;
import static dev.haven.raft.LogFiles.name;
import static dev.haven.raft.LogFiles.number;
import static dev.haven.raft.LogFiles.readAll;

import dev.haven.raft.VoterLog.Snapshot;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The snapshot of a voter's log: one file, replaced whole. Any thread may use it. */
final class Snapshots {
  private static final Logger log = LoggerFactory.getLogger(Snapshots.class);
  private static final long MAGIC = 0x484156454e534e50L; // HAVENSNP

  private final Disk disk;
  private final Halted.Switch halt;
  private final Object lock = new Object();

  private volatile long index;
  private volatile long term;

  private Snapshots(Disk disk, Halted.Switch halt) {
    this.disk = disk;
    this.halt = halt;
  }

  /** None yet. */
  static Snapshots none(Disk disk, Halted.Switch halt) {
    return new Snapshots(disk, halt);
  }

  /**
   * The newest of these files, if there is one; older ones are deleted.
   *
   * @throws DamagedLogException if the newest does not check
   */
  static Snapshots load(Disk disk, List<String> names, Halted.Switch halt) throws IOException {
    var loaded = new Snapshots(disk, halt);
    loaded.load(names);
    return loaded;
  }

  private void load(List<String> names) throws IOException {
    long newest = -1;
    for (var name : names) {
      if (name.startsWith(SNAPSHOT) && !name.endsWith(TEMPORARY)) {
        newest = Math.max(newest, number(disk, name, SNAPSHOT));
      }
    }
    if (newest < 0) {
      return;
    }
    for (var name : names) {
      if (name.startsWith(SNAPSHOT)
          && !name.endsWith(TEMPORARY)
          && number(disk, name, SNAPSHOT) < newest) {
        disk.delete(name);
      }
    }
    var snapshot = read(newest);
    index = snapshot.index();
    term = snapshot.term();
  }

  private Snapshot read(long of) throws IOException {
    var name = name(SNAPSHOT, of);
    try (var file = disk.open(name)) {
      var buffer = readAll(disk, file, name, Math.max(file.size(), 40));
      checkFormat(disk, name, buffer.getLong(0) == MAGIC, buffer.getInt(8));
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

  /**
   * Puts a snapshot on the disk. Any thread may call this.
   *
   * @return whether it is there; not when the disk is full, and then nothing has changed
   */
  boolean write(Snapshot snapshot) {
    synchronized (lock) {
      if (snapshot.index() <= index) {
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
      long older = index;
      term = snapshot.term();
      index = snapshot.index();
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
    buffer.putLong(MAGIC).putInt(FORMAT);
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
  @Nullable Snapshot newest() throws IOException {
    synchronized (lock) {
      return index == 0 ? null : read(index);
    }
  }

  long index() {
    return index;
  }

  /** The term of the entry at {@link #index}; 0 where there is no snapshot. */
  long term() {
    return term;
  }
}
