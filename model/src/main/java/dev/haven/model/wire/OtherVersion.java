package dev.haven.model.wire;

import dev.haven.model.Policy;
import java.time.Duration;

/**
 * An agent with its host's certificate spoke to this voter, and one of the two does not understand
 * the other: no heartbeat of it counts. It is alive.
 *
 * @param version the agent's
 * @param understood by this voter
 * @param ago when it last said so, 0 or more
 */
public record OtherVersion(int version, WireVersions understood, Duration ago) {
  /** Whether it is about as fresh as a heartbeat would have to be. */
  public boolean fresh(Policy policy) {
    return ago.compareTo(policy.agentGoneAfter()) < 0;
  }

  /** For people, after the word {@code agent}; it may have been the one that hung up. */
  public String words() {
    return understood.understands(version)
        ? "does not understand %s, which the leader speaks".formatted(understood.words())
        : "speaks version %d, and the leader understands %s".formatted(version, understood.words());
  }
}
