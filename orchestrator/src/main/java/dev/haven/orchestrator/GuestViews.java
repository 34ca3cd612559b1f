package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Explanations;
import dev.haven.core.ha.Guest;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.GuestId;
import dev.haven.model.api.Views;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** How guests are shown. */
final class GuestViews {
  private final WorldEffects effects;

  GuestViews(WorldEffects effects) {
    this.effects = effects;
  }

  static Views.Guest guest(ClusterState s, Guest g) {
    var hostState = g.host().flatMap(s::host).map(Host::state);
    var silent = hostState.filter(x -> !(x instanceof HostState.Online)).isPresent();
    var state =
        switch (g.phase()) {
          case GuestPhase.Stopped _ -> Views.Guest.State.STOPPED;
          case GuestPhase.Waiting _ -> Views.Guest.State.WAITING;
          case GuestPhase.Starting _ -> Views.Guest.State.STARTING;
          case GuestPhase.Running _ ->
              silent ? Views.Guest.State.UNKNOWN : Views.Guest.State.RUNNING;
          case GuestPhase.Stopping _ -> Views.Guest.State.STOPPING;
          case GuestPhase.Vacating _ -> Views.Guest.State.RESTARTING;
          case GuestPhase.Migrating _ -> Views.Guest.State.MIGRATING;
          case GuestPhase.Failed _ -> Views.Guest.State.FAILED;
        };
    var detail =
        switch (g.phase()) {
          case GuestPhase.Stopped p -> p.why();
          case GuestPhase.Waiting p -> p.why();
          case GuestPhase.Starting p -> "on host " + p.host();
          case GuestPhase.Running p ->
              silent ? "host %s is silent; it may well be running".formatted(p.host()) : "";
          case GuestPhase.Stopping _ -> "";
          case GuestPhase.Vacating p -> p.why();
          case GuestPhase.Migrating p -> p.step().name().toLowerCase(Locale.ROOT) + ": " + p.why();
          case GuestPhase.Failed p -> p.why();
        };
    return new Views.Guest(
        g.id(),
        state,
        g.wanted(),
        g.host(),
        g.phase() instanceof GuestPhase.Migrating m ? Optional.of(m.target()) : Optional.empty(),
        g.epoch().value(),
        s.alarm("guest-" + g.id())
            .map(a -> a.message())
            .filter(_ -> detail.isEmpty())
            .orElse(detail),
        g.spec().memoryMib(),
        g.spec().vcpus(),
        g.spec().priority());
  }

  Views.GuestDetail detail(ClusterState s, Guest g) {
    return new Views.GuestDetail(
        guest(s, g),
        g.spec(),
        List.copyOf(g.holders().keySet()),
        g.host().flatMap(host -> effects.guestHealth(host, g.id())));
  }

  /** Where it is and where else it could go; empty if there is no such guest. */
  static Optional<Views.Explanation> explain(ClusterState s, GuestId id) {
    return Explanations.explain(s, id)
        .map(
            verdicts ->
                new Views.Explanation(
                    id,
                    s.guest(id)
                        .flatMap(Guest::host)
                        .map(h -> "guest %s is on host %s".formatted(id, h) + with(s, id))
                        .orElse(
                            "guest %s is on no host%s"
                                .formatted(
                                    id,
                                    s.guest(id).map(Guest::phase).orElse(null)
                                            instanceof GuestPhase.Waiting w
                                        ? ": " + w.why()
                                        : with(s, id))),
                    verdicts.stream()
                        .map(v -> new Views.Candidate(v.host(), v.fits(), v.score(), v.reasons()))
                        .toList()));
  }

  private static String with(ClusterState s, GuestId id) {
    var together = Explanations.together(s, id);
    return together.isEmpty() ? "" : "; " + together + ", so each host is judged for all of them";
  }
}
