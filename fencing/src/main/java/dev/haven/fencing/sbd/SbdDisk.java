package dev.haven.fencing.sbd;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.UUID;

/**
 * One disk in sbd's layout, version 2. Every call reads or writes the disk itself and may hang as
 * long as the disk does.
 *
 * <pre>
 *   sector 0        header: "SBD_SBD_", version, slots, sector size, times, UUID, as big-endian
 *   sector 1 + 2i   slot i: in use, name of the host
 *   sector 2 + 2i   its mailbox: message, name of the sender
 * </pre>
 */
final class SbdDisk implements AutoCloseable {
  private static final byte[] MAGIC = "SBD_SBD_".getBytes(StandardCharsets.US_ASCII);
  private static final int VERSION = 2;
  private static final int LONGEST_NAME = 63;

  /** The largest sector that is in use: a read of it works on every disk. */
  private static final int LARGEST_SECTOR = 4096;

  /**
   * @param id of the disk, the same under whatever path; its path if it has none (before sbd 2.1)
   * @param bytes the whole of it, to see whether it changed
   * @param watchdog within this time a host whose watcher is blind is reset
   * @param loop a watcher reads its mailbox that often
   * @param msgwait after this time a message was obeyed
   */
  record Header(
      String id,
      int slots,
      int sectorSize,
      Duration watchdog,
      Duration loop,
      Duration msgwait,
      byte[] bytes) {
    boolean same(Header other) {
      return Arrays.equals(bytes, other.bytes);
    }
  }

  /**
   * @param message empty for one that sbd does not know
   */
  record Mail(Optional<SbdMessage> message, String from) {
    @Override
    public String toString() {
      return message
              .map(m -> m.name().toLowerCase(java.util.Locale.ROOT))
              .orElse("an unknown message")
          + (from.isEmpty() ? "" : " from " + from);
    }
  }

  private final Path path;
  private final DirectFile file;
  private final Header header;

  private SbdDisk(Path path, DirectFile file, Header header) {
    this.path = path;
    this.file = file;
    this.header = header;
  }

  /**
   * @throws IOException also when it is no sbd disk, or its times are unsafe; the message says
   *     which
   */
  static SbdDisk open(Path path) throws IOException {
    var file = DirectFile.open(path);
    try {
      return new SbdDisk(path, file, header(path, file));
    } catch (IOException e) {
      try (file) {
        throw e;
      }
    }
  }

  private static Header header(Path path, DirectFile file) throws IOException {
    var bytes = Arrays.copyOf(file.read(0, LARGEST_SECTOR), 64);
    var fields = ByteBuffer.wrap(bytes); // big-endian
    if (!Arrays.equals(Arrays.copyOf(bytes, MAGIC.length), MAGIC)) {
      throw new IOException(path + " is no sbd disk; make it one with: sbd -d " + path + " create");
    }
    if (fields.get(8) != VERSION) {
      throw new IOException(
          path + " has sbd's version " + fields.get(8) + "; Haven knows " + VERSION);
    }
    int slots = fields.get(9) & 0xff;
    int sectorSize = fields.getInt(12);
    var watchdog = Duration.ofSeconds(fields.getInt(16));
    var loop = Duration.ofSeconds(fields.getInt(24));
    var msgwait = Duration.ofSeconds(fields.getInt(28));
    if ((sectorSize != 512 && sectorSize != LARGEST_SECTOR) || slots == 0) {
      throw new IOException(
          path + " has an impossible header: sectors of " + sectorSize + " bytes");
    }
    if (!watchdog.isPositive()
        || !loop.isPositive()
        || msgwait.compareTo(watchdog.multipliedBy(2)) < 0) {
      throw new IOException(
          ("%s waits %d s for a message, with a watchdog of %d s: less than twice that proves"
                  + " nothing; create it again with sbd -1 (watchdog) and -4 (msgwait)")
              .formatted(path, msgwait.toSeconds(), watchdog.toSeconds()));
    }
    var id =
        fields.get(32) >= 1
            ? new UUID(fields.getLong(33), fields.getLong(41)).toString()
            : path.toString();
    return new Header(id, slots, sectorSize, watchdog, loop, msgwait, bytes);
  }

  Header header() {
    return header;
  }

  /** The header as it is now. */
  Header headerNow() throws IOException {
    return header(path, file);
  }

  /**
   * The slot of a host, by the name that it has there, case aside.
   *
   * @return empty if it has none
   */
  Optional<Integer> find(String name) throws IOException {
    int size = header.sectorSize();
    var all = file.read(size, 2 * header.slots() * size); // at once: 255 slots are 510 sectors
    for (int slot = 0; slot < header.slots(); slot++) {
      if (names(all, 2 * slot * size, name)) {
        return Optional.of(slot);
      }
    }
    return Optional.empty();
  }

  /** Whether this slot is still this host's. */
  boolean belongs(int slot, String name) throws IOException {
    return names(file.read(place(1 + 2 * slot), header.sectorSize()), 0, name);
  }

  private static boolean names(byte[] sector, int at, String name) {
    return sector[at] != 0
        && text(sector, at + 1).equalsIgnoreCase(name)
        && name.length() <= LONGEST_NAME;
  }

  Mail read(int slot) throws IOException {
    var sector = file.read(place(2 + 2 * slot), header.sectorSize());
    return new Mail(SbdMessage.of(sector[0]), text(sector, 1));
  }

  /** Written, and read back as it was written. */
  void write(int slot, SbdMessage message, String from) throws IOException {
    var sector = new byte[header.sectorSize()];
    sector[0] = (byte) message.number;
    var sender = from.getBytes(StandardCharsets.UTF_8);
    System.arraycopy(sender, 0, sector, 1, Math.min(sender.length, LONGEST_NAME - 1));
    file.write(place(2 + 2 * slot), sector);
    if (!Arrays.equals(file.read(place(2 + 2 * slot), header.sectorSize()), sector)) {
      throw new IOException(path + " did not keep what was written to it");
    }
  }

  private long place(int sector) {
    return (long) sector * header.sectorSize();
  }

  private static String text(byte[] sector, int at) {
    int end = at;
    while (end < at + LONGEST_NAME && sector[end] != 0) {
      end++;
    }
    return new String(sector, at, end - at, StandardCharsets.UTF_8);
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
