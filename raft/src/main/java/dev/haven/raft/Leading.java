package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import dev.haven.raft.Wire.Append;
import dev.haven.raft.Wire.AppendAnswer;
import dev.haven.raft.port.ReplicatedLog.Refused;
import java.io.IOException;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jgroups.protocols.raft.Leader;
import org.jgroups.protocols.raft.LogEntry;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The leader of a term. Its first entry is a no-op: only entries of its own term are committed by
 * counting (Raft 5.4.2), and with it everything before.
 */
final class Leading extends Leader {
  private static final Logger log = LoggerFactory.getLogger(Leading.class);

  /** Of entries in one message. */
  private static final int MESSAGE_BYTES = 256 << 10;

  /** Of entries on their way to one voter, unanswered; less than a socket's buffers. */
  private static final int WINDOW_BYTES = 1 << 20;

  private static final int PART_BYTES = 64 << 10;
  private static final int MAX_WAITING = 4096;

  /** An answer to a round older than this many rounds says nothing any more. */
  private static final int ROUNDS = 4096;

  private static final long FULL_PAUSE = TimeUnit.SECONDS.toNanos(1);

  /** One that ends after less began too hastily, or ended so. */
  private static final long SHORT_LEADERSHIP = TimeUnit.MINUTES.toNanos(1);

  private record Proposal(
      @Nullable Internal kind, byte[] content, CompletableFuture<byte[]> future) {}

  private record Waiting(long index, long deadline) {}

  /**
   * A change of the voters that waits for the newcomer to be there and up to date.
   *
   * @param asked whether an operator asked for it; otherwise an operator's change goes first
   */
  private record Change(
      Voters.Voter wanted, long deadline, boolean asked, CompletableFuture<byte[]> future) {}

  /** How far another voter's log is known to be equal to ours. */
  private static final class Progress {
    private final UUID log;
    private long next;
    private long match;
    private long answeredRoundSentAt;
    private long pauseUntil;

    /** Answers to this round or an earlier one are known to be about what was sent again. */
    private long steppedBackIn;

    private long steppedBackTo;
    private VoterLog.@Nullable Snapshot snapshot;
    private int offset;

    /** The round of the part at {@code offset} that is not answered yet; 0 if none is out. */
    private long partSentIn;

    Progress(UUID log, long next) {
      this.log = log;
      this.next = next;
    }

    void withoutSnapshot() {
      snapshot = null;
      partSentIn = 0;
    }
  }

  private final HavenRaft raft;
  private final Map<String, Progress> progress = new HashMap<>();
  private final List<Proposal> proposals = new ArrayList<>();
  private long proposalBytes;
  private final Map<Long, CompletableFuture<byte[]>> waiting = new HashMap<>();
  private final Deque<Waiting> deadlines = new ArrayDeque<>();
  private final long[] roundSentAt = new long[ROUNDS];
  private long round;
  private long nextHeartbeat;
  private long since;
  private long excused;
  private long noOpIndex = Long.MAX_VALUE;
  private @Nullable Change change;

  /** When one that is back is let try again: some time after it failed. */
  private final Map<String, Long> nextTry = new HashMap<>();

  Leading(HavenRaft raft) {
    super(raft);
    this.raft = raft;
  }

  @Override
  public void init() {
    since = HavenRaft.now();
    proposals.add(new Proposal(Internal.NO_OP, new byte[0], new CompletableFuture<>()));
    flush(since);
  }

  @Override
  public void destroy() {
    failAll("voter %s leads no more".formatted(raft.settings.name()));
  }

  void failAll(String why) {
    HavenRaft.unknown(waiting.values(), why);
    waiting.clear();
    deadlines.clear();
    for (var proposal : proposals) {
      proposal.future().completeExceptionally(new Refused(why));
    }
    proposals.clear();
    if (change != null) {
      change.future().completeExceptionally(new Refused(why));
      changed();
    }
  }

  long noOpIndex() {
    return noOpIndex;
  }

  int waitingBytes() {
    return (int) Math.min(proposalBytes, 1 << 28);
  }

  Map<String, Long> matches() {
    var matches = new HashMap<String, Long>();
    progress.forEach((name, of) -> matches.put(name, of.match));
    return Map.copyOf(matches);
  }

