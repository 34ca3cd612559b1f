package dev.haven.agent.libvirt;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The process that runs a guest, told from another of the same number by its start time. */
record QemuProcess(Path stat, long pid, String startTime) {

  /** By the file in which libvirt's QEMU driver keeps its number; empty for other drivers. */
  static Optional<QemuProcess> of(Path root, String guest) {
    try {
      var file = root.resolve("run/libvirt/qemu/" + guest + ".pid");
      var pid = Long.parseLong(Files.readString(file).strip());
      var stat = root.resolve("proc/" + pid + "/stat");
      var startTime = startTime(stat);
      return startTime == null
          ? Optional.empty()
          : Optional.of(new QemuProcess(stat, pid, startTime));
    } catch (IOException | NumberFormatException e) {
      return Optional.empty();
    }
  }

  /**
   * The process is gone and reaped, so its files are closed and it writes to no disk any more. A
   * zombie does not count: other threads of it may still be at work.
   */
  boolean ended() {
    return !startTime.equals(startTime(stat));
  }

  /**
   * Field 22 of proc(5)'s stat, counted after the name, which may hold anything; null: no such
   * process.
   */
  private static @Nullable String startTime(Path stat) {
    try {
      var line = Files.readString(stat);
      return line.substring(line.lastIndexOf(')') + 2).split(" ", -1)[19];
    } catch (IOException e) {
      return null;
    }
  }
}
