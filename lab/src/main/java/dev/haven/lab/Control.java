package dev.haven.lab;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A control group (version 2): all processes of one host or one BMC, found, frozen and killed as
 * one. The kernel keeps the list, so no process can escape it and no stale pid file can lie about
 * it.
 */
record Control(Path path) {

  /** Where control groups are mounted: by themselves or beside version 1. */
  static Path mount() {
    for (var candidate : List.of("/sys/fs/cgroup", "/sys/fs/cgroup/unified")) {
      if (Files.exists(Path.of(candidate, "cgroup.controllers"))) {
        return Path.of(candidate);
      }
    }
    throw new LabException(
        "no control groups (version 2) at /sys/fs/cgroup or /sys/fs/cgroup/unified; mount -t cgroup2 none"
            + " /sys/fs/cgroup/unified brings them");
  }

  Control child(String name) {
    return new Control(path.resolve(name));
  }

  boolean exists() {
    return Files.isDirectory(path);
  }

  void create() {
    try {
      Files.createDirectories(path);
    } catch (IOException e) {
      throw new LabException("cannot create control group " + path + ": " + e.getMessage(), e);
    }
  }

  /** Whether any process is left in it or below. */
  boolean populated() {
    return event("populated");
  }

  boolean frozen() {
    return event("frozen");
  }

  private boolean event(String name) {
    try {
      return Files.readAllLines(path.resolve("cgroup.events")).contains(name + " 1");
    } catch (IOException e) {
      return false; // it does not exist
    }
  }

  /** The pids in it, as this process sees them. */
  List<Long> processes() {
    try {
      return Files.readAllLines(path.resolve("cgroup.procs")).stream()
          .map(Long::valueOf)
          .filter(pid -> pid != 0)
          .toList();
    } catch (IOException e) {
      return List.of();
    }
  }

  /** Asks the kernel to freeze or thaw; {@link #frozen} says when it is done. */
  void freeze(boolean frozen) {
    write("cgroup.freeze", frozen ? "1" : "0");
  }

  /** Kills everything in it, frozen or not, forks in flight included. */
  void kill() {
    if (exists()) {
      write("cgroup.kill", "1");
    }
  }

  private void write(String file, String value) {
    try {
      Files.writeString(path.resolve(file), value);
    } catch (IOException e) {
      throw new LabException("cannot write " + path.resolve(file) + ": " + e.getMessage(), e);
    }
  }

  /** Removes it and all below; nothing may be populated. */
  void remove() {
    if (!exists()) {
      return;
    }
    try (var children = Files.newDirectoryStream(path, Files::isDirectory)) {
      for (var child : children) {
        new Control(child).remove();
      }
      Files.deleteIfExists(path);
    } catch (IOException e) {
      throw new LabException("cannot remove control group " + path + ": " + e.getMessage(), e);
    }
  }

  /** The init of the pid namespace that lives in this group, if one does. */
  Optional<Long> init() {
    return processes().stream().filter(pid -> insidePid(pid).equals(Optional.of(1L))).findFirst();
  }

  /** The pid as this process sees it of the one that is {@code inside} within the namespace. */
  Optional<Long> outsidePid(long inside) {
    return processes().stream()
        .filter(pid -> insidePid(pid).equals(Optional.of(inside)))
        .findFirst();
  }

  private static Optional<Long> insidePid(long pid) {
    try {
      for (var line : Files.readAllLines(Path.of("/proc", Long.toString(pid), "status"))) {
        if (line.startsWith("NSpid:")) {
          var pids = line.substring("NSpid:".length()).strip().split("\\s+");
          return pids.length < 2
              ? Optional.empty()
              : Optional.of(Long.valueOf(pids[pids.length - 1]));
        }
      }
    } catch (IOException e) {
      // it is gone
    }
    return Optional.empty();
  }
}
