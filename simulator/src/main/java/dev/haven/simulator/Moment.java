package dev.haven.simulator;

/** The middle of something, where a fault hurts most. */
enum Moment {
  /** The entry that says so is on its way to the log; about a host. */
  FENCING_PROPOSED,
  BOUND_PROPOSED,
  PROOF_PROPOSED,

  /** A device has cut the power of a host and is about to be read. */
  POWER_CUT,

  /** It was read off, and that is told later. */
  PROOF_LINGERS,

  /** An order leaves for a host. */
  START_SENT,
  RESUME_SENT,
  MIGRATION_SENT,

  /** It begins to arrive there; of the target. */
  MIGRATION_ARRIVES,

  /** An agent has found the leader. */
  HELLO_SENT,

  /** Both sides are paused; of the source. */
  MIGRATION_SWITCHES,

  /** A host has paused a guest for want of a lease. */
  LEASE_ENDED,

  /** A voter leads from now on. */
  ELECTED
}