  // ---- proposals

  void propose(@Nullable Internal kind, byte[] content, CompletableFuture<byte[]> future) {
    if (waiting.size() + proposals.size() >= MAX_WAITING) {
      future.completeExceptionally(new Refused("%d commands are waiting".formatted(MAX_WAITING)));
      return;
    }
    proposals.add(new Proposal(kind, content, future));
    proposalBytes += content.length + 64L;
  }

  /** Sends what was proposed since the last time and puts it on the own disk meanwhile. */
  void flush(long now) {
    while (!proposals.isEmpty()) {
      var batch = new ArrayList<LogEntry>();
      int bytes = 0;
      int count = 0;
      for (var proposal : proposals) {
        if (bytes >= MESSAGE_BYTES) {
          break;
        }
        batch.add(
            proposal.kind() == null
                ? new LogEntry(raft.currentTerm(), proposal.content())
                : proposal.kind().entry(raft.currentTerm(), proposal.content()));
        bytes += proposal.content().length;
        count++;
      }
      var taken = new ArrayList<>(proposals.subList(0, count));
      proposals.subList(0, count).clear();
      append(batch, taken, now);
      if (!raft.leads()) {
        return;
      }
    }
    proposalBytes = 0;
  }

  private void append(List<LogEntry> batch, List<Proposal> taken, long now) {
    var voterLog = raft.voterLog;
    if (!voterLog.hasRoom(VoterLog.size(batch))) {
      for (var proposal : taken) {
        proposal.future().completeExceptionally(new Refused("no disk space is left at all"));
      }
      log.warn("no disk space is left for entries: this voter leads no more");
      raft.withoutLeader();
      return;
    }
    long index = voterLog.lastAppended() + 1;
    if (noOpIndex == Long.MAX_VALUE) {
      noOpIndex = index;
    }
    raft.stage(batch);
    long deadline = now + proposalNanos(now);
    for (int i = 0; i < taken.size(); i++) {
      waiting.put(index + i, taken.get(i).future());
      deadlines.add(new Waiting(index + i, deadline));
    }
    sendRound(now); // the others' disks work while ours does
    voterLog.flush(index);
    commit(now);
  }

  private long proposalNanos(long now) {
    var timing = raft.settings.timing();
    return Math.max(timing.proposal().toNanos(), 2 * raft.waited(timing.electionMin(), now));
  }

  // ---- rounds

  private void sendRound(long now) {
    long sentAt = HavenRaft.now();
    round++;
    roundSentAt[(int) (round % ROUNDS)] = sentAt;
    nextHeartbeat = now + raft.settings.timing().heartbeat().toNanos();
    for (var link : raft.peers.all()) {
      sendTo(link.name(), now);
    }
    if (raft.isSole()) {
      raft.bulletin.quorumRound(sentAt);
    }
  }

  private @Nullable Progress progress(String name) {
    var log = raft.logs.get(name);
    if (log == null) {
      return null;
    }
    var known = progress.get(name);
    if (known == null || !known.log.equals(log)) {
      known = new Progress(log, raft.voterLog.lastAppended() + 1);
      progress.put(name, known);
    }
    return known;
  }

  private void sendTo(String name, long now) {
    if (!(progress(name) instanceof Progress to)) {
      return; // it has not greeted yet
    }
    var voterLog = raft.voterLog;
    if (to.snapshot != null || to.next < voterLog.firstAppended()) {
      sendSnapshot(name, to, now);
      return;
    }
    var entries = new ArrayList<LogEntry>();
    long last = voterLog.lastAppended();
    if (now - to.pauseUntil >= 0) {
      long unanswered = bytesBetween(to.match + 1, to.next - 1);
      int bytes = 0;
      for (long i = to.next; i <= last && bytes < MESSAGE_BYTES; i++) {
        var entry = Objects.requireNonNull(voterLog.get(i));
        if (unanswered + bytes > WINDOW_BYTES) {
          break;
        }
        entries.add(entry);
        bytes += entry.length() + 32;
      }
    }
    long previous = to.next - 1;
    raft.peers.send(
        name,
        new Append(
            raft.currentTerm(),
            round,
            previous,
            voterLog.termAt(previous),
            raft.commitIndex(),
            entries,
            raft.generation(),
            raft.patience.own(now)));
    to.next += entries.size();
  }

