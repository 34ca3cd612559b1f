package dev.haven.raft;

import dev.haven.raft.port.ReplicatedLog;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import org.jgroups.protocols.raft.LogEntry;

/** What no voter of ours says. */
final class Bounds {
  /** No cluster holds so many elections or entries; sums of two stay far below the overflow. */
  private static final long NUMBER_MAX = 1L << 56;

  static final int NAMES_MAX = 64;

  /**
   * Elections, missed by a voter that was away. An operator's word adds a million, {@code
   * GoingAlone.FORCED_TERMS}, and so do two after each other with a newer generation as their
   * proof.
   */
  static final long TERM_JUMP_MAX = 1L << 20;

  /**
   * The whole state in a snapshot. It is held twice while it is taken over, beside the one that
   * there is.
   */
  static final long STATE_MAX = Math.min(1L << 30, Runtime.getRuntime().maxMemory() / 4);

  private Bounds() {}

  /**
   * @throws IOException with what is wrong
   */
  static void check(Wire message) throws IOException {
    switch (message) {
      case Wire.Hello hello -> {
        number("generation", hello.generation(), Voters.GENERATION_MAX);
        number("commit index", hello.commit(), NUMBER_MAX);
        place(hello.raft());
      }
      case Wire.PreVote request ->
          candidate(request.term(), request.lastIndex(), request.lastTerm());
      case Wire.PreVoteAnswer answer -> {
        number("term", answer.term(), NUMBER_MAX);
        number("term", answer.forTerm(), NUMBER_MAX);
      }
      case Wire.Vote request -> candidate(request.term(), request.lastIndex(), request.lastTerm());
      case Wire.VoteAnswer answer -> number("term", answer.term(), NUMBER_MAX);
      case Wire.Append append -> append(append);
      case Wire.AppendAnswer answer -> {
        number("term", answer.term(), NUMBER_MAX);
        number("index", answer.index(), NUMBER_MAX);
      }
      case Wire.SnapshotPart part -> part(part);
      case Wire.SnapshotAnswer answer -> number("term", answer.term(), NUMBER_MAX);
      case Wire.Datagram datagram -> {}
    }
  }

  /** Of numbers alone: looking a name up on the Raft thread would hold everything up. */
  private static void place(String raft) throws IOException {
    int colon = raft.lastIndexOf(':');
    try {
      InetAddress.ofLiteral(raft.substring(0, Math.max(0, colon)));
      number("port", Integer.parseInt(raft.substring(colon + 1)), 65_535);
    } catch (IllegalArgumentException e) {
      throw new IOException("it listens at '%s', which is no address".formatted(raft), e);
    }
  }

  private static void candidate(long term, long lastIndex, long lastTerm) throws IOException {
    number("term", term, NUMBER_MAX);
    number("index", lastIndex, NUMBER_MAX);
    number("term of an entry", lastTerm, term);
  }

  private static void append(Wire.Append append) throws IOException {
    number("term", append.term(), NUMBER_MAX);
    number("index", append.previous(), NUMBER_MAX);
    number("term of an entry", append.previousTerm(), append.term());
    number("commit index", append.commit(), NUMBER_MAX);
    number("generation", append.generation(), Voters.GENERATION_MAX);
    long before = append.previousTerm();
    for (var entry : append.entries()) {
      if (entry.term() < before || entry.term() > append.term() || entry.term() < 1) {
        throw new IOException(
            "an entry of term %d after one of term %d, in term %d"
                .formatted(entry.term(), before, append.term()));
      }
      before = entry.term();
      entry(entry);
    }
  }

  private static void entry(LogEntry entry) throws IOException {
    if (!entry.internal()) {
      if (entry.length() > ReplicatedLog.MAX_COMMAND_BYTES) {
        throw new IOException("an entry of %d bytes".formatted(entry.length()));
      }
      return;
    }
    if (entry.length() < 1) {
      throw new IOException("an entry of the log's own without a kind");
    }
    int kind = entry.command()[entry.offset()];
    if (kind < 0 || kind >= Internal.values().length) {
      throw new IOException("an entry of the log's own of kind %d".formatted(kind));
    }
    if (Internal.of(entry) == Internal.VOTERS) {
      voters(Voters.of(Internal.content(entry)));
    }
  }

  private static void voters(Voters voters) throws IOException {
    if (voters.all().isEmpty()) {
      throw new IOException("a set of no voters");
    }
    for (var list : List.of(voters.all(), voters.also(), voters.absent())) {
      if (list.stream().map(Voters.Voter::name).distinct().count() != list.size()) {
        throw new IOException("a set of voters with one name twice");
      }
      for (var voter : list) {
        try {
          Peers.parse(voter.raft());
        } catch (UnknownHostException e) {
          continue; // a name that is not known here, today
        }
      }
    }
  }

  private static void part(Wire.SnapshotPart part) throws IOException {
    number("term", part.term(), NUMBER_MAX);
    number("index", part.index(), NUMBER_MAX);
    number("term of an entry", part.indexTerm(), part.term());
    number("generation", part.generation(), Voters.GENERATION_MAX);
    if (part.total() > STATE_MAX) {
      throw new IOException(
          "a state of %d bytes, and this process takes %d: give it more memory (-Xmx)"
              .formatted(part.total(), STATE_MAX));
    }
    number("size of a state", part.total(), STATE_MAX);
    number("place in a state", part.offset(), part.total());
    number("end of a part of a state", (long) part.offset() + part.bytes().length, part.total());
    voters(Voters.of(part.voters()));
  }

  private static void number(String what, long number, long max) throws IOException {
    if (number < 0 || number > max) {
      throw new IOException("%s is %d, allowed 0 to %d".formatted(what, number, max));
    }
  }
}
