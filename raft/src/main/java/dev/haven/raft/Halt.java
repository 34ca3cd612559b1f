package dev.haven.raft;

/**
 * Stops this voter at once, without another word to anyone: it met a state in which going on could
 * break a promise (a disk that did not take a write, an invariant that does not hold).
 */
@FunctionalInterface
public interface Halt {

  /** Ends the process. A supervisor starts it again, and the log on the disk says what is true. */
  Halt PROCESS = (reason, cause) -> Runtime.getRuntime().halt(70);

  /** Called once; in a real process it does not return. */
  void halt(String reason, Throwable cause);
}
