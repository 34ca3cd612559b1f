package dev.haven.core.ha;

import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The operation of a fence that an operator ordered. */
final class OrderedFence {
  private OrderedFence() {}

  static Reply begin(Deliberation d, HostId id, Event.CommandReceived e) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return Replies.unknownHost(d, id);
    }
    var host = known.get();
    if (host.boot().isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE, "host %s: has never joined; there is nothing to fence".formatted(id));
    }
    if (host.state() instanceof HostState.Fenced f) {
      return Replies.ok("host %s is fenced already: %s".formatted(id, f.proof().evidence()));
    }
    if (host.spec().fencing().isEmpty()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: has no fencing device; switch it off by hand, then: haven fence %s --confirm-dead"
              .formatted(id, id));
    }
    var needed = NeededVoters.needed(d, id, e.quorum());
    boolean cutAlready =
        host.state() instanceof HostState.Fencing f
            && f.off().flatMap(HostState.Off::onSince).isEmpty();
    if (needed.isPresent() && !cutAlready) {
      return Replies.refused(Reason.NOT_SAFE, needed.get());
    }
    var op = d.begin(new Kind.FenceHost(id), e.by(), "cutting its power", 1);
    if (host.state() instanceof HostState.Fencing f) {
      Fencing.cutNow(d, id, host.boot().get(), f, e.by());
    } else {
      d.host(id, new HostState.Fencing(1, HostState.Cause.OPERATOR, d.at(), ""));
      d.act(new Action.FenceHost(id, host.boot().get(), 1, Duration.ZERO));
    }
    d.tell(new Fact.FenceDecided(id, Fact.Verdict.OPERATOR, Optional.of(e.by())));
    return new Reply.Accepted(
        "the power of host %s is cut; its %d guests start elsewhere once it is proven off"
            .formatted(id, d.state().load(id).guests().size()),
        Optional.of(op),
        List.of("cut the power of host " + id, "read it back off", "start its guests elsewhere"));
  }

  static void conclude(Deliberation d, Operation op, Kind.FenceHost k) {
    var host = d.state().host(k.host());
    if (host.isEmpty()) {
      d.end(op, Operation.State.FAILED, "the host was removed");
      return;
    }
    switch (host.get().state()) {
      case HostState.Fenced f ->
          d.end(
              op,
              Operation.State.DONE,
              "host %s is off: %s".formatted(k.host(), f.proof().evidence()));
      case HostState.Fencing f ->
          d.progress(
              op,
              0,
              "attempt %d%s"
                  .formatted(
                      f.attempt(),
                      f.lastFailure().isEmpty() ? "" : "; before: " + f.lastFailure()));
      case HostState.Online _ ->
          d.end(
              op, Operation.State.FAILED, "host %s is back under a newer boot".formatted(k.host()));
      case HostState.Suspect _, HostState.Expected _ -> {}
    }
  }

  /** A fence cannot be cancelled. */
  static Reply mayHaveLeft(Operation op, HostId host) {
    return Replies.refused(
        Reason.NOT_SAFE,
        "operation %s: the order to cut the power of host %s may have left; it cannot be taken back"
            .formatted(op.id(), host));
  }
}
