package dev.haven.simulator;

/**
 * How unreliable everything is while faults are injected: probabilities, and the longest times in
 * milliseconds.
 *
 * @param lost frames of an agent to its leader
 * @param lingers messages of any kind that stay in a buffer, up to {@code lingersMillis}
 * @param twice orders that come a second time, up to {@code twiceMillis} later
 * @param slowCommit writes of the log that take up to 2.5 s
 * @param slowVerdict the same, of those that say that a host is off
 * @param startTimesOut calls of libvirt's that start a guest
 * @param pauseFails calls of libvirt's that pause a guest
 * @param pauseIsSlow steps of pausing a guest that take up to 2.5 s
 * @param runIsFull writes in /run that fail
 * @param keepalive migrations whose end is noticed late by their source when the other side is gone
 * @param late entries that are committed after another leader's
 */
record Unreliability(
    double lost,
    double lingers,
    int lingersMillis,
    double twice,
    int twiceMillis,
    double slowCommit,
    double slowVerdict,
    double startTimesOut,
    double pauseFails,
    double pauseIsSlow,
    double runIsFull,
    double keepalive,
    double late) {
  static final Unreliability NONE = new Unreliability(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  static final Unreliability USUAL =
      new Unreliability(
          0.03, 0.03, 15_000, 0.1, 90_000, 0.05, 0.1, 0.02, 0.2, 0.05, 0.02, 0.3, 0.3);

  /** Of what leases and the bound are to be proof against. */
  static final Unreliability LATE =
      new Unreliability(
          0.03, 0.06, 80_000, 0.4, 120_000, 0.05, 0.5, 0.02, 0.2, 0.2, 0.05, 0.5, 0.3);

  /** Of what readings of power devices are to be proof against. */
  static final Unreliability SLOW =
      new Unreliability(0.03, 0.1, 40_000, 0.1, 90_000, 0.05, 0.3, 0.02, 0.2, 0.05, 0.02, 0.3, 0.3);

  boolean any() {
    return this != NONE;
  }
}
