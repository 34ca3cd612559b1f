package dev.haven.orchestrator.raft;

/** What goes wrong between voters in tests and in the nemesis; in production nothing does. */
public interface Faults {
  Faults NONE = new Faults() {};

  /**
   * Carries a message on, at once, later or never.
   *
   * @param to the voter's name
   * @param message sends it; must be run in the order of the calls
   */
  default void carry(String to, Runnable message) {
    message.run();
  }

  /** On the thread that is about to shake hands with another voter, or whoever it is. */
  default void beforeHandshake() {}
}
