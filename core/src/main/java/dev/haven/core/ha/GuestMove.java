package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.util.Optional;

/** The operation that migrates one guest. */
final class GuestMove {
  private GuestMove() {}

  static Reply begin(Deliberation d, Command.Migrate c, String by) {
    return switch (Ways.way(d, c.guest(), c.to(), c.withGroup().orElse(false), "migrate")) {
      case Ways.Way.Barred b -> b.reply();
      case Ways.Way.Open w -> begin(d, w, by);
    };
  }

  private static Reply begin(Deliberation d, Ways.Way.Open way, String by) {
    var id = way.guest().id();
    var from = way.from();
    var target = way.to();
    var why = "asked for by " + by;
    for (var guest : way.all()) {
      d.change(new Change.GuestMovedByHand(guest.id(), target.id()));
    }
    var op =
        way.along().isEmpty()
            ? d.begin(
                new Kind.MoveGuest(id, from.host(), target.id()), by, "checking the target", 1)
            : GroupMoves.begin(d, id, way.all(), target, by, why, Optional.empty());
    if (way.along().isEmpty()) {
      Migration.begin(d, way.guest(), from, target, Optional.of(op), why);
    }
    return new Reply.Accepted(
        way.along().isEmpty()
            ? "guest %s moves from host %s to host %s".formatted(id, from.host(), target.id())
            : "guests %s move to host %s"
                .formatted(
                    GroupChecks.names(way.all().stream().map(Guest::id).toList()), target.id()),
        Optional.of(op),
        way.all().stream()
            .map(
                g ->
                    "migrate guest %s from host %s to host %s"
                        .formatted(g.id(), g.host().orElseThrow(), target.id()))
            .toList());
  }

  private static String words(Step step) {
    return switch (step) {
      case CHECKING -> "checking the target";
      case MOVING -> "moving";
      case ARRIVED -> "arrived, resuming";
      case UNDOING -> "undoing";
      case STAYING -> "staying";
    };
  }

  static void conclude(Deliberation d, Operation op, Kind.MoveGuest k) {
    var guest = d.state().guest(k.guest());
    if (guest.isEmpty()) {
      d.end(op, Operation.State.FAILED, "the guest was removed");
      return;
    }
    switch (guest.get().phase()) {
      case Running p ->
          d.end(
              op,
              p.host().equals(k.to()) ? Operation.State.DONE : Operation.State.FAILED,
              "guest %s runs on host %s".formatted(k.guest(), p.host()));
      case Migrating m -> d.progress(op, m.step() == Step.ARRIVED ? 1 : 0, words(m.step()));
      case Starting _, Waiting _, Vacating _ ->
          d.end(
              op,
              Operation.State.FAILED,
              "guest %s was lost on the way and is started again".formatted(k.guest()));
      case Stopping _, Stopped _, Failed _ ->
          d.end(op, Operation.State.FAILED, "guest %s is no longer running".formatted(k.guest()));
    }
  }

  static Reply cancel(Deliberation d, Operation op, Kind.MoveGuest k) {
    Migration.abort(d, k.guest());
    return Replies.cancelled(d, op);
  }
}
