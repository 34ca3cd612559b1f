package dev.haven.simulator;

/**
 * What goes wrong in a simulated cluster above all. Faults drawn without one seldom come in the
 * order that a single rule is there for.
 */
enum Theme {
  /** A little of everything. */
  ANYTHING(Chaos.USUAL),
  /** Hosts that nobody reaches, for longer than their leases, and leaders that do not know it. */
  LEASES(Chaos.LATE),
  MIGRATION(Chaos.USUAL),
  /** Devices that fail, lie or are slow, and hosts that boot meanwhile. */
  FENCING(Chaos.SLOW),
  /** Elections, stopped leaders and networks that fall apart. */
  VOTERS(Chaos.LATE);

  final Chaos chaos;

  Theme(Chaos chaos) {
    this.chaos = chaos;
  }
}