  private long bytesBetween(long from, long to) {
    long bytes = 0;
    for (long i = Math.max(from, raft.voterLog.firstAppended());
        i <= to && bytes <= WINDOW_BYTES;
        i++) {
      bytes += Objects.requireNonNull(raft.voterLog.get(i)).length() + 32L;
    }
    return bytes;
  }

  void onAnswer(Peer from, AppendAnswer answer, long now) {
    var of = progress(from.name());
    if (of == null || !of.log.equals(from.log())) {
      return;
    }
    noteRound(from, of, answer.round());
    if (answer.matches()) {
      long match = Math.min(answer.index(), raft.voterLog.lastAppended());
      of.match = Math.max(of.match, match);
      if (of.snapshot != null && of.match >= of.snapshot.index()) {
        of.withoutSnapshot();
      }
      of.next = Math.max(of.next, of.match + 1);
      if (answer.full()) {
        of.next = of.match + 1;
        of.pauseUntil = now + FULL_PAUSE;
      }
      commit(now);
    } else if (answer.full()) {
      of.withoutSnapshot();
      of.pauseUntil = now + FULL_PAUSE;
    } else {
      long back = Math.max(of.match + 1, answer.index() + 1);
      if (answer.round() <= of.steppedBackIn && back >= of.steppedBackTo) {
        return; // one of many that say the same; what is missing is on its way again
      }
      of.next = Math.max(of.match + 1, Math.min(back, of.next - 1));
      of.steppedBackIn = round;
      of.steppedBackTo = of.next;
    }
    if (of.partSentIn != 0 && !isLost(of, answer.round())) {
      return;
    }
    of.partSentIn = 0;
    boolean behind = of.next <= raft.voterLog.lastAppended();
    if (raft.leads() && now - of.pauseUntil >= 0 && (behind || !answer.matches())) {
      sendTo(from.name(), now);
    }
  }

  private void noteRound(Peer from, Progress of, long answered) {
    if (!raft.voters().admits(from) || answered <= round - ROUNDS || answered > round) {
      return;
    }
    long sentAt = roundSentAt[(int) (answered % ROUNDS)];
    if (sentAt - of.answeredRoundSentAt > 0) {
      of.answeredRoundSentAt = sentAt;
      raft.goingAlone.together(from.name(), sentAt);
      quorum(HavenRaft.now());
    }
  }

  /** The time of the last round that a majority has answered, or a later one. */
  private void quorum(long now) {
    long time =
        raft.voters()
            .reached(
                voter ->
                    voter.is(raft.self())
                        ? roundSentAt[(int) (round % ROUNDS)]
                        : progress.get(voter.name()) instanceof Progress of
                                && of.log.equals(voter.log())
                            ? of.answeredRoundSentAt
                            : 0);
    if (time != 0 && time - raft.bulletin.quorumRound() > 0) {
      raft.bulletin.quorumRound(time);
      raft.patience.late(now - time, now);
      excused = 0;
    }
  }

  private void commit(long now) {
    var voters = raft.voters();
    if (voters.all().isEmpty()) {
      return;
    }
    long index =
        voters.reached(
            voter ->
                voter.is(raft.self())
                    ? raft.voterLog.lastAppended()
                    : progress.get(voter.name()) instanceof Progress of
                            && of.log.equals(voter.log())
                        ? of.match
                        : 0);
    if (index <= raft.commitIndex() || raft.voterLog.termAt(index) != raft.currentTerm()) {
      return;
    }
    raft.commitTo(index, waiting);
    while (!deadlines.isEmpty() && deadlines.peek().index() <= index) {
      deadlines.remove();
    }
    if (!raft.isAdmitted() && raft.votersIndex() <= index) {
      sendRound(now); // the others learn that it is committed
      log.info("voter {} was removed and leads no more", raft.settings.name());
      raft.withoutLeader();
    } else if (raft.voters().isJoint() && raft.votersIndex() <= index) {
      proposals.add(
          new Proposal(
              Internal.VOTERS, raft.voters().settled().bytes(), new CompletableFuture<>()));
    }
  }

  // ---- snapshots

