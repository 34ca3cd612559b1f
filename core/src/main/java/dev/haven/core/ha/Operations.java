package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.OperationId;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.List;

/** What an operation does next. Each kind has a class of its own; here is only the switch. */
final class Operations {
  private Operations() {}

  /** Whether it is about a guest of which nothing is decided now. */
  static boolean leftOut(Deliberation d, Operation op) {
    return switch (op.kind()) {
      case Kind.MoveGuest k -> d.leavesOut(k.guest());
      case Kind.RelocateGuest k -> d.leavesOut(k.guest());
      case Kind.StartGuest k -> d.leavesOut(k.guest());
      case Kind.StopGuest k -> d.leavesOut(k.guest());
      case Kind.MoveGroup _,
          Kind.MakeRoom _,
          Kind.EvacuateHost _,
          Kind.FenceHost _,
          Kind.FenceStuck _,
          Kind.TestFencing _ ->
          false;
    };
  }

  /** Takes the next steps of an operation. */
  static void advance(Deliberation d, Operation op) {
    switch (op.kind()) {
      case Kind.EvacuateHost k -> Evacuation.advance(d, op, k);
      case Kind.FenceStuck k -> StuckFence.advance(d, op, k);
      case Kind.MoveGroup _ -> GroupMoves.advance(d, op);
      case Kind.MoveGuest _,
          Kind.MakeRoom _,
          Kind.RelocateGuest _,
          Kind.StartGuest _,
          Kind.StopGuest _,
          Kind.FenceHost _,
          Kind.TestFencing _ -> {}
    }
    // a guest whose owner stopped it while it moved
    for (var id : List.copyOf(d.state().unsettled())) {
      var guest = d.guest(id);
      if (!guest.wanted() && guest.phase() instanceof Migrating m && m.step() == Step.CHECKING) {
        d.phase(id, m.back());
      }
    }
  }

  /** Ends an operation whose aim is reached, or can no longer be. */
  static void conclude(Deliberation d, Operation op) {
    switch (op.kind()) {
      case Kind.MoveGuest k -> GuestMove.conclude(d, op, k);
      case Kind.MoveGroup k -> GroupMoves.conclude(d, op, k);
      case Kind.MakeRoom k -> MakingRoom.conclude(d, op, k);
      case Kind.RelocateGuest k -> Relocation.conclude(d, op, k);
      case Kind.EvacuateHost k -> Evacuation.conclude(d, op, k);
      case Kind.StartGuest k -> GuestStart.conclude(d, op, k);
      case Kind.StopGuest k -> GuestStop.conclude(d, op, k);
      case Kind.FenceStuck k -> StuckFence.conclude(d, op, k);
      case Kind.TestFencing k -> FencingTrial.conclude(d, op, k);
      case Kind.FenceHost k -> OrderedFence.conclude(d, op, k);
    }
  }

  /** A person takes an operation back, as far as that is possible. */
  static Reply cancel(Deliberation d, OperationId id) {
    var known = d.state().operation(id);
    if (known.isEmpty()) {
      return Replies.refused(
          Reason.UNKNOWN_NAME, "operation %s: unknown; haven op list shows all".formatted(id));
    }
    var op = known.get();
    if (!op.running()) {
      return Replies.refused(
          Reason.WRONG_STATE, "operation %s: is over (%s)".formatted(id, op.detail()));
    }
    return switch (op.kind()) {
      case Kind.MoveGuest k -> GuestMove.cancel(d, op, k);
      case Kind.MoveGroup k -> GroupMoves.cancel(d, op, k);
      case Kind.MakeRoom k -> MakingRoom.cancel(d, op, k);
      case Kind.RelocateGuest k -> Relocation.cancel(d, op, k);
      case Kind.EvacuateHost k -> Evacuation.cancel(d, op, k);
      case Kind.StartGuest k -> GuestStart.cancel(op, k);
      case Kind.StopGuest k -> GuestStop.cancel(op, k);
      case Kind.FenceStuck k -> StuckFence.cancel(d, op, k);
      case Kind.TestFencing k -> FencingTrial.cancel(d, op, k);
      case Kind.FenceHost k -> OrderedFence.mayHaveLeft(op, k.host());
    };
  }
}
