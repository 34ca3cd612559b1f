package dev.haven.core.ha;

import dev.haven.model.Epoch;
import dev.haven.model.HostId;
import java.util.List;

/**
 * The right to start a guest on one host under one epoch: nobody else can run it. It cannot be made
 * but from a state that says so (committed before the action, except {@link Decision#ahead}), and
 * the actions that make a guest run cannot be made without it.
 */
public final class Vacancy {
  private final HostId host;
  private final Epoch epoch;
  private final List<Proof> proofs;

  private Vacancy(HostId host, Epoch epoch, List<Proof> proofs) {
    this.host = host;
    this.epoch = epoch;
    this.proofs = proofs;
  }

  /**
   * @throws IllegalStateException if any other host, or this host under another epoch, could run
   *     the guest
   */
  static Vacancy of(Guest guest, HostId host, Epoch epoch) {
    var holding = guest.holders().get(host);
    if (guest.holders().size() != 1 || holding == null || !holding.epoch().equals(epoch)) {
      throw new IllegalStateException(
          "guest %s must not start on %s under epoch %s: held by %s"
              .formatted(guest.id(), host, epoch, guest.holders()));
    }
    return new Vacancy(host, epoch, guest.proofs());
  }

  public HostId host() {
    return host;
  }

  public Epoch epoch() {
    return epoch;
  }

  /** To be checked once more right before the order leaves: no sign of life since any of them. */
  public List<Proof> proofs() {
    return proofs;
  }
}
