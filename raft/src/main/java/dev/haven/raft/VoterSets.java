package dev.haven.raft;

import java.io.IOException;
import java.util.TreeMap;
import org.jgroups.protocols.raft.LogEntry;

/**
 * The sets of voters that are in the log or in its snapshot. A set counts from the moment it is in
 * the log; one that is dropped never counted. Belongs to the Raft thread.
 */
final class VoterSets {
  private Voters before = Voters.NONE;
  private final TreeMap<Long, Voters> inLog = new TreeMap<>();

  /** The one that counts. */
  Voters newest() {
    return inLog.isEmpty() ? before : inLog.lastEntry().getValue();
  }

  /** The newest one's index in the log, 0 if it is in the snapshot. */
  long index() {
    return inLog.isEmpty() ? 0 : inLog.lastKey();
  }

  /** All that is known is that of a snapshot. */
  void restart(Voters ofSnapshot) {
    inLog.clear();
    before = ofSnapshot;
  }

  /**
   * Takes in an entry.
   *
   * @return whether it has a set of voters
   * @throws IOException if it should have one and has none
   */
  boolean note(LogEntry entry, long index) throws IOException {
    if (!entry.internal() || Internal.of(entry) != Internal.VOTERS) {
      return false;
    }
    inLog.put(index, Voters.of(Internal.content(entry)));
    return true;
  }

  /**
   * Drops those of entries from this index on.
   *
   * @return whether there was one
   */
  boolean drop(long from) {
    var dropped = inLog.tailMap(from, true);
    boolean any = !dropped.isEmpty();
    dropped.clear();
    return any;
  }

  /** Forgets those before the newest that is committed up to this index. */
  void committed(long index) {
    if (inLog.size() > 1) {
      var committed = inLog.floorKey(index);
      if (committed != null && committed > inLog.firstKey()) {
        inLog.headMap(committed, false).clear();
      }
    }
  }
}
