package dev.haven.raft;

import static dev.haven.raft.LogFiles.FORMAT;
import static dev.haven.raft.LogFiles.VOTE;
import static dev.haven.raft.LogFiles.checkFormat;
import static dev.haven.raft.LogFiles.crc;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;
import org.jgroups.Address;
import org.jgroups.util.ByteArrayDataInputStream;
import org.jgroups.util.ByteArrayDataOutputStream;
import org.jgroups.util.Util;
import org.jspecify.annotations.Nullable;

/**
 * Term and vote, twice in one file. What a method has returned from is on the disk; a method that
 * cannot keep that halts the voter.
 */
final class VoteFile {
  private static final int MAGIC = 0x48565654; // HVVT
  private static final int SLOT_BYTES = 512;
  private static final int SETTLED_SECONDS = 5;

  private final Disk disk;
  private final Halted.Switch halt;
  private final Disk.DiskFile file;

  private long term;
  private @Nullable Address vote;

  /** What was written last, as long as only one copy of it is on the disk. */
  private @Nullable ByteBuffer lastWritten;

  /** Where the newest whole copy is: 0 or 1. */
  private int slot;

  private int settled;
  private boolean held;
  private boolean unsaved;
  private long writes;

  private VoteFile(Disk disk, Halted.Switch halt) throws IOException {
    this.disk = disk;
    this.halt = halt;
    file = disk.open(VOTE);
  }

  /** A new one: term 0, and no vote. */
  static VoteFile create(Disk disk, Halted.Switch halt) throws IOException {
    var made = new VoteFile(disk, halt);
    made.write();
    made.copy();
    return made;
  }

  /**
   * The one that is there.
   *
   * @throws DamagedLogException if neither copy checks
   */
  static VoteFile load(Disk disk, Halted.Switch halt) throws IOException {
    var loaded = new VoteFile(disk, halt);
    loaded.load();
    return loaded;
  }

  /** Each write goes over the older of the two copies, so the one that counts is whole. */
  private void load() throws IOException {
    if (file.size() < SLOT_BYTES * 2L) {
      throw new DamagedLogException(disk.where(), VOTE, "too short");
    }
    boolean found = false;
    for (int at = 0; at < 2; at++) {
      var buffer = ByteBuffer.allocate(SLOT_BYTES);
      file.read((long) at * SLOT_BYTES, buffer);
      buffer.flip();
      int length = buffer.getInt(8);
      if (buffer.getInt(0) != MAGIC || length < 0 || length > SLOT_BYTES - 40) {
        continue;
      }
      if (buffer.getInt(SLOT_BYTES - 4) != crc(buffer.array(), 0, SLOT_BYTES - 4)) {
        continue;
      }
      if (buffer.getInt(4) > FORMAT) {
        checkFormat(disk, VOTE, true, buffer.getInt(4));
      }
      long number = buffer.getLong(12);
      if (found && number < writes) {
        continue;
      }
      found = true;
      writes = number;
      term = buffer.getLong(20);
      vote = length == 0 ? null : address(buffer.array(), 28, length);
      slot = at;
      lastWritten = buffer; // perhaps the other copy is older, or damaged
    }
    if (!found) {
      throw new DamagedLogException(disk.where(), VOTE, "neither copy of term and vote checks");
    }
  }

  long term() {
    return term;
  }

  void term(long newTerm) {
    if (newTerm < term) {
      throw halt.broken("term %d was to follow term %d".formatted(newTerm, term));
    }
    if (newTerm > term) {
      term = newTerm;
      vote = null;
      save();
    }
  }

  @Nullable Address vote() {
    return vote;
  }

  void vote(@Nullable Address candidate) {
    if (vote != null && candidate != null && !vote.equals(candidate)) {
      throw halt.broken(
          "a second vote in term %d, for %s after %s".formatted(term, candidate, vote));
    }
    if (!Objects.equals(vote, candidate)) {
      vote = candidate;
      save();
    }
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
      save();
    }
  }

  private void save() {
    unsaved = held;
    if (held) {
      return;
    }
    try {
      write();
    } catch (IOException e) {
      throw halt.now(disk.where() + ": writing term and vote failed", e);
    }
  }

  private void write() throws IOException {
    writes++;
    var candidate = vote == null ? new byte[0] : bytes(vote);
    var bytes = ByteBuffer.allocate(SLOT_BYTES);
    bytes.putInt(MAGIC).putInt(FORMAT).putInt(candidate.length);
    bytes.putLong(writes).putLong(term).put(candidate);
    bytes.putInt(SLOT_BYTES - 4, crc(bytes.array(), 0, SLOT_BYTES - 4));
    // over the older of the two: the one that counts is whole whenever the power goes
    file.write((1L - slot) * SLOT_BYTES, bytes.clear());
    file.sync();
    slot = 1 - slot;
    lastWritten = bytes;
    settled = 0;
  }

  /**
   * To be called once a second: a vote that did not change for some seconds is written over the
   * older copy too, so that damage to one of them is no loss. Not at once, since a slow disk would
   * then decide elections.
   */
  void copyIfSettled() {
    if (lastWritten != null && ++settled > SETTLED_SECONDS) {
      try {
        copy();
      } catch (IOException e) {
        throw halt.now(disk.where() + ": writing term and vote failed", e);
      }
    }
  }

  private void copy() throws IOException {
    file.write((1L - slot) * SLOT_BYTES, Objects.requireNonNull(lastWritten).clear());
    file.sync();
    lastWritten = null;
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

  void close() throws IOException {
    file.close();
  }
}
