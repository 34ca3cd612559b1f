package dev.haven.model;

import com.fasterxml.jackson.annotation.JsonCreator;

/**
 * What at most one host may hold at a time: a guest. Epochs, holders, proofs, leases, orders and
 * refusals are about it, whichever kind it is. In messages and on disk it is its text.
 */
public sealed interface Exclusive extends Comparable<Exclusive> permits GuestId {
  /** Its name among all that is exclusive. */
  String value();

  /**
   * Reads what was written.
   *
   * @throws IllegalArgumentException if it names nothing that is exclusive
   */
  @JsonCreator
  static Exclusive of(String text) {
    return new GuestId(text);
  }

  @Override
  default int compareTo(Exclusive other) {
    return value().compareTo(other.value());
  }
}
