package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Operation;
import dev.haven.model.GuestId;
import dev.haven.model.api.Views;
import dev.haven.model.wire.FromAgent;
import java.util.Optional;
import java.util.Set;

/** How operations are shown. */
final class OperationViews {
  private final WorldEffects effects;

  OperationViews(WorldEffects effects) {
    this.effects = effects;
  }

  Views.Operation operation(ClusterState s, Operation o) {
    var moving =
        o.running()
            ? switch (o.kind()) {
              case Operation.Kind.MoveGuest k -> effects.progress(k.guest());
              case Operation.Kind.MoveGroup k -> progress(k.from().keySet());
              case Operation.Kind.MakeRoom k -> progress(k.leaving());
              case Operation.Kind.EvacuateHost k -> progress(s.load(k.host()).guests());
              case Operation.Kind.RelocateGuest _,
                  Operation.Kind.StartGuest _,
                  Operation.Kind.StopGuest _,
                  Operation.Kind.FenceHost _,
                  Operation.Kind.FenceStuck _,
                  Operation.Kind.TestFencing _ ->
                  Optional.<FromAgent.Progress>empty();
            }
            : Optional.<FromAgent.Progress>empty();
    return new Views.Operation(
        o.id(),
        switch (o.kind()) {
          case Operation.Kind.MoveGuest _ -> Views.Operation.Kind.MIGRATE;
          case Operation.Kind.MoveGroup _ -> Views.Operation.Kind.MIGRATE_GROUP;
          case Operation.Kind.MakeRoom _ -> Views.Operation.Kind.MAKE_ROOM;
          case Operation.Kind.RelocateGuest _ -> Views.Operation.Kind.RELOCATE;
          case Operation.Kind.EvacuateHost _ -> Views.Operation.Kind.EVACUATE;
          case Operation.Kind.StartGuest _ -> Views.Operation.Kind.START;
          case Operation.Kind.StopGuest _ -> Views.Operation.Kind.STOP;
          case Operation.Kind.FenceHost _ -> Views.Operation.Kind.FENCE;
          case Operation.Kind.FenceStuck _ -> Views.Operation.Kind.FREE;
          case Operation.Kind.TestFencing _ -> Views.Operation.Kind.FENCE_TEST;
        },
        o.kind().subject(),
        switch (o.state()) {
          case RUNNING -> Views.Operation.State.RUNNING;
          case DONE -> Views.Operation.State.DONE;
          case FAILED -> Views.Operation.State.FAILED;
          case CANCELLED -> Views.Operation.State.CANCELLED;
        },
        o.detail(),
        o.done(),
        o.total(),
        moving.map(p -> p.total() - p.remaining()).orElse(0L),
        moving.map(FromAgent.Progress::total).orElse(0L),
        moving.map(FromAgent.Progress::rate).orElse(0L),
        o.began(),
        o.ended(),
        o.by());
  }

  /** Of all these migrations. */
  private Optional<FromAgent.Progress> progress(Set<GuestId> guests) {
    return guests.stream()
        .map(effects::progress)
        .flatMap(Optional::stream)
        .reduce(
            (a, b) ->
                new FromAgent.Progress(
                    a.version(),
                    a.order(),
                    a.guest(),
                    a.total() + b.total(),
                    a.remaining() + b.remaining(),
                    a.rate() + b.rate()));
  }
}
