package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.GuestId;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.List;
import java.util.Optional;

/** The operation that starts a guest. */
final class GuestStart {
  private GuestStart() {}

  static Reply begin(Deliberation d, GuestId id, String by) {
    var known = d.state().guest(id);
    if (known.isEmpty()) {
      return Replies.unknownGuest(d, id);
    }
    var guest = known.get();
    switch (guest.phase()) {
      case Running p -> {
        if (guest.wanted()) {
          return Replies.ok("guest %s runs on host %s already".formatted(id, p.host()));
        }
        d.change(new Change.GuestWanted(id, true));
      }
      case Stopped _, Failed _ -> {
        d.change(new Change.GuestWanted(id, true)).change(new Change.FailuresForgotten(id));
        if (guest.crashes().isPresent()) {
          d.change(new Change.CrashesForgotten(id));
        }
        d.phase(id, new Waiting("started by its owner"));
        d.clearAlarm("guest-" + id);
        var first = StartOrder.waitsFor(d.state(), guest);
        if (first.isPresent()) {
          return accepted(
              d, id, by, first.get().why(), "starts later: it " + first.get(), List.of());
        }
        var nowhere = FitsNowhere.whyNot(d.state(), guest.spec());
        if (nowhere.isPresent()) {
          return accepted(
              d,
              id,
              by,
              "waiting for room",
              "starts as soon as it fits: " + nowhere.get(),
              List.of());
        }
      }
      case GuestPhase.Starting _,
          GuestPhase.Stopping _,
          GuestPhase.Vacating _,
          Migrating _,
          Waiting _ -> {
        if (!guest.wanted()) {
          d.change(new Change.GuestWanted(id, true));
        }
      }
    }
    return accepted(d, id, by, "starting", "starts", List.of("start guest " + id));
  }

  private static Reply accepted(
      Deliberation d, GuestId id, String by, String detail, String what, List<String> plan) {
    var op = d.begin(new Kind.StartGuest(id), by, detail, 1);
    return new Reply.Accepted("guest %s %s".formatted(id, what), Optional.of(op), plan);
  }

  static void conclude(Deliberation d, Operation op, Kind.StartGuest k) {
    var guest = d.state().guest(k.guest());
    if (guest.isEmpty()) {
      d.end(op, Operation.State.FAILED, "the guest was removed");
    } else if (guest.get().phase() instanceof Running p) {
      d.end(op, Operation.State.DONE, "guest %s runs on host %s".formatted(k.guest(), p.host()));
    } else if (guest.get().phase() instanceof Failed f) {
      d.end(op, Operation.State.FAILED, f.why());
    } else if (!guest.get().wanted()) {
      d.end(op, Operation.State.CANCELLED, "guest %s was stopped".formatted(k.guest()));
    } else {
      d.progress(op, 0, guest.get().phase() instanceof Waiting w ? w.why() : "starting");
    }
  }

  static Reply cancel(Operation op, Kind.StartGuest k) {
    return Replies.refused(
        Reason.WRONG_STATE,
        "operation %s: stop the guest instead: haven guest stop %s".formatted(op.id(), k.guest()));
  }
}
