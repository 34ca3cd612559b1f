package dev.haven.orchestrator.ha;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.orchestrator.placement.Candidate;
import dev.haven.orchestrator.placement.Placement;
import dev.haven.orchestrator.placement.Verdict;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/** Why a guest is where it is and where else it could go. */
public final class Explanations {
  private Explanations() {}

  /** Every host, best first, as placement would judge it now; empty if there is no such guest. */
  public static Optional<List<Verdict>> explain(ClusterState state, GuestId id) {
    return state
        .guest(id)
        .map(g -> Placement.rank(g.spec(), Settling.candidates(state, id), g.host(), g.shunned()));
  }

  /**
   * What another failure would cost: a sentence for each host whose loss would leave guests without
   * a place, and for each reason why a loss could not be handled at all. Empty when the cluster is
   * truly redundant.
   */
  public static List<String> redundancy(ClusterState state) {
    var lines = new java.util.ArrayList<String>();
    var online = state.hosts().stream().filter(Host::online).toList();
    if (online.size() < 2) {
      lines.add(
          online.isEmpty()
              ? "no host is online"
              : "only host %s is online: nothing can fail over".formatted(online.getFirst().id()));
      return lines;
    }
    var all =
        state.hosts().stream()
            .map(h -> Settling.candidate(state, h, Optional.empty()))
            .toArray(Candidate[]::new);
    var places = new HashMap<HostId, Integer>();
    for (int i = 0; i < all.length; i++) {
      places.put(all[i].id(), i);
    }
    for (var host : online) {
      if (host.spec().fencing().isEmpty() && !state.load(host.id()).guests().isEmpty()) {
        lines.add(
            "host %s has no fencing device: if it dies, its guests wait for an operator"
                .formatted(host.id()));
      }
      var homeless = homeless(state, host, all, places);
      if (homeless > 0) {
        lines.add(
            "if host %s dies, %d of its %d guests fit nowhere else"
                .formatted(host.id(), homeless, state.load(host.id()).guests().size()));
      }
    }
    return lines;
  }

  /** How many guests of a host would fit nowhere else, the others taking theirs one by one. */
  private static long homeless(
      ClusterState state, Host lost, Candidate[] all, Map<HostId, Integer> places) {
    var left = all.clone();
    int gone = Objects.requireNonNull(places.get(lost.id()));
    left[gone] =
        new Candidate(lost.spec(), lost.capacity(), "is lost", 0, 0, false, () -> List.of());
    long homeless = 0;
    for (var id : state.load(lost.id()).guests()) {
      var guest = state.guest(id).orElseThrow();
      if (!guest.wanted() || !(guest.phase() instanceof GuestPhase.Running)) {
        continue;
      }
      var best = Placement.best(guest.spec(), Arrays.asList(left), Optional.empty(), Set.of());
      if (best.isEmpty()) {
        homeless++;
      } else {
        int to = Objects.requireNonNull(places.get(best.get()));
        left[to] = left[to].with(guest.spec());
      }
    }
    return homeless;
  }
}
