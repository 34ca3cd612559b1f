package dev.haven.agent.libvirt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/** The process that runs a guest, told from another of the same number by its start time. */
record QemuProcess(Path stat, long pid, String startTime) {

  /** By the file in which libvirt's QEMU driver keeps its number; empty for other drivers. */
  static Optional<QemuProcess> of(Path root, String guest) {
    try {
      var file = root.resolve("run/libvirt/qemu/" + guest + ".pid");
      var pid = Long.parseLong(Files.readString(file).strip());
      var stat = root.resolve("proc/" + pid + "/stat");
      return Optional.of(new QemuProcess(stat, pid, startTime(stat)));
    } catch (IOException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  /**
   * The process is gone and reaped, so its files are closed and it writes to no disk any more. A
   * zombie does not count: other threads of it may still be at work. Where the kernel cannot be
   * asked (no file descriptor is left, say) nothing is known, and it counts as alive.
   */
  boolean ended() {
    try {
      return !startTime.equals(startTime(stat));
    } catch (NoSuchFileException e) {
      return true;
    } catch (IOException e) {
      // the file was there and its process was not any more when it was read: ESRCH
      return String.valueOf(e.getMessage()).contains("No such process");
    }
  }

  /** Field 22 of proc(5)'s stat, counted after the name, which may hold anything. */
  private static String startTime(Path stat) throws IOException {
    var line = Files.readString(stat);
    var fields = line.substring(line.lastIndexOf(')') + 1).strip().split(" ", -1);
    if (fields.length < 20) {
      throw new IOException(stat + " is incomplete");
    }
    return fields[19];
  }
}
