package dev.haven.core.ha;

import java.util.Optional;

/** Proofs that a later sign of life has voided. */
final class VoidedProofs {
  private VoidedProofs() {}

  /** Whether the host is known to live under the very boot that the proof says can run nothing. */
  static boolean voided(HostTable hosts, Proof proof) {
    return proof.voidedByLife()
        && Optional.ofNullable(hosts.get(proof.host()))
            .filter(h -> h.boot().equals(Optional.of(proof.boot())))
            .filter(h -> !(h.state() instanceof HostState.Fenced))
            .isPresent();
  }

  /** The first of a guest's proofs that is voided; empty if all of them stand. */
  static Optional<Proof> of(HostTable hosts, Guest guest) {
    return guest.proofs().stream().filter(p -> voided(hosts, p)).findFirst();
  }
}
