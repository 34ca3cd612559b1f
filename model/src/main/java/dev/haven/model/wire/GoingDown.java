package dev.haven.model.wire;

/** How a host is being shut down, as its agent says; never a proof of anything. */
public enum GoingDown {
  /** It boots again by itself. Also where the agent cannot tell what comes after. */
  REBOOT,
  /** It stays off (power-off, halt) until somebody switches it on. */
  POWER_OFF
}
