package dev.haven.agent;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.zip.CRC32C;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small text that is replaced as a whole, also on a disk that is full: it stands in two files
 * that keep their room, and each is overwritten in place, one after the other. A crash in between
 * leaves at least one of them whole. Files are readable by their owner only.
 *
 * <p>Each file is a line (name, format, checksum, number and length) and the text; what follows is
 * of no meaning.
 */
class TwoCopies implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(TwoCopies.class);
  private static final int FORMAT = 3;

  /** Room is taken in steps of this, at least twice of what is needed now. */
  private static final int STEP = 64 << 10;

  private final List<Path> files;
  private final String name;
  private final boolean synced;
  private final List<FileChannel> channels = new ArrayList<>();
  private long number;

  /** What was found in the files. */
  sealed interface Found {
    record Nothing() implements Found {}

    record Text(String text) implements Found {}

    /** No copy can be relied on; the reason names the file. */
    record Damaged(String reason) implements Found {}
  }

  private record Copy(long number, String text) {}

  /**
   * @param name the first word in the files
   * @param synced whether each write is on disk before it returns; not needed in memory
   */
  TwoCopies(Path file, String name, boolean synced) {
    this.files = List.of(file, file.resolveSibling(file.getFileName() + ".copy"));
    this.name = name;
    this.synced = synced;
  }

  /** The folder is the owner's alone from now on. */
  static void folder(Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwx------"));
  }

  /** Creates the file if it is not there; nobody but its owner may open it. */
  static void ownersAlone(Path file) throws IOException {
    if (!Files.exists(file)) {
      Files.createFile(
          file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
  }

  List<Path> files() {
    return files;
  }

  /**
   * Reads both, opens them for writing and takes their room.
   *
   * @throws IOException if they cannot be read or opened at all
   */
  synchronized Found open() throws IOException {
    Optional<Copy> newest = Optional.empty();
    var whole = new ArrayList<Copy>();
    var damage = new ArrayList<String>();
    for (var file : files) {
      try {
        var copy = parse(new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
        whole.add(copy);
        if (newest.isEmpty() || copy.number() > newest.get().number()) {
          newest = Optional.of(copy);
        }
      } catch (NoSuchFileException e) {
        continue;
      } catch (IllegalArgumentException e) {
        damage.add("%s is damaged (%s)".formatted(file, e.getMessage()));
      }
    }
    if (newest.isEmpty() && !damage.isEmpty()) {
      return new Found.Damaged(String.join("; ", damage));
    }
    for (var file : files) {
      channels.add(
          FileChannel.open(
              file,
              Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))));
      Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    }
    if (newest.isEmpty()) {
      return new Found.Nothing();
    }
    number = newest.get().number();
    damage.forEach(d -> log.warn("{}; its other copy is whole, and is taken", d));
    if (whole.size() < files.size() || !whole.getFirst().equals(whole.getLast())) {
      write(newest.get().text()); // both are the same again
    }
    return new Found.Text(newest.get().text());
  }

  /** Replaces the text; on an exception the older one or this one is found next. */
  synchronized void write(String text) throws IOException {
    if (channels.isEmpty()) {
      throw new IOException(files.getFirst() + " is damaged or closed");
    }
    var body = text.getBytes(StandardCharsets.UTF_8);
    number++;
    var head = "%d %d\n".formatted(number, body.length).getBytes(StandardCharsets.UTF_8);
    var first =
        "%s %d %08x "
            .formatted(name, FORMAT, checksum(head, body))
            .getBytes(StandardCharsets.UTF_8);
    var all = ByteBuffer.allocate(first.length + head.length + body.length);
    all.put(first).put(head).put(body);
    for (var channel : channels) {
      takeRoom(channel, all.capacity());
      all.rewind();
      while (all.hasRemaining()) {
        channel.write(all, all.position());
      }
      if (synced) {
        channel.force(false);
      }
    }
  }

  /** A disk without more room is no fault for as long as the text still fits. */
  private void takeRoom(FileChannel channel, int needed) throws IOException {
    long has = channel.size();
    long wanted = (2L * needed / STEP + 1) * STEP;
    if (has >= needed && has >= wanted - STEP) {
      return;
    }
    try {
      var zeros = ByteBuffer.allocate(STEP);
      while (has < wanted) {
        zeros.rewind().limit((int) Math.min(STEP, wanted - has));
        has += channel.write(zeros, has);
      }
      if (synced) {
        channel.force(true); // now, and not when the room is needed
      }
    } catch (IOException e) {
      log.warn("no more room can be kept for {}: {}", files.getFirst(), e.toString());
      // what there is may do: the write itself tells
    }
  }

  private Copy parse(String text) {
    int end = text.indexOf('\n');
    var words = end < 0 ? new String[0] : text.substring(0, end).split(" ", -1);
    if (words.length < 2 || !words[0].equals(name)) {
      throw new IllegalArgumentException("it does not begin with '" + name + "'");
    }
    if (!words[1].equals(Integer.toString(FORMAT))) {
      throw new IllegalArgumentException(
          "another Haven wrote it: it has format %s, and this one reads format %d alone; install that version again, and all is well"
              .formatted(words[1], FORMAT));
    }
    if (words.length != 5) {
      throw new IllegalArgumentException("its first line is incomplete");
    }
    long number;
    int length;
    try {
      number = Long.parseLong(words[3]);
      length = Integer.parseInt(words[4]);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("its first line is no such line", e);
    }
    var rest = text.substring(end + 1).getBytes(StandardCharsets.UTF_8);
    if (length < 0 || length > rest.length) {
      throw new IllegalArgumentException("it is shorter than it says");
    }
    var body = java.util.Arrays.copyOf(rest, length);
    check(
        words[2],
        checksum("%d %d\n".formatted(number, length).getBytes(StandardCharsets.UTF_8), body));
    return new Copy(number, new String(body, StandardCharsets.UTF_8));
  }

  private static void check(String written, long computed) {
    if (!written.equals("%08x".formatted(computed))) {
      throw new IllegalArgumentException("its checksum is wrong");
    }
  }

  private static long checksum(byte[]... parts) {
    var crc = new CRC32C();
    for (var part : parts) {
      crc.update(part);
    }
    return crc.getValue();
  }

  @Override
  public synchronized void close() {
    for (var channel : channels) {
      try {
        channel.close();
      } catch (IOException e) {
        log.debug("{} is closed: {}", files.getFirst(), e.toString());
      }
    }
    channels.clear();
  }
}
