package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.OperationId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Optional;

/** The operation that moves a guest by a stop and a start. */
final class Relocation {
  private Relocation() {}

  static Reply begin(Deliberation d, Command.Relocate c, String by) {
    return switch (Ways.way(d, c.guest(), c.to(), c.withGroup().orElse(false), "relocate")) {
      case Ways.Way.Barred b -> b.reply();
      case Ways.Way.Open w ->
          GuestStop.unfit(c.guest(), c.grace()).orElseGet(() -> begin(d, w, c.grace(), by));
    };
  }

  private static Reply begin(Deliberation d, Ways.Way.Open way, Duration grace, String by) {
    var id = way.guest().id();
    var to = way.to().id();
    var plan = new ArrayList<String>();
    var ops = new ArrayList<OperationId>();
    for (var guest : way.all()) {
      if (!(guest.phase() instanceof Running from)) {
        continue;
      }
      var kind = new Kind.RelocateGuest(guest.id(), from.host(), to, Optional.of(grace));
      ops.add(d.begin(kind, by, "stopping", 2));
      d.change(new Change.GuestMovedByHand(guest.id(), to));
      plan.add("stop guest %s on host %s".formatted(guest.id(), from.host()));
    }
    ops.forEach(op -> stop(d, op)); // once each is known to be on its way
    way.all().forEach(g -> plan.add("start guest %s on host %s".formatted(g.id(), to)));
    return new Reply.Accepted(
        way.along().isEmpty()
            ? "guest %s stops on host %s and starts on host %s".formatted(id, way.from().host(), to)
            : "guests %s stop and start on host %s"
                .formatted(GroupChecks.names(way.all().stream().map(Guest::id).toList()), to),
        ops.stream().findFirst(),
        plan);
  }

  /** Stops a guest that is relocated, unless others have to stop before it. */
  private static void stop(Deliberation d, OperationId id) {
    var op = d.state().operation(id).orElseThrow();
    if (op.kind() instanceof Kind.RelocateGuest k
        && d.guest(k.guest()).phase() instanceof Running at) {
      stop(d, op, k, at);
    }
  }

  private static void stop(Deliberation d, Operation op, Kind.RelocateGuest k, Running at) {
    var first = StartOrder.leavesFirst(d.state(), k.guest());
    if (first.isPresent()) {
      d.progress(op, 0, "guest %s stops first".formatted(first.get()));
    } else {
      d.change(new Change.OperationChanged(op.with(k.stopping())));
      GuestLife.relocate(d, k.guest(), at, k.later().orElse(GuestStop.GRACE_LATER));
    }
  }

  static void conclude(Deliberation d, Operation op, Kind.RelocateGuest k) {
    var known = d.state().guest(k.guest());
    if (known.isEmpty()) {
      d.end(op, Operation.State.FAILED, "the guest was removed");
      return;
    }
    if (!known.get().wanted()) {
      d.end(op, Operation.State.CANCELLED, "guest %s was stopped".formatted(k.guest()));
      return;
    }
    switch (known.get().phase()) {
      case Running p -> {
        if (k.later().isPresent() && p.host().equals(k.from())) {
          stop(d, op, k, p);
          return;
        }
        d.end(
            op,
            p.host().equals(k.to()) ? Operation.State.DONE : Operation.State.FAILED,
            "guest %s runs on host %s".formatted(k.guest(), p.host()));
      }
      case Stopping _, Vacating _ -> d.progress(op, 0, "stopping on host " + k.from());
      case Waiting w -> d.progress(op, 1, w.why());
      case Starting p -> d.progress(op, 1, "starting on host " + p.host());
      case Failed f -> d.end(op, Operation.State.FAILED, f.why());
      case Migrating _, Stopped _ -> {} // a wanted guest in a relocation is neither
    }
  }

  static Reply cancel(Deliberation d, Operation op, Kind.RelocateGuest k) {
    if (k.later().isPresent()) { // it was not told to stop yet
      d.end(
          op,
          Operation.State.CANCELLED,
          "cancelled; guest %s goes on running on host %s".formatted(k.guest(), k.from()));
      return Replies.ok(
          "operation %s is cancelled; guest %s goes on running on host %s"
              .formatted(op.id(), k.guest(), k.from()));
    }
    d.end(op, Operation.State.CANCELLED, "cancelled; it starts where it fits best");
    return Replies.ok(
        "operation %s is cancelled; guest %s starts again where it fits best"
            .formatted(op.id(), k.guest()));
  }
}
