package dev.haven.simulator;

/**
 * What goes wrong in a simulated cluster above all. Faults drawn without one seldom come in the
 * order that a single rule is there for.
 */
enum Theme {
  /** A little of everything. */
  ANYTHING(Unreliability.USUAL),
  /** Hosts that nobody reaches, for longer than their leases, and leaders that do not know it. */
  LEASES(Unreliability.LATE),
  MIGRATION(Unreliability.USUAL),
  /** Devices that fail, lie or are slow, and hosts that boot meanwhile. */
  FENCING(Unreliability.SLOW),
  /** Elections, stopped leaders and networks that fall apart. */
  VOTERS(Unreliability.LATE);

  final Unreliability chaos;

  Theme(Unreliability chaos) {
    this.chaos = chaos;
  }
}
