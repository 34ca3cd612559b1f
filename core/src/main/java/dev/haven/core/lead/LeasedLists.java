package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Host;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.wire.ToAgent;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * On the leader: what each connected agent was told last about the guests that its leases name. It
 * is told again whenever that list has changed, before any order that follows from the change.
 */
public final class LeasedLists {
  private final Map<HostId, ToAgent.Leased> told = new TreeMap<>();

  /** What a host's agent is to be told now. */
  public record Telling(HostId host, BootId boot, ToAgent.Leased list) {}

  /** This voter's leadership begins or ends: nobody was told anything. */
  public synchronized void clear() {
    told.clear();
  }

  /** The host's agent has just been taken in: whatever an earlier one was told counts no more. */
  public synchronized Optional<Telling> joined(
      HostId host, ClusterState state, long term, boolean boundCounts) {
    told.remove(host);
    return tell(host, state, term, boundCounts);
  }

  /** The host's connection has ended. */
  public synchronized void left(HostId host) {
    told.remove(host);
  }

  /** The hosts whose agents are told. */
  public synchronized List<HostId> hosts() {
    return List.copyOf(told.keySet());
  }

  /** An entry was applied. */
  public synchronized List<Telling> applied(
      ClusterState before, ClusterState after, long term, boolean boundCounts) {
    var tellings = new ArrayList<Telling>();
    for (var host : List.copyOf(told.keySet())) {
      if (!after.leasedAsIn(before, host)) {
        tell(host, after, term, boundCounts).ifPresent(tellings::add);
      }
    }
    return tellings;
  }

  private Optional<Telling> tell(HostId id, ClusterState state, long term, boolean boundCounts) {
    var boot = state.host(id).flatMap(Host::boot);
    if (boot.isEmpty()) {
      return Optional.empty();
    }
    var now = Leases.list(state, id, term, boundCounts);
    var before = told.put(id, now);
    return before != null && before.saysAs(now)
        ? Optional.empty()
        : Optional.of(new Telling(id, boot.get(), now));
  }
}
