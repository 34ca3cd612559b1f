package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import dev.haven.raft.Wire.Append;
import dev.haven.raft.Wire.AppendAnswer;
import java.util.HashMap;
import java.util.List;
import org.jgroups.protocols.raft.Follower;
import org.jspecify.annotations.Nullable;

/** A voter that does not lead. Its log becomes equal to the leader's, entry by entry. */
final class Following extends Follower {
  private final HavenRaft raft;
  private @Nullable Incoming incoming;

  /** A snapshot of which the beginning has come. */
  private static final class Incoming {
    private final long index;
    private final long term;
    private final byte[] voters;
    private final byte[] state;
    private int next;

    Incoming(Wire.SnapshotPart part) {
      index = part.index();
      term = part.indexTerm();
      voters = part.voters();
      state = new byte[part.total()];
    }
  }

  Following(HavenRaft raft) {
    super(raft);
    this.raft = raft;
  }

  /**
   * Takes what the leader says. Only what was compared with this very message counts as equal to
   * the leader's log, so only that is acknowledged and committed.
   */
  void onAppend(Peer leader, Append append, long now) {
    var log = raft.voterLog;
    long previous = append.previous();
    long committed = raft.commitIndex();
    if (previous > committed && log.termAt(previous) != append.previousTerm()) {
      answer(leader, append, false, mayMatch(previous), false);
      return;
    }
    // At or below the commit index the logs are equal, by leader completeness.
    long index = previous + 1;
    var entries = append.entries();
    int skip = 0;
    for (; skip < entries.size(); skip++, index++) {
      if (index <= committed) {
        continue;
      }
      long mine = index <= log.lastAppended() ? log.termAt(index) : -1;
      if (mine != entries.get(skip).term()) {
        break;
      }
    }
    long matched = previous + skip;
    boolean full = false;
    if (skip < entries.size()) {
      var rest = entries.subList(skip, entries.size());
      if (log.hasRoom(VoterLog.size(rest))) {
        if (index <= log.lastAppended()) {
          raft.dropFrom(index);
        }
        raft.appendOwn(List.copyOf(rest));
        matched = previous + entries.size();
      } else {
        full = true;
      }
    }
    raft.commitTo(Math.min(append.commit(), matched), new HashMap<>()); // nobody waits here
    answer(leader, append, true, Math.max(matched, raft.commitIndex()), full);
  }

  /** The last index that may be equal: before all entries of the term that does not fit. */
  private long mayMatch(long previous) {
    var log = raft.voterLog;
    if (previous > log.lastAppended()) {
      return log.lastAppended();
    }
    long wrong = log.termAt(previous);
    long index = previous;
    while (index > raft.commitIndex() && log.termAt(index) == wrong) {
      index--;
    }
    return index;
  }

  private void answer(Peer leader, Append append, boolean matches, long index, boolean full) {
    raft.peers.send(
        leader.name(), new AppendAnswer(raft.currentTerm(), append.round(), matches, index, full));
  }

  void onSnapshotPart(Peer leader, Wire.SnapshotPart part) {
    if (part.index() <= raft.commitIndex()) {
      raft.peers.send(
          leader.name(),
          new AppendAnswer(raft.currentTerm(), part.round(), true, raft.commitIndex(), false));
      return;
    }
    var into = incoming;
    if (into == null || into.index != part.index() || into.term != part.indexTerm()) {
      if (part.offset() != 0) {
        askFor(leader, part, 0);
        return;
      }
      into = new Incoming(part);
      incoming = into;
    }
    if (part.total() != into.state.length) {
      incoming = null; // two tellings of one state, of which one is none
      return;
    }
    if (part.offset() == into.next) {
      System.arraycopy(part.bytes(), 0, into.state, into.next, part.bytes().length);
      into.next += part.bytes().length;
    }
    if (into.next < into.state.length) {
      askFor(leader, part, into.next);
      return;
    }
    incoming = null;
    boolean taken =
        raft.takeOver(new VoterLog.Snapshot(into.index, into.term, into.voters, into.state));
    raft.peers.send(
        leader.name(),
        new AppendAnswer(raft.currentTerm(), part.round(), taken, raft.commitIndex(), !taken));
  }

  private void askFor(Peer leader, Wire.SnapshotPart part, int next) {
    raft.peers.send(
        leader.name(),
        new Wire.SnapshotAnswer(raft.currentTerm(), part.round(), part.index(), next));
  }
}
