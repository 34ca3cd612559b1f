package dev.haven.raft;

import dev.haven.raft.Voters.Peer;
import dev.haven.raft.port.ReplicatedLog.Refused;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A voter that goes on without the others: of two, after the other one's host was proven off
 * (docs/adr/0011-two-alone.md), or because an operator says so. Belongs to the Raft thread.
 */
final class GoingAlone {
  private static final Logger logger = LoggerFactory.getLogger(GoingAlone.class);

  /** Above all terms that the other side can have come to by itself. */
  private static final long FORCED_TERMS = 1_000_000;

  /** A leader asks several times a second. */
  private static final long REFUSED_NANOS = TimeUnit.SECONDS.toNanos(10);

  private final HavenRaft raft;
  private final HavenElection election;
  private final Seldom seldom;

  /** Whether the two voters of the present set were in touch since it is in force. */
  private boolean together;

  private volatile Optional<Refusal> refused = Optional.empty();

  GoingAlone(HavenRaft raft, HavenElection election, Seldom seldom) {
    this.raft = raft;
    this.election = election;
    this.seldom = seldom;
  }

  /** Another set of voters is in force: whether they are in touch is not known yet. */
  void newVoters() {
    together = false;
  }

  /**
   * The other one leads us, or has answered us, under the set of voters that this log has.
   *
   * @param at when the round was sent that it has answered, or came that we answer
   */
  void together(String name, long at) {
    together = true;
    if (raft.peers.get(name) instanceof Link link) {
      link.contact(at);
    }
  }

  /**
   * The other voter, if this one may go on alone once that one is proven off: there are two by a
   * committed entry, and the two were in touch while this host's present boot ran. So the other one
   * cannot have gone on alone: it would have needed the proof that this host is off. A voter that
   * has just booted does not know that.
   */
  Optional<Voters.Voter> mayOutlive() {
    var other = raft.voters().other(raft.self());
    boolean inTouch = together && raft.votersIndex() <= raft.commitIndex();
    boolean begun =
        raft.voterLog.intent().isPresent() && raft.voterLog.intent().equals(raft.settings.boot());
    return other.filter(
        o ->
            raft.settings.boot().isPresent()
                && (inTouch || begun)
                && (!(raft.admission.greetings().get(o.name()) instanceof Wire.Hello hello)
                    || hello.generation() != 0));
  }

  /**
   * From this generation on, this log's entries may contradict the leader's: they are set aside,
   * and the next start begins as a newcomer with a new log.
   */
  void supersede(Peer by, long newer) {
    if (!isProven(by, newer)) {
      seldom.warn(
          "generation",
          "voter %s says that the cluster goes on under generation %d, after %d, and nobody whom this log has as a voter began that: it is not followed. If it is true, move what is in %s away and start this voter again"
              .formatted(by.name(), newer, raft.generation(), raft.voterLog.where()));
      return;
    }
    if (raft.voterLog.wasSetAside() && !raft.isAdmitted()) {
      var why =
          "voter %s goes on under generation %d, after %d, but this voter has set a log aside before and was not admitted again since: it is not followed a second time. If it is true, move what is in %s away and start this voter again"
              .formatted(by.name(), newer, raft.generation(), raft.voterLog.where());
      seldom.warn("generation", why);
      refused = Optional.of(new Refusal(why, HavenRaft.now()));
      return;
    }
    logger.warn(
        "voter {} went on without this one, under generation {} after {}: this log is set aside,"
            + " and this voter begins again as a newcomer",
        by.name(),
        newer,
        raft.generation());
    raft.voterLog.setAside();
    throw raft.halt.restart("begins again under generation " + newer);
  }

  /** A generation that is not followed, and when that was last asked for. */
  private record Refusal(String why, long at) {}

  /** Any thread. */
  Optional<String> waitsForPerson() {
    return refused.filter(r -> HavenRaft.now() - r.at() < REFUSED_NANOS).map(Refusal::why);
  }

