package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.util.List;
import java.util.Optional;

/**
 * Proofs that a later sign of life has voided. The host that lives holds every guest again that it
 * held before and that does not run elsewhere yet.
 */
final class VoidedProofs {
  private VoidedProofs() {}

  /** Whether the host is known to live under the very boot that the proof says can run nothing. */
  static boolean voided(ClusterState s, Proof proof) {
    return proof.voidedByLife()
        && s.host(proof.host())
            .filter(h -> h.boot().equals(Optional.of(proof.boot())))
            .filter(h -> !(h.state() instanceof HostState.Fenced))
            .isPresent();
  }

  /** The first of a guest's proofs that is voided; empty if all of them stand. */
  static Optional<Proof> of(ClusterState s, Guest guest) {
    return guest.proofs().stream().filter(p -> voided(s, p)).findFirst();
  }

  /** The host is no longer proven off: each guest that rests on it gets its holder back. */
  static void takeBack(Deliberation d, HostId host, BootId boot) {
    for (var guest : List.copyOf(d.state().guests())) {
      if (!d.leavesOut(guest.id())) {
        takeBack(d, guest.id(), host, boot);
      }
    }
  }

  /** The same for one guest. */
  static void takeBack(Deliberation d, GuestId id, HostId host, BootId boot) {
    var guest = d.guest(id);
    var lost =
        guest.cleared().stream()
            .filter(c -> c.proof().host().equals(host) && c.holding().boot().equals(boot))
            .filter(c -> voided(d.state(), c.proof()))
            .findFirst();
    if (lost.isEmpty() || guest.holders().containsKey(host)) {
      return;
    }
    d.change(new Change.HolderRestored(id, host, lost.get().holding()));
    d.note(
        "evidence",
        id,
        "guest %s: host %s may still run it (epoch %s)"
            .formatted(id, host, lost.get().holding().epoch()));
    switch (guest.phase()) {
      // nobody else was ordered to run it: where it is still there, it goes on
      case GuestPhase.Waiting _, GuestPhase.Failed _, GuestPhase.Stopped _ ->
          GuestPolicy.askLastHolder(d, id, "host " + host + " may still run it", false);
      // nothing of it may be left at the target before it goes on at the source
      case GuestPhase.Migrating m
          when m.step() == GuestPhase.Step.STAYING && m.target().equals(host) ->
          d.phase(id, m.at(GuestPhase.Step.UNDOING, m.why()));
      // two hosts may run it now, so it goes on on neither
      case GuestPhase.Vacating v when !v.destroy() ->
          d.phase(id, new GuestPhase.Vacating(v.host(), v.boot(), v.epoch(), true, v.why()));
      case GuestPhase.Starting _,
          GuestPhase.Stopping _,
          GuestPhase.Vacating _,
          GuestPhase.Migrating _,
          GuestPhase.Running _ -> {}
    }
    GuestPolicy.orders(d, d.guest(id));
  }
}
