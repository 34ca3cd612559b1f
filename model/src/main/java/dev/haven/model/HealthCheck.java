package dev.haven.model;

import java.util.Optional;

/**
 * How it is found out whether a running guest is well, and what follows if it is not.
 *
 * @param guestAgent how its guest agent is asked; empty if it is not. Its watchdog is heard anyway
 * @param restart whether an unhealthy guest is restarted, as one that has crashed would be;
 *     otherwise it is an alarm
 */
public record HealthCheck(Optional<AgentPing> guestAgent, boolean restart) {
  /** Nothing is asked, and nothing is restarted. */
  public static final HealthCheck NONE = new HealthCheck(Optional.empty(), false);
}
