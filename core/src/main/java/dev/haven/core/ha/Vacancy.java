package dev.haven.core.ha;

import dev.haven.model.Exclusive;
import java.util.List;

/**
 * The right to use something exclusive on one host under one boot and epoch, such as to start a
 * guest: nobody else can use it. It cannot be made but from a state that says so (committed before
 * the action, except {@link Decision#ahead}), and the actions that make a guest run cannot be made
 * without it.
 */
public final class Vacancy {
  private final Exclusive exclusive;
  private final Holding holding;
  private final List<Proof> proofs;

  private Vacancy(Exclusive exclusive, Holding holding, List<Proof> proofs) {
    this.exclusive = exclusive;
    this.holding = holding;
    this.proofs = proofs;
  }

  /** Of a guest: see {@link #of(Exclusive, Tenure, Holding)}. */
  static Vacancy of(Guest guest, Holding holding) {
    return of(guest.id(), guest.tenure(), holding);
  }

  /**
   * @throws IllegalStateException if any other host, or this host under another boot or epoch,
   *     could use it
   */
  private static Vacancy of(Exclusive exclusive, Tenure tenure, Holding holding) {
    Must.hold(
        tenure.hasOnly(holding),
        "%s must not be used under %s: held by %s",
        exclusive,
        holding,
        tenure.holders());
    return new Vacancy(exclusive, holding, tenure.proofs());
  }

  public Exclusive exclusive() {
    return exclusive;
  }

  /** Where, and under which boot and epoch. */
  public Holding holding() {
    return holding;
  }

  /** To be checked once more right before the order leaves: no sign of life since any of them. */
  public List<Proof> proofs() {
    return proofs;
  }
}
