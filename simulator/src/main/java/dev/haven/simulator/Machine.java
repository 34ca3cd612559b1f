package dev.haven.simulator;

/** A computer: its power, its kernel, its two network ports. */
final class Machine {
  static final int CONTROL = 0;
  static final int MIGRATION = 1;

  final String name;
  boolean power = true;

  /** Its kernel answers nobody; what runs on it may well go on. */
  boolean hung;

  final boolean[] port = {true, true};

  /** It sends, and nothing comes in; or the other way round. */
  boolean deaf;

  boolean mute;

  /** Machines reach each other over a network if they are on the same side of its cut. */
  final int[] side = {0, 0};

  Machine(String name) {
    this.name = name;
  }

  /** It has a control network alone. */
  boolean oneNetwork;

  /** Whether every network that it has connects it with all the others. */
  boolean connected() {
    return !deaf
        && !mute
        && port[CONTROL]
        && side[CONTROL] == 0
        && (oneNetwork || (port[MIGRATION] && side[MIGRATION] == 0));
  }

  boolean alive() {
    return power && !hung;
  }

  boolean reaches(Machine other, int network) {
    return this == other ? alive() : !deaf && !other.mute && sends(other, network);
  }

  /** Whether a datagram gets there; an answer may not. */
  boolean sends(Machine other, int network) {
    if (!alive() || !other.alive()) {
      return false;
    }
    return this == other
        || (!mute
            && !other.deaf
            && port[network]
            && other.port[network]
            && side[network] == other.side[network]);
  }

  boolean sends(Machine other) {
    return sends(other, CONTROL) || sends(other, MIGRATION);
  }

  boolean reaches(Machine other) {
    return reaches(other, CONTROL) || reaches(other, MIGRATION);
  }
}
