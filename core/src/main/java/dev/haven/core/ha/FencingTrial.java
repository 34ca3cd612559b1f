package dev.haven.core.ha;

import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Whether a host's power devices are its own, found out by trying them while it is empty. For
 * devices that cannot tell their identity, such as a plug, it is what makes their word count.
 *
 * <pre>
 *   ordered ──► Fencing (TEST) ──read off──► Fenced ──switched on, booted again──► on record
 *                  │   └── still heard: another machine's ──► switched on again, failed
 *                  └────── could not be read off ───────────► failed
 * </pre>
 */
final class FencingTrial {
  /** Kinds that switch no power. */
  private static final Set<String> NO_SWITCH = Set.of("sbd", "manual");

  private FencingTrial() {}

  static Reply begin(Deliberation d, HostId id, int level, Event.CommandReceived e) {
    var refused = refused(d, id, level, e);
    if (refused.isPresent()) {
      return refused.get();
    }
    var host = d.host(id);
    var devices = host.spec().fencing().get(level - 1);
    var op = d.begin(new Kind.TestFencing(id, level), e.by(), "cutting its power", 2);
    d.host(id, new HostState.Fencing(1, HostState.Cause.TEST, d.at(), ""));
    d.act(new Action.FenceHost(id, host.boot().orElseThrow(), 1, Duration.ZERO));
    d.tell(new Fact.FencingTrialBegun(id, level, e.by()));
    return new Reply.Accepted(
        "the power of host %s is cut by %s, and switched on again".formatted(id, devices),
        Optional.of(op),
        List.of(
            "cut the power of host " + id,
            "read it back off",
            "switch it on again",
            "wait until it has booted again"));
  }

  /** Why the power of this host is not cut now; empty if it is. */
  private static Optional<Reply> refused(
      Deliberation d, HostId id, int level, Event.CommandReceived e) {
    var host = d.host(id);
    if (level < 1 || level > host.spec().fencing().size()) {
      return no(
          Reason.INVALID,
          "host %s: has no level %d of fencing devices, but %d; haven host show %s"
              .formatted(id, level, host.spec().fencing().size(), id));
    }
    var devices = host.spec().fencing().get(level - 1);
    for (var device : devices) {
      if (NO_SWITCH.contains(device.kind())) {
        return no(
            Reason.INVALID,
            "host %s: %s switches no power that could be read; %s"
                .formatted(
                    id,
                    device,
                    device.kind().equals("sbd")
                        ? "its watchdog can be tried: haven watchdog test " + id
                        : "a person is asked when it is needed"));
      }
    }
    if (!host.online()) {
      return no(Reason.WRONG_STATE, "host %s: is not online; haven host show %s".formatted(id, id));
    }
    if (!host.cordoned() || !d.state().load(id).guests().isEmpty()) {
      return no(
          Reason.WRONG_STATE,
          "host %s: must be empty and cordoned, because its power is cut; haven evacuate %s --wait"
              .formatted(id, id));
    }
    if (d.state().pause().isPresent()) {
      return no(Reason.WRONG_STATE, "fencing is paused; it goes on with: haven resume");
    }
    var needed = NeededVoters.needed(d, id, e.quorum());
    if (needed.isPresent()) {
      return no(Reason.NOT_SAFE, needed.get());
    }
    return Optional.empty();
  }

  private static Optional<Reply> no(Reason reason, String why) {
    return Optional.of(Replies.refused(reason, why));
  }

  /** All devices of the level say off. */
  static void off(Deliberation d, Event.FencingConfirmed e) {
    if (!e.contradiction().isEmpty()) {
      d.act(new Action.PowerOn(e.host())); // whatever it was that was cut
      failed(
          d,
          e.host(),
          "its devices say off, but %s: they belong to another machine, which is switched on again"
              .formatted(e.contradiction()));
      return;
    }
    ProvenOff.fenced(d, e.proof(), e.times());
    d.act(new Action.PowerOn(e.host()));
    running(d, e.host())
        .ifPresent(
            op ->
                d.progress(op, 1, "off, and read back; switched on again, waiting for its agent"));
  }

  static void failed(Deliberation d, HostId id, String reason) {
    d.host(id, new HostState.Suspect(d.at(), "the test of its fencing failed"));
    running(d, id)
        .ifPresent(op -> d.end(op, Operation.State.FAILED, "host %s: %s".formatted(id, reason)));
    d.because("the test of its fencing failed: " + reason);
  }

  /** The host is here under a newer boot: was it we who cut its power? */
  static void booted(Deliberation d, HostId id) {
    var op = running(d, id);
    if (op.isEmpty()) {
      return;
    }
    if (op.get().done() < 1) {
      d.end(
          op.get(),
          Operation.State.FAILED,
          "host %s booted before its power was read off".formatted(id));
      return;
    }
    int level = ((Kind.TestFencing) op.get().kind()).level();
    d.change(new Change.FencingTested(id, level));
    d.tell(new Fact.DevicesProven(id, level));
    d.end(
        op.get(),
        Operation.State.DONE,
        "host %s was off and has booted again: level %d of its fencing devices is its own"
            .formatted(id, level));
    for (var device : d.host(id).spec().fencing().get(level - 1)) {
      d.clearAlarm("device-" + id + "-" + device.name());
    }
  }

  /** The test of this host that is under way. */
  static Optional<Operation> running(Deliberation d, HostId id) {
    return d.state().operations().stream()
        .filter(
            op -> op.running() && op.kind() instanceof Kind.TestFencing t && t.host().equals(id))
        .findFirst();
  }

  static void conclude(Deliberation d, Operation op, Kind.TestFencing k) {
    if (d.state().host(k.host()).isEmpty()) {
      d.end(op, Operation.State.FAILED, "the host was removed");
    }
  }

  static Reply cancel(Deliberation d, Operation op, Kind.TestFencing k) {
    if (d.state().host(k.host()).filter(h -> h.state() instanceof HostState.Fencing).isPresent()) {
      return Replies.refused(
          Reason.NOT_SAFE,
          "operation %s: the power of host %s is being cut; wait until it is read off"
              .formatted(op.id(), k.host()));
    }
    d.end(op, Operation.State.CANCELLED, "cancelled; the host may still be off");
    return Replies.ok(
        "operation %s is cancelled; host %s may still be off".formatted(op.id(), k.host()));
  }
}
