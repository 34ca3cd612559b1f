package dev.haven.simulator.scenario;

/** A scenario that cannot be read: its message says where, what, and what was expected. */
public final class ScenarioException extends Exception {
  private static final long serialVersionUID = 1L;

  ScenarioException(String message) {
    super(message);
  }
}
