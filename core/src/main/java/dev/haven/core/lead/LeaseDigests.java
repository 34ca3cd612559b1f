package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.lease.Lease;
import dev.haven.model.HostId;
import java.util.HashMap;
import java.util.Map;

/** The digests of all hosts' guests, each reckoned once for a state. */
public final class LeaseDigests {
  private final Map<HostId, Long> known = new HashMap<>();
  private long version = -1;

  /** Of the guests that leases of this host name, by this state. */
  public synchronized long of(ClusterState state, HostId host) {
    if (state.version() != version) {
      known.clear();
      version = state.version();
    }
    return known.computeIfAbsent(host, h -> Lease.digest(state.leased(h)));
  }
}
