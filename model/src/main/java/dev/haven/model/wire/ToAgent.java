package dev.haven.model.wire;

import dev.haven.model.AgentPing;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import java.util.Collections;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/** Frames from the leader to an agent. */
public sealed interface ToAgent {
  /** The same as {@link FromAgent#VERSION}. */
  int VERSION = FromAgent.VERSION;

  /**
   * An order.
   *
   * @param order unique in the cluster: answers name it
   * @param term the Raft term in which the decision behind it was committed
   * @param generation how often the cluster was formed again by one voter alone
   */
  record OrderFrame(int version, long order, long term, long generation, Order what)
      implements ToAgent {}

  /**
   * The leader has taken the agent's {@code Hello} into the cluster's state. Heartbeats with its
   * key count from now on.
   */
  record Welcome(int version, long term, long generation) implements ToAgent {}

  /**
   * What the host is given, each with its epoch: leases name this list by its digest. Comes with
   * the welcome and before the first order of each change.
   *
   * @param state the version of the state that it is of
   * @param enforce whether the host is to pause its guests when their leases end, so that others
   *     may rely on it; counts once the agent has said that it does
   * @param pings which guests have a guest agent to be asked, and how; absent from voters that know
   *     nothing of it
   */
  record Leased(
      int version,
      long term,
      long state,
      SortedMap<Exclusive, Epoch> exclusives,
      boolean enforce,
      Optional<SortedMap<GuestId, AgentPing>> pings)
      implements ToAgent {
    public Leased {
      exclusives = Collections.unmodifiableSortedMap(new TreeMap<>(exclusives));
      pings = pings.map(p -> Collections.unmodifiableSortedMap(new TreeMap<>(p)));
    }

    /** One that asks for no pings. */
    public Leased(
        int version,
        long term,
        long state,
        SortedMap<Exclusive, Epoch> exclusives,
        boolean enforce) {
      this(version, term, state, exclusives, enforce, Optional.empty());
    }

    /** Whether it says the same, of whichever state. */
    public boolean saysAs(Leased other) {
      return term == other.term
          && enforce == other.enforce
          && exclusives.equals(other.exclusives)
          && pings.equals(other.pings);
    }
  }

  /**
   * Stop feeding the watchdog, to see that it resets this host. Obeyed only by a host without a
   * guest.
   */
  record TestWatchdog(int version, long term) implements ToAgent {}

  /**
   * Asks what these disks are on the agent's host: real paths, devices, inodes, backing images. An
   * agent of an older version passes it over.
   *
   * @param question the answer names it
   */
  record LookAtDisks(int version, long question, java.util.List<dev.haven.model.GuestDisk> disks)
      implements ToAgent {
    public LookAtDisks {
      disks = java.util.List.copyOf(disks);
    }
  }

  /**
   * Where the voters are that vote now. Comes with the welcome and after each change; an agent of
   * an older version passes it over.
   */
  record Voters(int version, java.util.List<Voter> voters) implements ToAgent {
    public Voters {
      voters = java.util.List.copyOf(voters);
    }
  }

  /**
   * A voter, as agents reach it.
   *
   * @param raft {@code address:port} for the other voters
   * @param api {@code address:port} for agents and clients
   * @param networks its address in each network: heartbeats go to all of them
   */
  record Voter(String name, String raft, String api, java.util.Map<String, String> networks) {
    public Voter {
      networks = java.util.Map.copyOf(networks);
    }
  }

  /** This voter does not lead. The agent closes and tries the named voter, or any if empty. */
  record NotLeader(int version, Optional<String> leader) implements ToAgent {}

  /**
   * The host is not part of this cluster, or the agent's message cannot be taken; for the agent's
   * log and alarm.
   */
  record Rejected(int version, String reason) implements ToAgent {}
}
