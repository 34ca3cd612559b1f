package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A guest that libvirt cannot end, as QEMU hangs in the kernel over dead storage, keeps its place
 * for ever. Where it is to run elsewhere, its host is emptied of the others, live, and then fenced.
 *
 * <p>Dead storage mostly looks the same from every host, and then a fence helps nobody: one host is
 * fenced for that at a time and one an hour in the cluster, none while a second host has trouble
 * with the same storage, and none while a guest on it cannot leave.
 */
final class StuckFence {
  /** What libvirt could not end by then, it does not end: QEMU hangs in the kernel. */
  static final Duration DESTROY = Duration.ofMinutes(1);

  private static final Duration APART = Duration.ofHours(1);

  private StuckFence() {}

  /**
   * Begins to free the guest, if that is right.
   *
   * @return why not; empty if it has begun, or had
   */
  static Optional<String> consider(
      Deliberation d, Guest guest, Vacating p, Event.Lasting l, Event.Tick tick) {
    if (!guest.wanted()) {
      return Optional.of("No host is fenced for a guest that is not to run.");
    }
    var running = running(d);
    if (running.isPresent()
        && running.get().kind() instanceof Kind.FenceStuck k
        && k.guest().equals(guest.id())) {
      return Optional.empty();
    }
    if (!p.destroy() || !l.tried()) {
      return Optional.of("Its host is not fenced for it: its libvirt has not been asked.");
    }
    var why =
        whyNot(d, guest, p.host(), tick).or(() -> voter(d, p.host(), tick)).or(() -> tooSoon(d));
    if (why.isPresent()) {
      return Optional.of("Its host is not fenced for it: " + why.get() + ".");
    }
    var host = d.host(p.host());
    var kind = new Kind.FenceStuck(guest.id(), p.holding(), host.cordoned(), Map.of());
    if (!host.cordoned()) {
      d.change(new Change.HostCordoned(p.host(), true));
    }
    int others = d.state().load(p.host()).guests().size() - 1;
    var op = d.begin(kind, "haven", "emptying host " + p.host(), Math.max(1, others + 1));
    d.tell(new Fact.StuckGuestFreed(guest.id(), p.host(), others, op));
    return Optional.empty();
  }

  private static Optional<Operation> running(Deliberation d) {
    return d.state().operations().stream()
        .filter(o -> o.running() && o.kind() instanceof Kind.FenceStuck)
        .findFirst();
  }

  private static Optional<String> tooSoon(Deliberation d) {
    for (var op : d.state().operations()) {
      // also if the clock was set back since
      if (op.kind() instanceof Kind.FenceStuck k && d.at().isBefore(op.began().plus(APART))) {
        return Optional.of(
            "one such fence an hour in the cluster, and %s began one of host %s at %s"
                .formatted(op.id(), k.host(), op.began()));
      }
    }
    return Optional.empty();
  }

  /** Why its host must not be fenced now for a guest that it cannot end. */
  private static Optional<String> whyNot(Deliberation d, Guest guest, HostId id, Event.Tick tick) {
    var host = d.host(id);
    if (!d.state().policy().fencesStuckDestroys()) {
      return Optional.of("the policy stuck-destroy is alarm");
    }
    if (d.state().pause().isPresent()) {
      return Optional.of("fencing is paused");
    }
    if (!host.online()) {
      return Optional.of("host %s is not online".formatted(id));
    }
    if (host.spec().fencing().isEmpty()) {
      return Optional.of("host %s has no fencing device".formatted(id));
    }
    if (d.state().hosts().size() < 3) {
      return Optional.of("of two hosts none is fenced while it is heard");
    }
    if (Suspicion.storm(d).isPresent()) {
      return Optional.of("many hosts are silent");
    }
    var second = troubled(d, guest, id, tick);
    if (second.isPresent()) {
      return Optional.of("host %s has trouble with that storage too".formatted(second.get()));
    }
    var group = d.state().group(guest.spec());
    var elsewhere =
        Candidates.candidates(d.state(), group).stream().filter(c -> !c.id().equals(id)).toList();
    var specs = group.stream().map(g -> d.guest(g).spec()).toList();
    if (Placement.best(specs, elsewhere, elsewhere, Optional.empty(), Set.of()).isEmpty()) {
      return Optional.of("it fits on no other host");
    }
    return Optional.empty();
  }

  /** A voter that is not heard for a moment is no reason to give up what was begun. */
  private static Optional<String> voter(Deliberation d, HostId id, Event.Tick tick) {
    return NeededVoters.needed(d, id, tick.quorum())
        .map(_ -> "the voter of host %s is needed to commit the proof".formatted(id));
  }

  /** Another host with trouble that may be that of the same storage. */
  private static Optional<HostId> troubled(
      Deliberation d, Guest guest, HostId host, Event.Tick tick) {
    for (var other : d.state().guests()) {
      var failed =
          other
              .ioError()
              .filter(e -> e.lately(d.at()))
              .map(IoError::host)
              .filter(h -> !h.equals(host));
      if (failed.isPresent() && perhapsShared(d.state(), guest, other)) {
        return failed;
      }
    }
    for (var lasting : tick.lasting()) {
      var other = d.state().guest(lasting.guest());
      var at =
          other
              .filter(g -> g.phase() instanceof Starting || g.phase() instanceof Vacating)
              .flatMap(Guest::host)
              .filter(h -> !h.equals(host));
      if (at.isPresent() && perhapsShared(d.state(), guest, other.get())) {
        return at;
      }
    }
    return Optional.empty();
  }

