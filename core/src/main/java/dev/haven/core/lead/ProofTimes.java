package dev.haven.core.lead;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.core.ha.VoterClock;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * On every voter: since when a sign of life voids each proof of a host's death. Soft state, in
 * {@link System#nanoTime} of this voter.
 *
 * <p>The voter that gathered the evidence counts from the beginning of its reading. It writes into
 * the entry what it had last heard of every other voter's clock by then, so that another one that
 * leads later counts from that moment of its own clock, however late it applies the entry. No two
 * clocks are compared. That moment is some 100 ms early where the voters heard each other, and more
 * where they did not: what was heard between it and the apply is a doubt, and the host is proven
 * off once more. A voter that is not named, or has begun again since, cannot say at all.
 */
public final class ProofTimes {
  /** A proof as its host, its boot and its time name it. */
  private record Key(HostId host, BootId boot, Instant at) {}

  /**
   * @param doubt a sign of life after this may be later than the evidence
   * @param sure a sign of life after this is
   */
  public record Since(long doubt, long sure) {}

  private final String voter;
  private final String process = UUID.randomUUID().toString();
  private final Map<Key, Since> since = new HashMap<>();

  /**
   * @param voter the name of this one
   */
  public ProofTimes(String voter) {
    this.voter = voter;
  }

  /** This voter's clock, for the others. */
  public VoterClock clock(long now) {
    return new VoterClock(process, now);
  }

  /**
   * This voter itself gathers the evidence of a proof that is about to be decided on.
   *
   * @param at the proof's own time
   * @param began a sign of life after this voids it
   */
  public synchronized void gathered(HostId host, BootId boot, Instant at, long began) {
    since.put(new Key(host, boot, at), new Since(began, began));
  }

  /**
   * A command is about to be decided on. Where a person declares a host dead, what is seen of the
   * host after it was looked at voids their word.
   *
   * @param at of the event that tells the leader of the command
   * @param began when the host was looked at for the person
   */
  public void commanded(ClusterState state, Command command, Instant at, long began) {
    if (command instanceof Command.ConfirmDead c) {
      var boot = state.host(c.host()).flatMap(Host::boot);
      boot.ifPresent(b -> gathered(c.host(), b, at, began));
    }
  }

  /**
   * The same changes; each proof that this voter has gathered tells the others since when it holds.
   */
  public synchronized List<Change> dated(List<Change> changes, VoterClocks clocks) {
    return changes.stream().map(c -> dated(c, clocks)).toList();
  }

  private Change dated(Change change, VoterClocks clocks) {
    if (!(change instanceof Change.HostStateChanged c)
        || !(c.state() instanceof HostState.Fenced f)
        || !(since.get(key(f.proof())) instanceof Since known)) {
      return change;
    }
    var before = clocks.before(known.doubt());
    before.put(voter, clock(known.doubt()));
    return new Change.HostStateChanged(
        c.host(), new HostState.Fenced(f.boot(), f.proof(), Optional.of(before)));
  }

  /** An entry was applied. */
  public synchronized void applied(ClusterState before, ClusterState after, long now) {
    for (var host : after.hosts()) {
      if (host.state() instanceof HostState.Fenced f
          && !before.host(host.id()).map(Host::state).equals(Optional.of(f))
          && f.before().map(b -> b.get(voter)).orElse(null) instanceof VoterClock own
          && own.process().equals(process)) {
        since.putIfAbsent(key(f.proof()), new Since(own.nanos(), now));
      }
    }
    // a proof is needed for as long as its host has not booted again, even if the host is back
    since
        .keySet()
        .removeIf(
            k ->
                after.host(k.host()).filter(h -> h.boot().equals(Optional.of(k.boot()))).isEmpty());
  }

  /** Since when a sign of life voids the proof; empty if this voter cannot say. */
  public synchronized Optional<Since> since(Proof proof) {
    return Optional.ofNullable(since.get(key(proof)));
  }

  private static Key key(Proof proof) {
    return new Key(proof.host(), proof.boot(), proof.at());
  }
}
