package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.Proof;
import dev.haven.core.ha.Vacancy;
import java.time.Instant;
import java.util.Optional;

/**
 * Looks at the proofs behind an order once more, right before the order leaves: a host that was
 * proven off may have shown a sign of life since.
 */
public final class ProofsLookedAt {
  private final Watch watch;

  public ProofsLookedAt(Watch watch) {
    this.watch = watch;
  }

  /**
   * What speaks against the first proof that does not hold. The order then stays here, and the
   * leader decides on this event.
   *
   * @param now on the monotonic clock of this voter
   * @param at for the event
   * @return empty if all proofs hold
   */
  public Optional<Event> against(Vacancy vacancy, ClusterState state, long now, Instant at) {
    for (var proof : vacancy.proofs()) {
      var boot = state.host(proof.host()).flatMap(Host::boot);
      if (!proof.voidedByLife() || !boot.equals(Optional.of(proof.boot()))) {
        continue; // it holds while the host lives, or that boot is over anyway
      }
      var since = watch.proofTimes().since(proof);
      var sign = since.flatMap(s -> signOfLife(proof, s.sure(), now));
      if (sign.isPresent()) {
        return Optional.of(new Event.ProofContradicted(proof.host(), proof.boot(), sign.get(), at));
      }
      if (since.isEmpty() || signOfLife(proof, since.get().doubt(), now).isPresent()) {
        return Optional.of(new Event.ProofUnchecked(proof.host(), proof.boot(), at));
      }
    }
    return Optional.empty();
  }

  /** An operator may override an answer of a kernel, but no signed heartbeat. */
  private Optional<String> signOfLife(Proof proof, long since, long now) {
    return proof instanceof Proof.OperatorsWord word && word.overridden()
        ? watch.heardSince(proof.host(), since, now)
        : watch.signOfLifeSince(proof.host(), since, now);
  }
}