  /** Where the definitions do not tell, it counts as shared. */
  private static boolean perhapsShared(ClusterState state, Guest one, Guest other) {
    return Disks.storage(state.definition(one.id())).isEmpty()
        || Disks.storage(state.definition(other.id())).isEmpty()
        || Disks.sameStorage(state, one.id(), other.id());
  }

  /** Moves the others off; on every event, so that one follows the other. */
  static void advance(Deliberation d, Operation op, Kind.FenceStuck k) {
    if (stuck(d, k) && d.host(k.host()).online()) {
      Evacuation.moveOff(
          d,
          op,
          k.host(),
          k.failures(),
          "host %s is fenced next, as libvirt there cannot end guest %s"
              .formatted(k.host(), k.guest()));
    }
  }

  private static boolean stuck(Deliberation d, Kind.FenceStuck k) {
    return d.state()
        .guest(k.guest())
        .filter(g -> g.wanted() && g.phase() instanceof Vacating v && v.holding().equals(k.stuck()))
        .isPresent();
  }

  /** It is over once the guest is gone, or cannot be freed so. */
  static void conclude(Deliberation d, Operation op, Kind.FenceStuck k) {
    var host = d.state().host(k.host());
    if (host.isEmpty()) {
      d.end(op, Operation.State.FAILED, "the host was removed");
    } else if (!stuck(d, k)) {
      end(
          d,
          op,
          k,
          Operation.State.DONE,
          "guest %s is gone from host %s".formatted(k.guest(), k.host()));
    } else if (!host.get().boot().equals(Optional.of(k.stuck().boot()))) {
      end(d, op, k, Operation.State.DONE, "host %s has booted again".formatted(k.host()));
    }
  }

  /** Its owner cancels it, or it is over. */
  static void end(
      Deliberation d, Operation op, Kind.FenceStuck k, Operation.State state, String detail) {
    var host = d.host(k.host());
    if (host.state() instanceof HostState.Fencing f && f.cause() == HostState.Cause.STUCK) {
      d.act(new Action.DropFence(k.host()));
      d.host(k.host(), new HostState.Suspect(d.at(), "its fencing was dropped"));
    }
    if (!k.wasCordoned() && host.cordoned()) {
      d.change(new Change.HostCordoned(k.host(), false));
    }
    d.end(op, state, detail);
  }

  /** Goes on with what was begun, also by another leader. */
  static void tick(Deliberation d, Event.Tick tick) {
    var running = running(d);
    if (running.isEmpty() || !(running.get().kind() instanceof Kind.FenceStuck k)) {
      return;
    }
    var op = running.get();
    if (d.state().host(k.host()).isEmpty() || !stuck(d, k)) {
      return; // it is concluded
    }
    var host = d.host(k.host());
    if (!host.online()) {
      d.progress(op, op.done(), "host %s is fenced or silent".formatted(k.host()));
      return;
    }
    var why = whyNot(d, d.guest(k.guest()), k.host(), tick);
    if (why.isPresent()) {
      end(d, op, k, Operation.State.FAILED, why.get());
      return;
    }
    var left =
        d.state().load(k.host()).guests().stream()
            .filter(g -> !(d.guest(g).phase() instanceof Vacating v && v.destroy()))
            .toList();
    var cannot = left.stream().filter(k.failures()::containsKey).findFirst();
    if (cannot.isPresent()) {
      end(
          d,
          op,
          k,
          Operation.State.FAILED,
          "host %s is not fenced: guest %s cannot leave it: %s"
              .formatted(k.host(), cannot.get(), k.failures().get(cannot.get())));
    } else if (!left.isEmpty()) {
      d.progress(
          op,
          Math.max(0, op.total() - 1 - left.size()),
          "%d guests left on host %s".formatted(left.size(), k.host()));
    } else if (voter(d, k.host(), tick).isPresent()) {
      d.progress(
          op,
          Math.max(0, op.total() - 1),
          "waits: " + voter(d, k.host(), tick).orElseThrow() + "; bring the other voters back");
    } else if (destroyedInVain(tick, k.guest())) {
      d.host(k.host(), new HostState.Fencing(1, HostState.Cause.STUCK, d.at(), ""));
      d.tell(new Fact.FenceDecided(k.host(), Fact.Verdict.STUCK, Optional.empty()));
      d.act(new Action.FenceHost(k.host(), k.stuck().boot(), 1, Duration.ZERO));
      d.because("fence host %s, which cannot end guest %s".formatted(k.host(), k.guest()));
    }
  }

  /** As this leader has seen itself. */
  private static boolean destroyedInVain(Event.Tick tick, GuestId guest) {
    return tick.lasting().stream()
        .anyMatch(l -> l.guest().equals(guest) && l.tried() && l.since().compareTo(DESTROY) >= 0);
  }

  static Reply cancel(Deliberation d, Operation op, Kind.FenceStuck k) {
    if (!d.host(k.host()).online()) {
      return OrderedFence.mayHaveLeft(op, k.host());
    }
    end(d, op, k, Operation.State.CANCELLED, "cancelled; guest %s stays".formatted(k.guest()));
    return Replies.ok(
        "operation %s is cancelled; to keep hosts from being fenced for that: haven policy set stuck-destroy alarm"
            .formatted(op.id()));
  }
}
