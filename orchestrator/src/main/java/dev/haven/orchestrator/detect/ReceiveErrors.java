package dev.haven.orchestrator.detect;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Whether this voter itself loses heartbeats: datagrams that the kernel dropped because their
 * socket was full, as it counts them in {@code /proc/net/udp}. What this voter did not hear while
 * that grows proves nothing about a host.
 */
final class ReceiveErrors {
  /** One in twenty: a host's silence takes several beats in a row. */
  private static final long TOLERATED = 20;

  private final List<Path> tables;
  private final int port;
  private long dropped;
  private long received;

  ReceiveErrors(int port) {
    this(List.of(Path.of("/proc/net/udp"), Path.of("/proc/net/udp6")), port);
  }

  ReceiveErrors(List<Path> tables, int port) {
    this.tables = tables;
    this.port = port;
    this.dropped = dropped();
  }

  /**
   * Whether more than one in twenty was lost since the last call.
   *
   * @param heard how many good heartbeats there were since the start
   */
  boolean grow(long heard) {
    long dropsBefore = dropped;
    long heardBefore = received;
    dropped = dropped();
    received = heard;
    long drops = dropped - dropsBefore;
    return drops > 0 && drops * TOLERATED >= drops + (heard - heardBefore);
  }

  private long dropped() {
    long all = 0;
    for (var table : tables) {
      try {
        for (var line : Files.readAllLines(table, StandardCharsets.US_ASCII)) {
          all += drops(line);
        }
      } catch (IOException e) {
        // no IPv6, or no /proc: what is not known is not held against anybody
      }
    }
    return all;
  }

  /** {@code 12: 0100007F:1E15 … drops}: of a socket on this port. */
  private long drops(String line) {
    var words = line.strip().split("\\s+");
    try {
      int colon = words.length < 3 ? -1 : words[1].lastIndexOf(':');
      return colon > 0 && Integer.parseInt(words[1].substring(colon + 1), 16) == port
          ? Long.parseLong(words[words.length - 1])
          : 0;
    } catch (NumberFormatException e) {
      return 0; // the heading
    }
  }
}
