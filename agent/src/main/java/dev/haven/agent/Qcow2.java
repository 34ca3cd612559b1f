package dev.haven.agent;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What the header of a qcow2 image says of other files (QEMU's docs/interop/qcow2).
 *
 * @param backing the name of the image behind it; {@code ""} if there is none
 * @param backingFormat {@code ""} if the header does not say
 * @param dataFiles names of files that have its data
 */
record Qcow2(String backing, String backingFormat, List<String> dataFiles) {
  private static final int HEADER = 64 << 10;
  private static final int MAGIC = 0x514649FB;
  private static final int BACKING_FORMAT = 0xE2792ACA;
  private static final int DATA_FILE = 0x44415441;

  Qcow2 {
    dataFiles = List.copyOf(dataFiles);
  }

  static boolean is(Path file) throws IOException {
    try (var in = Files.newInputStream(file)) {
      var magic = in.readNBytes(4);
      return magic.length == 4 && ByteBuffer.wrap(magic).getInt() == MAGIC;
    }
  }

  /**
   * @throws IOException also if it is no such image, or its header is damaged
   */
  static Qcow2 read(Path path) throws IOException {
    byte[] bytes;
    try (var in = Files.newInputStream(path)) {
      bytes = in.readNBytes(HEADER);
    }
    var header = ByteBuffer.wrap(bytes);
    if (bytes.length < 72 || header.getInt(0) != MAGIC) {
      throw new IOException(path + " is no qcow2 image");
    }
    var backing = "";
    long at = header.getLong(8);
    int length = header.getInt(16);
    if (at > 0) {
      if (length < 1 || length > 1023 || at > bytes.length - length) {
        throw new IOException(path + ": the name of its backing file cannot be read");
      }
      backing = new String(bytes, (int) at, length, StandardCharsets.UTF_8);
    }
    var format = "";
    var dataFiles = new ArrayList<String>();
    int next = header.getInt(4) >= 3 && bytes.length >= 104 ? header.getInt(100) : 72;
    while (next >= 72 && next + 8 <= bytes.length && header.getInt(next) != 0) {
      int kind = header.getInt(next);
      int size = header.getInt(next + 4);
      if (size < 0 || size > bytes.length - next - 8) {
        throw new IOException(path + ": its header cannot be read");
      }
      var value = new String(bytes, next + 8, size, StandardCharsets.UTF_8);
      if (kind == BACKING_FORMAT) {
        format = value;
      } else if (kind == DATA_FILE) {
        dataFiles.add(value);
      }
      next += 8 + (size + 7 & ~7);
    }
    return new Qcow2(backing, format, dataFiles);
  }
}