  /**
   * Whether a later generation was begun by a log that had a vote in ours: it says so itself, on a
   * connection of its own, and the leader is that one or one that it names as a voter.
   */
  private boolean isProven(Peer by, long newer) {
    for (var greeting : raft.admission.greetings().entrySet()) {
      var set = greeting.getValue().voters();
      var log = raft.logs.get(greeting.getKey());
      if (log == null || set.generation() != newer) {
        continue;
      }
      var itself = new Peer(greeting.getKey(), log);
      if (set.began().equals(Optional.of(itself))
          && raft.voters().knew(itself)
          && (by.equals(itself) || set.admits(by))) {
        return true;
      }
    }
    return false;
  }

  /** Notes, before it is done, that the other voter's host is fenced without a quorum. */
  void intend(String other, CompletableFuture<byte[]> future) {
    if (mayOutlive().filter(o -> o.name().equals(other)).isEmpty()) {
      future.completeExceptionally(new Refused(other + " is not to be outlived"));
    } else if (!raft.voterLog.hasRoom(0)) {
      future.completeExceptionally(new Refused("no disk space is left at all"));
    } else {
      raft.voterLog.intend(raft.settings.boot().orElseThrow());
      future.complete(new byte[0]);
    }
  }

  /**
   * Goes on as the sole voter.
   *
   * @param unheardSince on {@link System#nanoTime()}'s clock: refused if the other one was heard
   *     later
   */
  void goOnAlone(String other, long unheardSince, CompletableFuture<byte[]> future) {
    if (mayOutlive().filter(o -> o.name().equals(other)).isEmpty()) {
      future.completeExceptionally(new Refused(other + " is not to be outlived"));
    } else if (raft.leads()) {
      future.completeExceptionally(new Refused("this voter leads with " + other));
    } else if (raft.peers.get(other) instanceof Link link
        && HavenRaft.now() - link.silentNanos(HavenRaft.now()) - unheardSince > 0) {
      future.completeExceptionally(new Refused("voter " + other + " was heard meanwhile"));
    } else {
      begin(raft.voters().alone(raft.self()), raft.currentTerm() + 1, future);
    }
  }

  /** Goes on as the sole voter because an operator says that the others are off and stay so. */
  void forceAlone(CompletableFuture<byte[]> future) {
    var heard =
        raft.voters().asked().stream()
            .map(Voters.Voter::name)
            .filter(
                name ->
                    raft.peers.isHeard(name, HavenRaft.now()) && !name.equals(raft.settings.name()))
            .toList();
    if (!raft.isAdmitted()) {
      future.completeExceptionally(
          new Refused(
              "voter %s has no vote: its log is not the one that was admitted"
                  .formatted(raft.settings.name())));
    } else if (!heard.isEmpty()) {
      future.completeExceptionally(
          new Refused("still heard: voter " + String.join(", voter ", heard)));
    } else if (raft.isSole()) {
      future.completeExceptionally(
          new Refused("voter %s is the only voter as it is".formatted(raft.settings.name())));
    } else {
      begin(raft.voters().forced(raft.self()), raft.currentTerm() + FORCED_TERMS, future);
    }
  }

  /** No other voter can have this term: they all needed this one's vote for it. */
  private void begin(Voters next, long term, CompletableFuture<byte[]> future) {
    var entry = List.of(Internal.VOTERS.entry(term, next.bytes()));
    if (!raft.voterLog.hasRoom(VoterLog.size(entry))) {
      future.completeExceptionally(new Refused("no disk space is left at all"));
      return;
    }
    raft.withoutLeader();
    raft.learnTerm(term);
    raft.votedFor(HavenRaft.address(raft.self()));
    raft.appendOwn(entry);
    logger.warn(
        "voter {} goes on alone under generation {}, without {}",
        raft.settings.name(),
        next.generation(),
        next.absent().stream().map(Voters.Voter::name).toList());
    election.standNow(HavenRaft.now());
    raft.publish(); // a caller that waits for this asks at once what is allowed now
    future.complete(new byte[0]);
  }
}
