package dev.haven.agent.libvirt;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/** The process that runs a guest, told from another of the same number by its start time. */
record QemuProcess(Path stat, long pid, String startTime) {

  /**
   * A process that runs a guest of this name, whatever libvirt knows of it: as libvirt starts QEMU,
   * {@code -name guest=NAME,…}. One of another namespace of process numbers is another host's, such
   * as of a lab on this machine.
   *
   * @throws IOException if the kernel cannot be asked about each process
   */
  static OptionalLong running(Path root, String guest) throws IOException {
    var proc = root.resolve("proc");
    var own = namespace(proc.resolve("1"));
    try (var all = Files.newDirectoryStream(proc, "[0-9]*")) {
      for (var process : all) {
        if (runs(commandLine(process), guest)
            && (own.isEmpty() || namespace(process).isEmpty() || namespace(process).equals(own))) {
          return OptionalLong.of(Long.parseLong(process.getFileName().toString()));
        }
      }
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    return OptionalLong.empty();
  }

  /**
   * Of a process that was killed and of which one thread still waits in the kernel, for a disk say,
   * that thread alone tells it.
   */
  private static String commandLine(Path process) throws IOException {
    var text = text(process.resolve("cmdline"));
    if (!text.isEmpty()) {
      return text;
    }
    try (var threads = Files.newDirectoryStream(process.resolve("task"))) {
      for (var thread : threads) {
        text = text(thread.resolve("cmdline"));
        if (!text.isEmpty()) {
          return text;
        }
      }
    } catch (NoSuchFileException e) {
      return "";
    } catch (DirectoryIteratorException e) {
      var why = Objects.requireNonNull(e.getCause());
      if (!hasEnded(why)) {
        throw why;
      }
    }
    return "";
  }

  /** Empty of one that has ended. */
  private static String text(Path file) throws IOException {
    try {
      return Files.readString(file, StandardCharsets.ISO_8859_1);
    } catch (NoSuchFileException e) {
      return "";
    } catch (IOException e) {
      if (hasEnded(e)) {
        return "";
      }
      throw e;
    }
  }

  private static boolean runs(String commandLine, String guest) {
    String[] words = commandLine.split("\0", -1);
    for (int i = 1; i < words.length; i++) {
      if (words[i - 1].equals("-name") && (words[i] + ",").startsWith("guest=" + guest + ",")) {
        return true;
      }
    }
    return false;
  }

  private static Optional<String> namespace(Path process) {
    try {
      return Optional.of(Files.readSymbolicLink(process.resolve("ns/pid")).toString());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /** The file was there, and its process was not any more when it was read: ESRCH. */
  private static boolean hasEnded(IOException e) {
    return String.valueOf(e.getMessage()).contains("No such process");
  }

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
      return hasEnded(e);
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
