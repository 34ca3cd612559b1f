package dev.haven.orchestrator.vigil;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.orchestrator.ha.ClusterState;
import dev.haven.orchestrator.ha.Host;
import dev.haven.orchestrator.ha.HostState;
import dev.haven.orchestrator.ha.Proof;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * On every voter: since when a sign of life voids each proof of a host's death. Soft state, in
 * {@link System#nanoTime} of this voter.
 *
 * <p>The voter that gathered the evidence counts from the beginning of its reading. Another one
 * counts from when it applied the proof, provided that the proof was fresh then. A voter that
 * learns of an old proof, because it was down or cut off, cannot say: then the host has to be
 * proven off once more before anything rests on it.
 */
public final class ProofTimes {
  /** A proof older than this, by the wall clock, was not applied when it was committed. */
  private static final Duration FRESH = Duration.ofSeconds(20);

  /** A proof as its host, its boot and its time name it. */
  private record Key(HostId host, BootId boot, Instant at) {}

  private final Map<Key, Long> since = new HashMap<>();

  /**
   * This voter itself gathers the evidence of a proof that is about to be decided on.
   *
   * @param at the proof's own time
   * @param began a sign of life after this voids it
   */
  public synchronized void gathered(HostId host, BootId boot, Instant at, long began) {
    since.put(new Key(host, boot, at), began);
  }

  /**
   * An entry was applied.
   *
   * @param wall this voter's wall clock, only to tell a fresh proof from an old one
   */
  public synchronized void applied(
      ClusterState before, ClusterState after, long now, Instant wall) {
    for (var host : after.hosts()) {
      if (host.state() instanceof HostState.Fenced f
          && !before.host(host.id()).map(Host::state).equals(Optional.of(f))
          && Duration.between(f.proof().at(), wall).abs().compareTo(FRESH) <= 0) {
        since.putIfAbsent(key(f.proof()), now);
      }
    }
    // a proof is needed for as long as its host has not booted anew, even if the host is back
    since
        .keySet()
        .removeIf(
            k ->
                after.host(k.host()).filter(h -> h.boot().equals(Optional.of(k.boot()))).isEmpty());
  }

  /** A sign of life after this voids the proof; empty if this voter cannot say. */
  public synchronized OptionalLong since(Proof proof) {
    var known = since.get(key(proof));
    return known == null ? OptionalLong.empty() : OptionalLong.of(known);
  }

  private static Key key(Proof proof) {
    return new Key(proof.host(), proof.boot(), proof.at());
  }
}
