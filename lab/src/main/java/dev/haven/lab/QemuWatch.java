package dev.haven.lab;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;

/** Sees QEMU processes. */
public final class QemuWatch {
  private static final Pattern GUEST = Pattern.compile("(?:^|,)guest=([^,]+)");

  private QemuWatch() {}

  /** The guest that this process is, if it is a QEMU that libvirt started. */
  static Optional<String> guestOf(long pid) {
    try {
      var line =
          new String(
              Files.readAllBytes(Path.of("/proc", Long.toString(pid), "cmdline")),
              StandardCharsets.UTF_8);
      return guestOf(line);
    } catch (IOException e) {
      return Optional.empty(); // it is gone
    }
  }

  /** Pure: the arguments are separated by NUL, and the guest's name is in that of {@code -name}. */
  static Optional<String> guestOf(String commandLine) {
    var arguments = commandLine.split("\0", -1);
    if (!arguments[0].contains("qemu")) {
      return Optional.empty();
    }
    for (int i = 1; i + 1 < arguments.length; i++) {
      if (arguments[i].equals("-name")) {
        var found = GUEST.matcher(arguments[i + 1]);
        return found.find() ? Optional.of(found.group(1)) : Optional.empty();
      }
    }
    return Optional.empty();
  }
}
