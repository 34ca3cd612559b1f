package dev.haven.simulator;

/** How a host's power device behaves. */
enum PowerDevice {
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
  NAMELESS
}
