package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.lease.Lease;
import dev.haven.model.HostId;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * The digests of all hosts' guests. Each is reckoned again only when something of its host has
 * changed: a leader asks for one with every heartbeat, and most changes are another host's.
 */
public final class LeaseDigests {
  private record Known(ClusterState state, long digest) {}

  private final Map<HostId, Known> known = new HashMap<>();

  /** Of the guests that leases of this host name, by this state. */
  public synchronized long of(ClusterState state, HostId host) {
    var before = known.get(host);
    long digest =
        before != null && state.leasedAsIn(before.state(), host)
            ? before.digest()
            : Lease.digest(state.leased(host));
    known.put(host, new Known(state, digest)); // this state, so that no older one is kept
    if (known.size() > state.hosts().size()) {
      known.keySet().removeIf(id -> state.host(id).isEmpty());
    }
    return digest;
  }

  /** The hosts of which a digest is known. */
  synchronized Set<HostId> hosts() {
    return Set.copyOf(known.keySet());
  }
}
