package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HostChecks;
import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * For one term of a leader: hosts that are heard and whose agents have no connection, and agents
 * that speak another version.
 */
public final class Unconnected {
  /** How often they are looked for. */
  public static final Duration EVERY = Duration.ofSeconds(5);

  /** An agent that is restarted, or finds a new leader, is back long before. */
  private static final Duration AFTER = Duration.ofSeconds(30);

  private final Map<HostId, Long> since = new HashMap<>();

  /**
   * What the leader is told: of an agent that has no connection, and of one that has one again.
   *
   * @param connected whether the host's agent is connected and was taken in
   * @param watch knows who is heard: of a host that is not, nobody can say that its guests go on
   */
  public List<Event> look(
      ClusterState state, Predicate<HostId> connected, Watch watch, long now, Instant at) {
    var found = new ArrayList<Event>();
    for (var host : state.hosts()) {
      boolean linked = connected.test(host.id());
      boolean heard =
          watch
              .lastHeard(host.id(), now)
              .filter(ago -> ago.compareTo(state.policy().silentAfter()) < 0)
              .isPresent();
      boolean well = !host.online() || linked || !heard;
      var other =
          watch.otherVersion(host.id(), now).filter(o -> !linked && o.fresh(state.policy()));
      if (well) {
        since.remove(host.id());
      } else {
        since.putIfAbsent(host.id(), now);
      }
      boolean missing = !well && now - since.getOrDefault(host.id(), now) > AFTER.toNanos();
      if (missing
          || well && HostChecks.toldUnconnected(state, host.id())
          || other.isPresent()
          || HostChecks.toldVersion(state, host.id())) {
        found.add(new Event.AgentChecked(host.id(), !missing, other, at));
      }
    }
    return found;
  }
}
