package dev.haven.raft.port;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * The log that the voters share: what is decided here is on a quorum's disks before anyone acts on
 * it.
 *
 * <p>One object is one voter. It hands every committed command to its {@link StateMachine}, in the
 * same order on every voter. A command whose outcome was unknown and that was sent again stands in
 * the log twice: the state machine tells the copies apart by the request id inside the command and
 * answers the second with what the first one got. The log itself never repeats an entry.
 *
 * <p>Nothing passes from voter to voter by itself: a proposal on a voter that does not lead fails
 * with {@link NotLeader}, and the caller goes to the leader named there.
 *
 * <p>Futures may complete on the log's own thread: follow them up with the {@code …Async} methods,
 * and never wait there.
 */
public interface ReplicatedLog extends AutoCloseable {

  /** Commands above this size, in bytes, are refused: one entry must not hold up the others. */
  int MAX_COMMAND_BYTES = 1 << 20;

  /**
   * Proposes a command. Completes once it is committed by a quorum and applied on this voter, with
   * the state machine's answer.
   *
   * @param requiredTerm the term in which the caller decided, or 0 for any; refused with {@link
   *     NotLeader} when this voter does not lead in that very term or is not ready in it
   * @return fails with {@link NotLeader}, {@link Refused} (certainly not applied) or {@link
   *     OutcomeUnknown} (it may still be applied later)
   */
  CompletableFuture<byte[]> propose(byte[] command, long requiredTerm);

  /**
   * A linearizable read point: completes with the index applied here once everything that was
   * committed before the call is applied here. It goes through the log, so it fails as {@link
   * #propose} does.
   */
  CompletableFuture<Long> barrier();

  /** Who leads as far as this voter knows. Never a reason to act: only committed entries are. */
  Leadership leadership();

  /**
   * Calls with the present leadership at once and then with each new one, in order, on one thread.
   */
  void onLeadership(Consumer<Leadership> listener);

  /**
   * When this leader, in its present term, last <em>sent</em> a round that a majority of the voter
   * members answered by number. A late answer never moves it. On {@link System#nanoTime()}'s clock;
   * empty while this voter does not lead or has had no such round yet.
   */
  OptionalLong lastQuorumRound();

  /**
   * Admits a voter, through the log; only the leader does, one change at a time. Also how a voter
   * whose disk was wiped comes back, after {@link #removeVoter}.
   *
   * @return completes once the new set is committed; fails as {@link #propose} does
   */
  CompletableFuture<Void> addVoter(VoterAddress voter);

  /**
   * Removes a voter, through the log; only the leader does, one change at a time, never the last.
   */
  CompletableFuture<Void> removeVoter(String name);

  /** The voters as this voter's log has them, and what is known of each. */
  Members members();

  /** Datagrams between the voters, beside the log. */
  VoterBus bus();

  /** This voter's log and disk, for {@code haven status}. */
  Status status();

  /** What a voter may do without a quorum. */
  Alone alone();

  /**
   * Leaves the cluster's channel and closes the log's files; what is unanswered fails as unknown.
   */
  @Override
  void close();

  /** What a voter may do without a quorum, and what came of it: docs/adr/0011-two-alone.md. */
  interface Alone {
    /** Grows each time that a voter goes on without a quorum; 1 before the first. */
    long generation();

    /** Voters that were left behind and are not back; empty in a cluster that is whole. */
    List<String> absent();

    /** What this voter waits for a person to do, for people; empty if for nothing. */
    default Optional<String> waitsForPerson() {
      return Optional.empty();
    }

    /**
     * The other one of two voters, if this one may go on alone once that one's host is proven off.
     */
    Optional<Other> other();

    /**
     * Notes on the disk that the other voter's host is about to be fenced without a quorum. Fails
     * with {@link Refused} where it must not be.
     */
    CompletableFuture<Void> intend(String other);

    /**
     * Goes on as the sole voter under a new generation, on the disk when this completes. The host
     * of the other one must be proven off.
     *
     * @param unheardSince on {@link System#nanoTime()}'s clock; fails with {@link Refused} if the
     *     other voter was heard later
     */
    CompletableFuture<Void> goOnAlone(String other, long unheardSince);

