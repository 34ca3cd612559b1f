package dev.haven.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What the kernel says of processes and sockets. */
final class ProcFiles {
  /** USER_HZ, the same on every Linux of today. */
  private static final double TICKS_PER_SECOND = 100;

  private ProcFiles() {}

  /**
   * The CPU that a process has used, in seconds of one core, with all of its threads.
   *
   * @throws IOException if there is no such process
   */
  static double cpuSeconds(long pid) throws IOException {
    var text = Files.readString(Path.of("/proc/" + pid + "/stat"));
    var fields = text.substring(text.lastIndexOf(')') + 2).split(" "); // its name may have spaces
    return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS_PER_SECOND;
  }

  /**
   * What of a process's memory is resident, in MiB.
   *
   * @param key {@code VmRSS}, or {@code VmHWM} for the most that it ever was
   */
  static long mib(long pid, String key) throws IOException {
    for (var line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
      if (line.startsWith(key + ":")) {
        return Math.round(Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024.0);
      }
    }
    throw new IOException("process %d has no %s".formatted(pid, key));
  }

  /** How many datagrams the kernel has dropped for want of room, by the port of their socket. */
  static Map<Integer, Long> droppedByPort() throws IOException {
    return droppedByPort(Files.readAllLines(Path.of("/proc/net/udp"), StandardCharsets.US_ASCII));
  }

  /** {@code 12: 0100007F:1E15 … drops}, after a heading. */
  static Map<Integer, Long> droppedByPort(List<String> table) {
    var dropped = new HashMap<Integer, Long>();
    for (var line : table.subList(1, table.size())) {
      var words = line.strip().split("\\s+");
      int port = Integer.parseInt(words[1].substring(words[1].lastIndexOf(':') + 1), 16);
      dropped.merge(port, Long.parseLong(words[words.length - 1]), Long::sum);
    }
    return dropped;
  }
}
