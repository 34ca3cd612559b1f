package dev.haven.core.ha;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Names;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** The answers to commands that many of them give. */
final class Replies {
  /** Of a plan that an answer names. */
  private static final int PLAN_LINES = 100;

  private Replies() {}

  static Reply ok(String message) {
    return new Reply.Accepted(message, Optional.empty(), List.of());
  }

  static Reply refused(Reason reason, String message) {
    return new Reply.Refused(reason, message);
  }

  static Reply unknownHost(Deliberation d, HostId id) {
    var names = d.state().hosts().stream().map(h -> h.id().value()).toList();
    return refused(
        Reason.UNKNOWN_NAME,
        "host %s: unknown; %s"
            .formatted(
                id,
                names.isEmpty()
                    ? "the cluster has no host yet: haven host add"
                    : "there are " + String.join(", ", names)));
  }

  static Reply unknownGuest(Deliberation d, GuestId id) {
    var near =
        d.state().guests().stream()
            .map(g -> g.id().value())
            .sorted(Comparator.comparingInt(n -> Names.distance(n, id.value())))
            .limit(3)
            .toList();
    return refused(
        Reason.UNKNOWN_NAME,
        "guest %s: unknown; %s"
            .formatted(
                id,
                near.isEmpty()
                    ? "there is none yet: haven guest create"
                    : "did you mean "
                        + String.join(" or ", near)
                        + "? haven guest list shows all"));
  }

  /** The answer is kept in the state, so of a long plan it has only the first lines. */
  static List<String> bounded(List<String> plan) {
    if (plan.size() <= PLAN_LINES) {
      return plan;
    }
    var first = new ArrayList<>(plan.subList(0, PLAN_LINES));
    first.add("and %d more".formatted(plan.size() - PLAN_LINES));
    return first;
  }

  /** An operation is taken back: what it has moved stays there. */
  static Reply cancelled(Deliberation d, Operation op) {
    d.end(op, Operation.State.CANCELLED, "cancelled; what had not moved stays");
    return ok("operation %s is cancelled; what had not moved stays".formatted(op.id()));
  }
}
