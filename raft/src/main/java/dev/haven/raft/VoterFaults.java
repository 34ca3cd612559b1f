package dev.haven.raft;

import java.time.Duration;

/** What goes wrong between voters in tests and in the nemesis; in production nothing does. */
public interface VoterFaults {
  VoterFaults NONE = new VoterFaults() {};

  /**
   * Carries a message on, at once, later or never.
   *
   * @param to the voter's name
   * @param message sends it; must be run in the order of the calls
   */
  default void carry(String to, Runnable message) {
    message.run();
  }

  /** How long one that is being added may take to answer and to catch up; and then a pause. */
  default Duration newcomerPatience() {
    return Duration.ofSeconds(30);
  }

  /** On the thread that is about to shake hands with another voter, or with a stranger. */
  default void beforeHandshake() {}

  /** What the kernel keeps of a connection, each way, in bytes; 0: as much as it likes. */
  default int socketBytes() {
    return 0;
  }

  /** What a voter keeps of another one's words while its Raft thread is busy, in bytes. */
  default long backlogBytes() {
    return Backlog.BYTES_MAX;
  }
}
