package dev.haven.model.wire;

/** Frames from the leader to an agent. */
public sealed interface ToAgent {
  int VERSION = 1;

  /**
   * An order.
   *
   * @param order unique in the cluster: answers name it
   * @param term the Raft term in which the decision behind it was committed
   * @param generation counts the cluster's forced restarts
   */
  record OrderFrame(int version, long order, long term, long generation, Order what)
      implements ToAgent {}

  /**
   * The leader has taken the agent's {@code Hello} into the cluster's state. Heartbeats with its
   * key count from now on.
   */
  record Welcome(int version, long term, long generation) implements ToAgent {}

  /** This voter does not lead. The agent closes and tries the named voter, or any if empty. */
  record NotLeader(int version, java.util.Optional<String> leader) implements ToAgent {}

  /**
   * The host is not part of this cluster, or the agent's message cannot be taken; for the agent's
   * log and alarm.
   */
  record Rejected(int version, String reason) implements ToAgent {}
}
