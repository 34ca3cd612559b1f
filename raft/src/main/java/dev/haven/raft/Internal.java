package dev.haven.raft;

import java.util.Arrays;
import org.jgroups.protocols.raft.LogEntry;

/** The entries of the log's own use, which no state machine sees. */
enum Internal {
  /** A new leader's first entry: when it is committed, everything before it is. */
  NO_OP,
  /** A new set of voters; in force from the moment it is in the log. */
  VOTERS,
  /** A read point. */
  BARRIER;

  LogEntry entry(long term, byte[] content) {
    var command = new byte[content.length + 1];
    command[0] = (byte) ordinal();
    System.arraycopy(content, 0, command, 1, content.length);
    return new LogEntry(term, command).internal(true);
  }

  static Internal of(LogEntry entry) {
    return values()[entry.command()[entry.offset()]];
  }

  static byte[] content(LogEntry entry) {
    return Arrays.copyOfRange(entry.command(), entry.offset() + 1, entry.offset() + entry.length());
  }
}
