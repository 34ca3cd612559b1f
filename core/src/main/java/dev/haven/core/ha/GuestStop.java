package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.GuestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The operation that stops a guest, after those that start after it. */
final class GuestStop {
  /** For a guest that is stopped after a migration, or after another guest. */
  static final Duration GRACE_LATER = Duration.ofSeconds(30);

  private GuestStop() {}

  static Reply begin(Deliberation d, Command.StopGuest c, String by) {
    var known = d.state().guest(c.guest());
    if (known.isEmpty()) {
      return Replies.unknownGuest(d, c.guest());
    }
    if (known.get().phase() instanceof Stopped) {
      return Replies.ok("guest %s is off already".formatted(c.guest()));
    }
    var unfit = unfit(c.guest(), c.grace());
    if (unfit.isPresent()) {
      return unfit.get();
    }
    var first = StartOrder.stopsFirst(d.state(), c.guest());
    if (first.isPresent() && known.get().phase() instanceof Running) {
      d.change(new Change.GuestWanted(c.guest(), false)); // its operation stops it then
    } else {
      GuestLife.stop(d, known.get(), c.grace());
    }
    var op = d.begin(new Kind.StopGuest(c.guest()), by, "stopping", 1);
    return new Reply.Accepted(
        "guest %s stops and stays off".formatted(c.guest()),
        Optional.of(op),
        List.of("stop guest " + c.guest()));
  }

  static Optional<Reply> unfit(GuestId id, Duration grace) {
    return grace.isNegative() || grace.compareTo(Duration.ofHours(1)) > 0
        ? Optional.of(
            Replies.refused(
                Reason.INVALID,
                "guest %s: a grace of %s is not between 0 and 1 h".formatted(id, grace)))
        : Optional.empty();
  }

  static void conclude(Deliberation d, Operation op, Kind.StopGuest k) {
    var guest = d.state().guest(k.guest());
    if (guest.isEmpty() || guest.get().phase() instanceof Stopped) {
      d.end(op, Operation.State.DONE, "guest %s is off".formatted(k.guest()));
    } else if (guest.get().wanted()) {
      d.end(op, Operation.State.CANCELLED, "guest %s was started again".formatted(k.guest()));
    } else if (guest.get().phase() instanceof Running) {
      var first = StartOrder.stopsFirst(d.state(), k.guest());
      if (first.isPresent()) {
        d.progress(op, 0, "guest %s stops first".formatted(first.get()));
      } else {
        GuestLife.stop(d, guest.get(), GRACE_LATER);
      }
    }
  }

  static Reply cancel(Operation op, Kind.StopGuest k) {
    return Replies.refused(
        Reason.WRONG_STATE,
        "operation %s: start the guest instead: haven guest start %s"
            .formatted(op.id(), k.guest()));
  }
}