    /**
     * Has another state machine apply all that is in this voter's log, committed or not: what it
     * would go on with.
     */
    CompletableFuture<Void> preview(StateMachine into);

    /**
     * The same as {@link #goOnAlone} from any set of voters, on an operator's word that all others
     * are off and stay so.
     */
    CompletableFuture<Void> force();

    /**
     * @param lastHeard on {@link System#nanoTime()}'s clock
     * @param contact when the two voters last answered each other; the other side's clock says the
     *     same but for a round's way
     */
    record Other(String name, long lastHeard, long contact) {}
  }

  /**
   * @param term the Raft term, 0 before the first
   * @param leader the name of the voter that leads in it, where one is known
   * @param self whether that is this voter
   * @param ready whether this voter leads, has applied its own no-op of this term, and a majority
   *     has answered it within {@code Timing.quorumContact}; only then does it take proposals
   */
  record Leadership(long term, Optional<String> leader, boolean self, boolean ready) {}

  /**
   * @param name the voter's name, unique in the cluster
   * @param raft host:port on which its log listens for the other voters
   * @param api host:port of its HTTPS, where it is known
   * @param networks its address in each network, for heartbeats; empty where they are not known
   * @param witness whether it is on a machine that runs no guests
   */
  record VoterAddress(
      String name,
      String raft,
      Optional<String> api,
      Map<String, String> networks,
      boolean witness) {
    public VoterAddress {
      networks = Map.copyOf(networks);
    }

    public VoterAddress(String name, String raft) {
      this(name, raft, Optional.empty(), Map.of());
    }

    /** One that is a host too. */
    public VoterAddress(
        String name, String raft, Optional<String> api, Map<String, String> networks) {
      this(name, raft, api, networks, false);
    }
  }

  /**
   * @param voters all voters of the present set, by name
   * @param learners those connected without a vote: newcomers, wiped disks
   */
  record Members(List<Member> voters, List<Member> learners) {}

  /**
   * @param raft host:port of its log
   * @param api host:port of its HTTPS, as it was admitted with
   * @param reachable whether this voter's failure detection has it
   * @param counts whether it votes and counts; false for one whose log is not the one that was
   *     admitted
   * @param networks its address in each network, as it was admitted with
   * @param witness whether it is on a machine that runs no guests
   * @param matchIndex the index known to be on its disk, where this voter leads and knows it
   */
  record Member(
      String name,
      String raft,
      Optional<String> api,
      boolean self,
      boolean reachable,
      boolean counts,
      Map<String, String> networks,
      boolean witness,
      OptionalLong matchIndex) {}

  /**
   * @param logId identity of this log on this disk
   * @param lastIndex the last entry in the log, committed or not
   * @param commitIndex the last entry known to be committed
   * @param appliedIndex the last entry applied to the state machine
   * @param snapshotIndex the last entry that the snapshot covers, 0 without one
   * @param logBytes bytes of entries in the log since the snapshot
   * @param freeBytes bytes left on the log's file system
   * @param spaceLow whether new commands are refused for want of space
   */
  record Status(
      String logId,
      long lastIndex,
      long commitIndex,
      long appliedIndex,
      long snapshotIndex,
      long logBytes,
      long freeBytes,
      boolean spaceLow) {}

  /** Why a proposal did not come through. */
  abstract sealed class Rejection extends RuntimeException {
    private Rejection(String message) {
      super(message, null, false, false);
    }
  }

  /** This voter does not lead (in the term asked for); certainly not applied. */
  final class NotLeader extends Rejection {
    private final transient Optional<String> leader;

    public NotLeader(Optional<String> leader, String message) {
      super(message);
      this.leader = leader;
    }

    /** The voter to ask instead, where one is known. */
    public Optional<String> leader() {
      return leader;
    }
  }

  /** Unknown, never "failed": the command may be applied now, later or never. */
  final class OutcomeUnknown extends Rejection {
    public OutcomeUnknown(String message) {
      super(message);
    }
  }

  /** The leader would not take it: no space, too large, too many waiting; certainly not applied. */
  final class Refused extends Rejection {
    public Refused(String message) {
      super(message);
    }
  }
}
