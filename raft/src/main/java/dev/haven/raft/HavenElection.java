package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import dev.haven.raft.Wire.Pace;
import dev.haven.raft.Wire.PreVote;
import dev.haven.raft.Wire.PreVoteAnswer;
import dev.haven.raft.Wire.Vote;
import dev.haven.raft.Wire.VoteAnswer;
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

  /** Who would vote for us in the next term, and who did in this one. An answer may come late. */
  private final Set<String> granted = new HashSet<>();

  private final Set<String> votes = new HashSet<>();
  private long askedFor;
  private long stoodIn;

  /** When this voter last voted, for itself or another one; that one gets time to lead. */
  private long votedAt;

  private boolean everVoted;
  private boolean yielded;

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
    deadline = now + patience(now);
  }

  private void askAgainSoon(long now) {
    phase = Phase.FOLLOWING;
    deadline = now + ThreadLocalRandom.current().nextLong(ANSWERS_NANOS / 2);
  }

  private long patience(long now) {
    var timing = haven.settings.timing();
    long usual =
        ThreadLocalRandom.current()
            .nextLong(timing.electionMin().toNanos(), timing.electionMax().toNanos());
    return (long) (usual * haven.patience.factor(now));
  }

  /** How long answers are waited for, and how long the candidate that got a vote is left alone. */
  private long answers(long now) {
    return (long) (ANSWERS_NANOS * haven.patience.factor(now));
  }

  /** This voter stood still for so long, and a leader's words may wait to be read. */
  void excuse(long nanos) {
    if (phase == Phase.FOLLOWING) {
      deadline = Math.max(deadline, HavenRaft.now() + Math.min(nanos, ANSWERS_NANOS));
    }
  }

  /**
   * @param same whether it is the leader that was heard last
   */
  void heardLeader(long now, boolean same) {
    if (same && everHeard) {
      haven.patience.late(now - heardLeader, now);
    }
    heardLeader = now;
    everHeard = true;
    yielded = false;
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
    long term = haven.currentTerm() + 1;
    if (askedFor != term) {
      askedFor = term;
      granted.clear();
      granted.add(haven.settings.name());
    }
    deadline = now + answers(now) + ThreadLocalRandom.current().nextLong(answers(now) / 2);
    if (isMajority(granted)) {
      stand(now);
      return;
    }
    for (var voter : haven.voters().asked()) {
      haven.peers.send(
          voter.name(), new PreVote(term, lastIndex(), lastTerm(), voter.log(), pace(now)));
    }
  }

  void onPreVote(Peer from, PreVote request, long now) {
    boolean grant =
        request.term() > haven.currentTerm()
            && isMine(request.yourLog())
            && isUpToDate(request.lastTerm(), request.lastIndex())
            && !hearsLeader(request.pace().lateNanos(), now)
            && !favours(from, request, now);
    if (grant && phase == Phase.ASKING && !yielded) {
      // both ask at once: this one gives way, once, or the two split the votes again and again
      yielded = true;
      phase = Phase.FOLLOWING;
      deadline = now + 2 * answers(now) + ThreadLocalRandom.current().nextLong(ANSWERS_NANOS);
    }
    haven.peers.send(
        from.name(),
        new PreVoteAnswer(haven.currentTerm(), request.term(), grant, request.pace().stamp()));
  }

  /**
   * A leader hears itself until it steps down. Of others, one that asks is believed if it has met
   * with less lateness than we have: it may have the shorter way to the leader.
   */
  private boolean hearsLeader(long itsLateNanos, long now) {
    if (haven.leads()) {
      return true;
    }
    var timing = haven.settings.timing();
    long usual = timing.electionMin().minus(timing.heartbeat()).toNanos();
    long late = Math.min(2 * haven.patience.own(now), 2 * itsLateNanos);
    return everHeard && now - heardLeader < Math.max(usual, late);
  }

  /** Whether somebody else has our vote, or we stand ourselves, and that is not decided yet. */
  private boolean favours(Peer from, PreVote request, long now) {
    boolean undecided = everVoted && now - votedAt < answers(now);
    boolean other = !HavenRaft.address(from).equals(haven.votedFor());
    // of equal logs only: nobody would elect us with a shorter one, so nobody must wait for us
    boolean first =
        phase == Phase.ASKING
            && request.lastTerm() == lastTerm()
            && request.lastIndex() == lastIndex()
            && haven.settings.name().compareTo(from.name()) < 0;
    return undecided && other || first && !yielded;
  }

  private Pace pace(long now) {
    return new Pace(now, haven.patience.own(now));
  }

  void onPreVoteAnswer(Peer from, PreVoteAnswer answer, long now) {
    haven.patience.late(now - answer.stamp(), now);
    if (haven.learnTerm(answer.term())) {
      askAgainSoon(now); // it was only the number that was too low
      return;
    }
    if (phase != Phase.ASKING || answer.forTerm() != haven.currentTerm() + 1) {
      return;
    }
    if (answer.granted() && haven.voters().admits(from)) {
      granted.add(from.name());
      if (isMajority(granted)) {
        stand(now);
      }
    }
  }

  // ---- standing

  private void stand(long asked) {
    phase = Phase.STANDING;
    haven.voterLog.atOnce(
        () -> {
          haven.createNewTerm();
          haven.votedFor(HavenRaft.address(haven.self())); // on the disk before anyone is asked
        });
    long now = HavenRaft.now();
    long term = haven.currentTerm();
    haven.patience.late(now - asked, now);
    stoodIn = term;
    voted(now);
    votes.clear();
    votes.add(haven.settings.name());
    deadline = now + answers(now) + ThreadLocalRandom.current().nextLong(answers(now));
    logger.info("{}: stands for term {}", haven.settings.name(), term);
    if (isMajority(votes)) {
      lead();
      return;
    }
    for (var voter : haven.voters().asked()) {
      haven.peers.send(
          voter.name(), new Vote(term, lastIndex(), lastTerm(), voter.log(), pace(now)));
    }
  }

  private void voted(long now) {
    votedAt = now;
    everVoted = true;
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
    haven.patience.told(request.pace().lateNanos(), now);
    haven.voterLog.atOnce(
        () -> {
          if (haven.learnTerm(request.term())) {
            startOver(now);
          }
          if (mayVoteFor(from, request)) {
            haven.votedFor(HavenRaft.address(from));
          }
        });
    boolean grant =
        request.term() == haven.currentTerm()
            && !haven.leads()
            && HavenRaft.address(from).equals(haven.votedFor());
    long then = HavenRaft.now();
    if (grant) {
      voted(then);
      startOver(then);
    }
    haven.peers.send(
        from.name(), new VoteAnswer(haven.currentTerm(), grant, request.pace().stamp()));
  }

  private boolean mayVoteFor(Peer from, Vote request) {
    return request.term() == haven.currentTerm()
        && !haven.leads()
        && (haven.votedFor() == null || haven.votedFor().equals(HavenRaft.address(from)))
        && isUpToDate(request.lastTerm(), request.lastIndex());
  }

  /** A vote counts as long as the term lasts, also where we have begun to ask for the next one. */
  void onVoteAnswer(Peer from, VoteAnswer answer, long now) {
    haven.patience.late(now - answer.stamp(), now);
    if (haven.learnTerm(answer.term())) {
      startOver(now);
      return;
    }
    if (haven.leads() || stoodIn != haven.currentTerm() || answer.term() != stoodIn) {
      return;
    }
    if (answer.granted() && haven.voters().admits(from)) {
      votes.add(from.name());
      if (isMajority(votes)) {
        lead();
      }
    }
  }

  private void lead() {
    phase = Phase.FOLLOWING;
    stoodIn = 0; // nobody leads twice in one term: its rounds would have the same numbers
    haven.lead();
  }

  // ---- logs

  private boolean isMajority(Set<String> names) {
    return haven.voters().reached(voter -> names.contains(voter.name()) ? 1 : 0) == 1;
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
