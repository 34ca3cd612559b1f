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
  SLOW
}
