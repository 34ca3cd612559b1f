package dev.haven.orchestrator.raft;

import dev.haven.orchestrator.raft.Voters.Peer;
import dev.haven.orchestrator.raft.Wire.PreVote;
import dev.haven.orchestrator.raft.Wire.PreVoteAnswer;
import dev.haven.orchestrator.raft.Wire.Vote;
import dev.haven.orchestrator.raft.Wire.VoteAnswer;
import java.util.HashSet;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jgroups.Event;
import org.jgroups.View;
import org.jgroups.conf.ClassConfigurator;
import org.jgroups.protocols.raft.ELECTION2;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Elections, on the Raft thread, from the leader's silence alone.
 *
 * <pre>
 *   following --silent--> asking --a majority would--> standing --a majority does--> leading
 *       ^                   |  ^                          |
 *       '---a leader speaks-'  '-----------no majority----'
 * </pre>
 *
 * Asking (the pre-vote) changes nothing: a voter that was cut off finds no majority that misses the
 * leader, and its term does not grow.
 */
final class HavenElection extends ELECTION2 {
  static final short ID = 1901;
  private static final Logger logger = LoggerFactory.getLogger(HavenElection.class);

  /** How long answers are waited for: two fsyncs of a slow disk. */
  private static final long ANSWERS_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  static {
    ClassConfigurator.addProtocol(ID, HavenElection.class);
  }

  private enum Phase {
    FOLLOWING,
    ASKING,
    STANDING
  }

  private HavenRaft haven;
  private Phase phase = Phase.FOLLOWING;
  private long deadline;
  private long heardLeader;
  private boolean everHeard;
  private final Set<String> granted = new HashSet<>();

  @SuppressWarnings("NullAway.Init") // bind() follows at once; the two need each other
  HavenElection() {}

  void bind(HavenRaft raft) {
    haven = raft;
  }

  // ---- what ELECTION2 does on views and messages of its own is not wanted here

  @Override
  protected void handleView(View view) {}

  @Override
  public Object down(Event event) {
    return down_prot.down(event);
  }

  @Override
  public Object up(Event event) {
    return up_prot.up(event);
  }

  @Override
  public void stop() {}

  // ---- time

  void startOver(long now) {
    phase = Phase.FOLLOWING;
    deadline = now + patience();
  }

  private void askAgainSoon(long now) {
    phase = Phase.FOLLOWING;
    deadline = now + ThreadLocalRandom.current().nextLong(ANSWERS_NANOS / 2);
  }

  private long patience() {
    var timing = haven.settings.timing();
    return ThreadLocalRandom.current()
        .nextLong(timing.electionMin().toNanos(), timing.electionMax().toNanos());
  }

  void heardLeader(long now) {
    heardLeader = now;
    everHeard = true;
    startOver(now);
  }

  void standNow(long now) {
    phase = Phase.FOLLOWING;
    deadline = now;
  }

  void tick(long now) {
    if (haven.leads() || now - deadline < 0) {
      return;
    }
    if (!haven.isAdmitted()) {
      haven.withoutLeader();
      startOver(now);
      return;
    }
    haven.withoutLeader();
    ask(now);
  }

  // ---- asking

  private void ask(long now) {
    phase = Phase.ASKING;
    granted.clear();
    granted.add(haven.settings.name());
    deadline = now + ANSWERS_NANOS + ThreadLocalRandom.current().nextLong(ANSWERS_NANOS / 2);
    long term = haven.currentTerm() + 1;
    if (isMajority()) {
      stand(now);
      return;
    }
    for (var voter : haven.voters().asked()) {
      haven.send(voter.name(), new PreVote(term, lastIndex(), lastTerm(), voter.log()), now);
    }
  }

  void onPreVote(Peer from, PreVote request, long now) {
    boolean grant =
        request.term() > haven.currentTerm()
            && isMine(request.yourLog())
            && isUpToDate(request.lastTerm(), request.lastIndex())
            && !hearsLeader(now);
    haven.send(from.name(), new PreVoteAnswer(haven.currentTerm(), request.term(), grant), now);
  }

  /** A leader hears itself as long as a majority answers it. */
  private boolean hearsLeader(long now) {
    var timing = haven.settings.timing();
    if (haven.leads()) {
      return haven.leadership().ready();
    }
    long recent = timing.electionMin().minus(timing.heartbeat()).toNanos();
    return everHeard && now - heardLeader < recent;
  }

  void onPreVoteAnswer(Peer from, PreVoteAnswer answer, long now) {
    if (haven.learnTerm(answer.term())) {
      askAgainSoon(now); // it was only the number that was too low
      return;
    }
    if (phase != Phase.ASKING || answer.forTerm() != haven.currentTerm() + 1) {
      return;
    }
    if (answer.granted() && haven.voters().admits(from)) {
      granted.add(from.name());
      if (isMajority()) {
        stand(now);
      }
    }
  }

  // ---- standing

  private void stand(long now) {
    phase = Phase.STANDING;
    long term = haven.createNewTerm();
    haven.votedFor(HavenRaft.address(haven.self())); // on the disk before anyone is asked
    granted.clear();
    granted.add(haven.settings.name());
    deadline = now + ANSWERS_NANOS + ThreadLocalRandom.current().nextLong(ANSWERS_NANOS);
    logger.info("{}: stands for term {}", haven.settings.name(), term);
    if (isMajority()) {
      lead();
      return;
    }
    for (var voter : haven.voters().asked()) {
      haven.send(voter.name(), new Vote(term, lastIndex(), lastTerm(), voter.log()), now);
    }
  }

  /**
   * Votes, at most once in a term, for a log at least as good as ours. Only if the candidate's set
   * of voters has this very log: a voter whose disk was wiped has forgotten earlier votes and
   * entries.
   */
  void onVote(Peer from, Vote request, long now) {
    if (!isMine(request.yourLog())) {
      return;
    }
    if (haven.learnTerm(request.term())) {
      startOver(now);
    }
    var candidate = HavenRaft.address(from);
    boolean grant =
        request.term() == haven.currentTerm()
            && !haven.leads()
            && (haven.votedFor() == null || haven.votedFor().equals(candidate))
            && isUpToDate(request.lastTerm(), request.lastIndex());
    if (grant) {
      haven.votedFor(candidate);
      startOver(now);
    }
    haven.send(from.name(), new VoteAnswer(haven.currentTerm(), grant), now);
  }

  void onVoteAnswer(Peer from, VoteAnswer answer, long now) {
    if (haven.learnTerm(answer.term())) {
      startOver(now);
      return;
    }
    if (phase != Phase.STANDING || answer.term() != haven.currentTerm()) {
      return;
    }
    if (answer.granted() && haven.voters().admits(from)) {
      granted.add(from.name());
      if (isMajority()) {
        lead();
      }
    }
  }

  private void lead() {
    phase = Phase.FOLLOWING;
    haven.lead();
  }

  // ---- logs

  private boolean isMajority() {
    return haven.voters().reached(voter -> granted.contains(voter.name()) ? 1 : 0) == 1;
  }

  private boolean isMine(UUID log) {
    return log.equals(haven.voterLog.id());
  }

  private boolean isUpToDate(long term, long index) {
    return term > lastTerm() || term == lastTerm() && index >= lastIndex();
  }

  private long lastIndex() {
    return haven.voterLog.lastAppended();
  }

  private long lastTerm() {
    return haven.voterLog.lastTerm();
  }
}
