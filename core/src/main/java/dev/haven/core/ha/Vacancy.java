package dev.haven.core.ha;

import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.HostId;
import java.util.List;

/**
 * The right to use something exclusive on one host under one epoch, such as to start a guest:
 * nobody else can use it. It cannot be made but from a state that says so (committed before the
 * action, except {@link Decision#ahead}), and the actions that make a guest run cannot be made
 * without it.
 */
public final class Vacancy {
  private final Exclusive exclusive;
  private final HostId host;
  private final Epoch epoch;
  private final List<Proof> proofs;

  private Vacancy(Exclusive exclusive, HostId host, Epoch epoch, List<Proof> proofs) {
    this.exclusive = exclusive;
    this.host = host;
    this.epoch = epoch;
    this.proofs = proofs;
  }

  /** Of a guest: see {@link #of(Exclusive, Tenure, HostId, Epoch)}. */
  static Vacancy of(Guest guest, HostId host, Epoch epoch) {
    return of(guest.id(), guest.tenure(), host, epoch);
  }

  /**
   * @throws IllegalStateException if any other host, or this host under another epoch, could use it
   */
  private static Vacancy of(Exclusive exclusive, Tenure tenure, HostId host, Epoch epoch) {
    if (!tenure.isSolely(host, epoch)) {
      throw new IllegalStateException(
          "%s must not be used on %s under epoch %s: held by %s"
              .formatted(exclusive, host, epoch, tenure.holders()));
    }
    return new Vacancy(exclusive, host, epoch, tenure.proofs());
  }

  public Exclusive exclusive() {
    return exclusive;
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
