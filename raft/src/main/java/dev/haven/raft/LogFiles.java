package dev.haven.raft;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/** What the files of a voter's log have in common: names, format, checksums. */
final class LogFiles {
  /** The newest format that this Haven writes and reads. */
  static final int FORMAT = 1;

  static final String IDENTITY = "identity";
  static final String VOTE = "vote";
  static final String SPARE = "spare";
  static final String JOURNAL = "journal-";
  static final String SNAPSHOT = "snapshot-";
  static final String TEMPORARY = ".new";

  private LogFiles() {}

  static String name(String prefix, long number) {
    return "%s%019d".formatted(prefix, number);
  }

  /**
   * The number in such a name.
   *
   * @throws DamagedLogException if there is none
   */
  static long number(Disk disk, String name, String prefix) throws IOException {
    try {
      return Long.parseLong(name.substring(prefix.length()));
    } catch (NumberFormatException e) {
      throw new DamagedLogException(disk.where(), name, "is no file of Haven's; move it away");
    }
  }

  /**
   * Looks at a file's first bytes.
   *
   * @throws DamagedLogException if it does not begin as it must
   * @throws IOException if a newer Haven wrote it
   */
  static void checkFormat(Disk disk, String file, boolean magicFits, int format)
      throws IOException {
    if (!magicFits) {
      throw new DamagedLogException(disk.where(), file, "does not begin as Haven's files do");
    }
    if (format > FORMAT) {
      throw new IOException(
          "%s/%s: written by a newer Haven (format %d, this one knows up to %d); install the newer version again"
              .formatted(disk.where(), file, format, FORMAT));
    }
  }

  /**
   * Reads the first bytes of a file, ready to be read.
   *
   * @throws DamagedLogException if it has fewer
   */
  static ByteBuffer readAll(Disk disk, Disk.DiskFile file, String name, long bytes)
      throws IOException {
    if (file.size() < bytes) {
      throw new DamagedLogException(
          disk.where(), name, "%d bytes long, expected %d".formatted(file.size(), bytes));
    }
    var buffer = ByteBuffer.allocate(Math.toIntExact(bytes));
    file.read(0, buffer);
    return buffer.flip();
  }

  /** Whether a write failed for want of space. */
  static boolean isFull(IOException e) {
    var message = String.valueOf(e.getMessage());
    return message.contains("No space left") || message.contains("quota exceeded");
  }

  static int crc(byte[] bytes, int from, int length) {
    var crc = new CRC32C();
    crc.update(bytes, from, length);
    return (int) crc.getValue();
  }
}