  /**
   * One part is out at a time, and a part may take long: over a narrow link, or at a slow disk.
   * Until it is answered, or known to be lost, heartbeats take its place.
   */
  private void sendSnapshot(String name, Progress to, long now) {
    if (now - to.pauseUntil < 0 || to.partSentIn != 0) {
      sendHeartbeat(name, now);
      return;
    }
    if (to.snapshot == null) {
      try {
        to.snapshot = raft.voterLog.snapshot();
      } catch (IOException e) {
        throw raft.halt.now("the own snapshot cannot be read", e);
      }
      to.offset = 0;
      if (to.snapshot == null) {
        throw raft.halt.broken("entries before %d are gone without a snapshot".formatted(to.next));
      }
      log.info("voter {} is far behind and gets the state at {}", name, to.snapshot.index());
    }
    var snapshot = to.snapshot;
    int length = Math.min(PART_BYTES, snapshot.state().length - to.offset);
    raft.peers.send(
        name,
        new Wire.SnapshotPart(
            raft.currentTerm(),
            round,
            snapshot.index(),
            snapshot.term(),
            snapshot.voters(),
            to.offset,
            snapshot.state().length,
            Arrays.copyOfRange(snapshot.state(), to.offset, to.offset + length),
            raft.generation()));
    to.partSentIn = round;
  }

  /** To one whose log ends before ours begins: every log agrees at 0. */
  private void sendHeartbeat(String name, long now) {
    raft.peers.send(
        name,
        new Append(
            raft.currentTerm(),
            round,
            0,
            0,
            0,
            List.of(),
            raft.generation(),
            raft.patience.own(now)));
  }

  /**
   * Words and answers keep their order. So a part was lost, or its answer was, when a word of a
   * later round is answered first. After a change of connections they may not: then a part is sent
   * twice, which does no harm.
   */
  private boolean isLost(Progress of, long answered) {
    return answered > of.partSentIn && answered <= round;
  }

  void onSnapshotAnswer(Peer from, Wire.SnapshotAnswer answer, long now) {
    var of = progress(from.name());
    if (of == null || !of.log.equals(from.log())) {
      return;
    }
    noteRound(from, of, answer.round());
    if (of.snapshot != null
        && answer.round() == of.partSentIn
        && of.snapshot.index() == answer.index()
        && answer.next() >= 0
        && answer.next() < of.snapshot.state().length
        && answer.next() != of.offset) {
      of.offset = answer.next();
      of.partSentIn = 0;
      sendTo(from.name(), now);
    }
  }

  // ---- time

  /** This voter stood still for so long, and answers may wait to be read. */
  void excuse(long nanos) {
    excused = Math.min(excused + nanos, raft.settings.timing().electionMax().toNanos());
  }

  void tick(long now) {
    if (now - nextHeartbeat >= 0) {
      sendRound(now);
    }
    while (!deadlines.isEmpty() && now - deadlines.peek().deadline() >= 0) {
      var late = waiting.remove(deadlines.remove().index());
      if (late != null) {
        HavenRaft.unknown(
            List.of(late),
            "not committed within %s; it may still be"
                .formatted(Duration.ofNanos(proposalNanos(now)).truncatedTo(ChronoUnit.MILLIS)));
      }
    }
    long contact = raft.bulletin.quorumRound() == 0 ? since : raft.bulletin.quorumRound();
    if (now - contact - excused > raft.waited(raft.settings.timing().electionMin(), now)) {
      if (now - since < SHORT_LEADERSHIP) {
        raft.patience.tooShort(now - contact, now);
      }
      log.warn(
          "no majority has answered for {} ms: this voter leads no more",
          (now - contact) / 1_000_000);
      raft.withoutLeader();
      return;
    }
    if (change != null) {
      tryChange(change, now);
    } else {
      admitReturned(now);
    }
  }

  // ---- changes of the voters

