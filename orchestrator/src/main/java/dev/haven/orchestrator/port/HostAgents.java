package dev.haven.orchestrator.port;

import dev.haven.model.BootId;
import dev.haven.model.GuestDisk;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.WireVersions;
import java.util.List;
import java.util.Optional;

/** The agents that are connected to this voter. */
public interface HostAgents {
  /** The key by which a host's agent is connected here, as in KnownKey; empty if it is not. */
  default Optional<String> keyOf(HostId host) {
    return Optional.empty();
  }

  /**
   * Sends an order if the host's agent is connected under this boot. Never blocks: each connection
   * has a bounded queue, and one that does not drain is closed.
   *
   * @return false if it is not connected, or its queue is full; the order is implied by the state
   *     and comes again when the agent joins
   */
  boolean send(HostId host, BootId boot, long order, long term, long generation, Order what);

  /** Tells the host's agent what it is given; dropped if it is not connected under this boot. */
  void leased(HostId host, BootId boot, ToAgent.Leased leased);

  /** Has the host's agent stop feeding its watchdog. */
  void testWatchdog(HostId host, BootId boot, long term);

  /**
   * Asks the host's agent what these disks are on it; {@link Listener#said} brings the answer.
   *
   * @return false if it is not connected or cannot be asked: no answer comes
   */
  default boolean lookAtDisks(HostId host, long question, List<GuestDisk> disks) {
    return false;
  }

  /** Whether the host's agent is connected and was taken in. */
  boolean connected(HostId host);

  /** Tells an agent that its hello is committed. */
  void welcome(HostId host, long term, long generation);

  /** Tells the host's agent where the voters are; dropped if it is not connected. */
  void voters(HostId host, List<ToAgent.Voter> voters);

  /** Turns an agent away, with a reason for its log, and closes its connection. */
  void reject(HostId host, String reason);

  /**
   * Closes all connections, each with the name of the new leader: this voter does not lead any
   * more.
   */
  void dismissAll();

  /** Hears what agents say; called on the connection's own thread, in order for each connection. */
  interface Listener {
    /**
     * Why a hello has to wait, and so must not touch an older connection of its host: it may come
     * from another machine than the host. To be asked again until it is empty; never blocks.
     */
    default Optional<String> held(FromAgent.Hello hello) {
      return Optional.empty();
    }

    /**
     * Whether a hello comes from the machine that is on record for its host, as far as its UUID
     * shows. Never blocks.
     */
    default boolean knows(FromAgent.Hello hello) {
      return false;
    }

    /** Whether the host last joined under this boot. Never blocks. */
    default boolean isOnRecord(HostId host, BootId boot) {
      return false;
    }

    /**
     * An agent said hello on a connection whose certificate names this host, and one of the two
     * does not understand the other; see {@link WireVersions}. Also on a voter that does not lead.
     * Never blocks.
     */
    default void spokeOtherwise(HostId host, BootId boot, int version) {}

    /**
     * An agent said hello on a connection whose certificate names this host. An older connection of
     * the same host has been closed before.
     */
    void hello(FromAgent.Hello hello);

    /** Anything else that the host's newest connection says. */
    void said(HostId host, BootId boot, FromAgent frame);

    void left(HostId host, BootId boot);
  }
}
