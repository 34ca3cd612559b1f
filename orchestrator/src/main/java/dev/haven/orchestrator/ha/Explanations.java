package dev.haven.orchestrator.ha;

import dev.haven.model.GuestId;
import dev.haven.orchestrator.placement.Placement;
import dev.haven.orchestrator.placement.Verdict;
import java.util.List;
import java.util.Optional;

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
    for (var host : online) {
      if (host.spec().fencing().isEmpty() && !state.load(host.id()).guests().isEmpty()) {
        lines.add(
            "host %s has no fencing device: if it dies, its guests wait for an operator"
                .formatted(host.id()));
      }
      var homeless = homeless(state, host);
      if (homeless > 0) {
        lines.add(
            "if host %s dies, %d of its %d guests fit nowhere else"
                .formatted(host.id(), homeless, state.load(host.id()).guests().size()));
      }
    }
    return lines;
  }

  private static long homeless(ClusterState state, Host lost) {
    var d = new Deliberation(state, java.time.Instant.EPOCH);
    var boot = lost.boot();
    if (boot.isEmpty()) {
      return 0;
    }
    var guests = List.copyOf(state.load(lost.id()).guests());
    d.host(
        lost.id(),
        new HostState.Fenced(
            boot.get(),
            new Proof.OperatorsWord(
                lost.id(), boot.get(), "what if", false, java.time.Instant.EPOCH)));
    long homeless = 0;
    for (var id : guests) {
      var guest = d.guest(id);
      if (!guest.wanted() || !(guest.phase() instanceof GuestPhase.Running)) {
        continue;
      }
      var best =
          Placement.best(
              guest.spec(),
              Settling.candidates(d.state(), id),
              Optional.empty(),
              java.util.Set.of());
      if (best.isEmpty()) {
        homeless++;
      } else {
        d.change(
            new Change.HolderCleared(
                id,
                lost.id(),
                new Proof.OperatorsWord(
                    lost.id(), boot.get(), "what if", false, java.time.Instant.EPOCH)));
        var to = d.host(best.get());
        d.phase(id, new GuestPhase.Waiting("what if"));
        d.change(
            new Change.GuestPlaced(id, to.id(), to.boot().orElseThrow(), guest.epoch().next()));
      }
    }
    return homeless;
  }
}