  /** One that was left behind is back with a new log: it is let catch up and admitted. */
  private void admitReturned(long now) {
    var patience = raft.settings.faults().newcomerPatience();
    for (var absent : raft.voters().absent()) {
      var there = raft.logs.get(absent.name());
      boolean soon = nextTry.get(absent.name()) instanceof Long at && now - at < 0;
      if (there != null
          && !there.equals(absent.log())
          && raft.peers.isHeard(absent.name(), now)
          && !soon) {
        log.info("voter {} is back with a new log and is admitted again", absent.name());
        var admitted = new CompletableFuture<byte[]>();
        var unused =
            admitted.whenComplete(
                (done, failure) -> {
                  if (failure != null) {
                    nextTry.put(absent.name(), HavenRaft.now() + patience.toNanos());
                    log.warn(
                        "voter {} is back and is not admitted, next try in {} s: {}",
                        absent.name(),
                        patience.toSeconds(),
                        failure.getMessage());
                  }
                });
        begin(absent, false, admitted);
        return;
      }
    }
  }

  void addVoter(Voters.Voter wanted, CompletableFuture<byte[]> future) {
    if (raft.voters().named(wanted.name()).isPresent()) {
      future.completeExceptionally(
          new Refused(
              "%s is a voter already; if its disk was wiped, remove it first"
                  .formatted(wanted.name())));
      return;
    }
    giveWay();
    if (change != null) {
      future.completeExceptionally(
          new Refused("%s is being added; one at a time".formatted(change.wanted().name())));
      return;
    }
    begin(wanted, true, future);
  }

  private void begin(Voters.Voter wanted, boolean asked, CompletableFuture<byte[]> future) {
    long deadline = HavenRaft.now() + raft.settings.faults().newcomerPatience().toNanos();
    change = new Change(wanted, deadline, asked, future);
    raft.peers.link(wanted.name(), wanted.raft());
    raft.admission.newcomer(Optional.of(wanted.name()));
    tryChange(change, HavenRaft.now());
  }

  /** A change that no operator asked for ends when an operator asks for another one. */
  private void giveWay() {
    if (change != null && !change.asked()) {
      var future = change.future();
      changed();
      future.completeExceptionally(new Refused("an operator changes the voters"));
    }
  }

  private void changed() {
    change = null;
    raft.admission.newcomer(Optional.empty());
  }

  private void tryChange(Change wanted, long now) {
    var name = wanted.wanted().name();
    boolean settled = raft.votersIndex() <= raft.commitIndex() && !raft.voters().isJoint();
    var of = progress(name);
    if (of != null && settled && of.match >= raft.commitIndex()) {
      changed();
      var voter = new Voters.Voter(wanted.wanted().address(), of.log);
      propose(Internal.VOTERS, raft.voters().with(voter).bytes(), wanted.future());
      flush(now);
    } else if (now - wanted.deadline() >= 0) {
      changed();
      long patience = raft.settings.faults().newcomerPatience().toSeconds();
      wanted
          .future()
          .completeExceptionally(
              new Refused(
                  of == null
                      ? "voter %s at %s has not answered within %d s: is its orchestrator running?"
                          .formatted(name, wanted.wanted().raft(), patience)
                      : "voter %s has not caught up within %d s: at %d of %d"
                          .formatted(name, patience, of.match, raft.commitIndex())));
    }
  }

  /** One that is being added speaks of a term that this cluster has not come to. */
  void newcomerIsAhead(Peer from, long term) {
    if (change == null || !change.wanted().name().equals(from.name())) {
      return;
    }
    var future = change.future();
    changed();
    future.completeExceptionally(
        new Refused(
            "voter %s says that it is in term %d, and this cluster is in term %d: it has a log of another time or of another cluster; stop it, move what is in its data directory away, start it, and add it again"
                .formatted(from.name(), term, raft.currentTerm())));
  }

  void removeVoter(String name, CompletableFuture<byte[]> future) {
    giveWay();
    var voters = raft.voters();
    boolean absent = voters.absent().stream().anyMatch(voter -> voter.name().equals(name));
    if (voters.named(name).isEmpty() && !absent) {
      future.completeExceptionally(
          new Refused(
              "%s is no voter; the voters are %s"
                  .formatted(name, voters.all().stream().map(Voters.Voter::name).toList())));
    } else if (voters.all().size() == 1 && !absent) {
      future.completeExceptionally(new Refused(name + " is the last voter"));
    } else if (change != null || voters.isJoint() || raft.votersIndex() > raft.commitIndex()) {
      future.completeExceptionally(new Refused("another change of the voters is under way"));
    } else {
      propose(Internal.VOTERS, voters.without(name).bytes(), future);
      flush(HavenRaft.now());
    }
  }
}
