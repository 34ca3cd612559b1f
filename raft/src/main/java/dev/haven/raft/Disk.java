package dev.haven.raft;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * One directory of files, as the log sees it. A seam: what is lost when the power goes, a full or a
 * slow disk are put here in tests.
 *
 * <p>What is promised after a power loss: bytes of a file that were written before its last {@link
 * DiskFile#sync}, and names that were changed before the last {@link #syncDirectory}. Anything
 * later may or may not be there.
 */
public interface Disk extends Closeable {

  /** The names of all files, in no order. */
  List<String> list() throws IOException;

  /** Opens a file, which is made if it is not there. */
  DiskFile open(String name) throws IOException;

  /** Gives a file another name; an older file of that name is gone in the same instant. */
  void rename(String from, String to) throws IOException;

  /** Deletes a file, if it is there. */
  void delete(String name) throws IOException;

  void syncDirectory() throws IOException;

  /**
   * Bytes that can still be written to new files, or {@link Long#MAX_VALUE} if that is not known.
   */
  long freeBytes();

  /** For messages to people: where the files are. */
  String where();

  @Override
  void close() throws IOException;

  /** An open file. */
  interface DiskFile extends Closeable {
    long size() throws IOException;

    /** Reads until the buffer is full. */
    void read(long position, ByteBuffer into) throws IOException;

    /** Writes the whole buffer; not on the disk before {@link #sync}. */
    void write(long position, ByteBuffer from) throws IOException;

    /** Returns when everything written is on the disk. */
    void sync() throws IOException;

    @Override
    void close() throws IOException;
  }
}
