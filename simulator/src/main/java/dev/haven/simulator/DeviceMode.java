package dev.haven.simulator;

/** How a host's power device behaves. */
enum DeviceMode {
  WORKS,
  /** Answers nothing. */
  HANGS,
  /** Says how the power is, and does not switch it. */
  REFUSES,
  /** Says off to everything and switches nothing. */
  LIES,
  /** Does what it is told, after many seconds. */
  SLOW,
  /** Sends no order to what says off already, so that it counts only after 30 s of saying so. */
  ASKS_FIRST,
  /** Works, but nothing shows that it is this host's: that it says off is no proof. */
  NAMELESS,
  /**
   * The same as {@link #ASKS_FIRST}, and it says off for up to 30 s after its host is switched on.
   */
  FORGETS,
  /** The same as {@link #ASKS_FIRST}, and it says how the power was up to 30 s ago. */
  STALE,
  /** Switches another host, and says how the power of that is. */
  WRONG_HOST,
  /** Carries out the next order, and answers nothing from then on. */
  DIES
}
