package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** The operation that empties a host: its guests move elsewhere while they run. */
final class Evacuation {
  private Evacuation() {}

  static Reply begin(Deliberation d, HostId id, String by) {
    var known = d.state().host(id);
    if (known.isEmpty()) {
      return Replies.unknownHost(d, id);
    }
    var host = known.get();
    for (var op : d.state().operations()) {
      if (op.running() && op.kind() instanceof Kind.EvacuateHost k && k.host().equals(id)) {
        return new Reply.Accepted(
            "host %s is being evacuated already".formatted(id), Optional.of(op.id()), List.of());
      }
    }
    if (!host.online()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "host %s: is not online, so nothing can be moved off it; see haven host show %s"
              .formatted(id, id));
    }
    var plan = new ArrayList<String>();
    if (!host.cordoned()) {
      d.change(new Change.HostCordoned(id, true));
      plan.add("cordon host " + id);
    }
    var guests = d.state().load(id).guests();
    plan.addAll(plan(d, id, guests));
    var op =
        d.begin(
            new Kind.EvacuateHost(id, Map.of()),
            by,
            "%d guests to move".formatted(guests.size()),
            guests.size());
    return new Reply.Accepted(
        "host %s is evacuated: %d guests to move".formatted(id, guests.size()),
        Optional.of(op),
        Replies.bounded(plan));
  }

  /** What the answer names, in order: guests that cannot leave, then the moves. */
  private static List<String> plan(Deliberation d, HostId id, Collection<GuestId> guests) {
    var plan = new ArrayList<String>();
    var moves = new ArrayList<String>(); // after what cannot leave
    var imagined = d.state();
    var planned = new TreeSet<GuestId>();
    for (var g : Followers.last(d.state(), guests)) {
      if (planned.contains(g)) {
        continue;
      }
      var group = d.state().group(d.guest(g).spec());
      planned.addAll(group);
      var members = group.stream().map(d::guest).toList();
      var specs = members.stream().map(Guest::spec).toList();
      var all = Followers.without(imagined, id, Candidates.candidates(imagined, group));
      var others = all.stream().filter(c -> !c.id().equals(id)).toList();
      var shunned = new TreeSet<HostId>();
      members.forEach(m -> shunned.addAll(m.shunned()));
      var to = Placement.best(specs, others, all, Optional.empty(), shunned);
      for (var guest : members) {
        if (guest
            .host()
            .filter(h -> h.equals(id) || to.isPresent() && !h.equals(to.get()))
            .isEmpty()) {
          continue;
        }
        if (to.isPresent()) {
          moves.add("migrate guest %s to host %s".formatted(guest.id(), to.get()));
        } else {
          plan.add(
              "guest %s cannot leave: %s"
                  .formatted(guest.id(), FitsNowhere.whyNowhere(specs, others, all)));
        }
        if (to.isPresent() && guest.phase() instanceof Running from) {
          imagined = imagined.apply(leaves(guest, from, d.host(to.get())));
        }
      }
    }
    plan.addAll(moves);
    return plan;
  }

  /** So that a plan does not promise one place twice. */
  private static Change leaves(Guest guest, Running from, Host to) {
    return new Change.PhaseChanged(
        guest.id(),
        new Migrating(from.holding(), guest.next(to), Step.CHECKING, "", Optional.empty()));
  }

  static void advance(Deliberation d, Operation op, Kind.EvacuateHost k) {
    moveOff(d, op, k.host(), k.failures(), "host " + k.host() + " is evacuated");
  }

  /**
   * Moves the guests of a host elsewhere while they run, as many at once as may move.
   *
   * @param failures of guests that could not; they are not tried again
   */
  static void moveOff(
      Deliberation d, Operation op, HostId host, Map<GuestId, String> failures, String why) {
    var policy = d.state().policy();
    var tried = new TreeSet<GuestId>();
    for (var id : Followers.last(d.state(), byNeed(d, host))) {
      var guest = d.guest(id);
      if (failures.containsKey(id)
          || !guest.wanted()
          || !(guest.phase() instanceof Running from)
          || !from.host().equals(host)
          || !d.host(host).online()
          || !tried.add(id)) {
        continue;
      }
      if (moving(d, host, true) >= policy.migrationsOut()) {
        return;
      }
      var group = d.state().group(guest.spec());
      tried.addAll(group);
      var members = group.stream().map(d::guest).toList();
      if (GroupChecks.underWay(d.state(), group).isPresent()
          || members.stream().anyMatch(g -> !Candidates.settled(d, g) && !stuck(d, g, op, host))) {
        continue; // it moves once the others of its group run, or are off
      }
      var stays = Followers.waitsFor(d.state(), group, host);
      if (stays.isPresent() && !failures.containsKey(stays.get())) {
        continue; // it moves once the guest that it follows has moved
      }
      var all = Followers.without(d.state(), host, Candidates.candidates(d.state(), group));
      var candidates = all.stream().filter(c -> !c.id().equals(host)).toList();
      var specs = Candidates.needing(d.state(), members, candidates);
      var free =
          candidates.stream()
              .filter(c -> moving(d, c.id(), false) < policy.migrationsIn())
              .toList();
      var shunned = new TreeSet<HostId>();
      members.forEach(g -> shunned.addAll(g.shunned()));
      var best = Placement.best(specs, free, all, Optional.empty(), shunned);
      if (best.isPresent()) {
        if (members.size() == 1) {
          Migration.begin(d, guest, from, d.host(best.get()), Optional.of(op.id()), why);
        } else {
          GroupMoves.begin(
              d,
              id,
              Candidates.running(members),
              d.host(best.get()),
              op.by(),
              why,
              Optional.of(op.id()));
        }
      } else if (Placement.best(specs, candidates, all, Optional.empty(), Set.of()).isEmpty()) {
        var reason =
            stays
                .map(f -> "it follows guest %s, which stays".formatted(f))
                .orElseGet(() -> FitsNowhere.whyNowhere(specs, candidates, all));
        stay(d, op, host, members, reason);
        return; // decided again with what was just learnt, by the caller's next round
      }
    }
  }

  /** These cannot leave, and are not tried again. */
  private static void stay(
      Deliberation d, Operation op, HostId host, List<Guest> members, String why) {
    for (var member : Candidates.running(members)) {
      if (member.host().equals(Optional.of(host))) {
        var now = d.state().operation(op.id()).orElseThrow();
        d.change(new Change.OperationChanged(now.withFailure(member.id(), why)));
      }
    }
  }

  /**
   * It cannot be ended there, and starts where its group is once the host is fenced: by itself, or
   * by the operator who was told to evacuate it first.
   */
  private static boolean stuck(Deliberation d, Guest guest, Operation op, HostId host) {
    return (op.kind() instanceof Kind.FenceStuck || StuckAlarm.isTold(d, guest.id()))
        && guest.phase() instanceof Vacating v
        && v.host().equals(host);
  }

  private static List<GuestId> byNeed(Deliberation d, HostId host) {
    return d.state().load(host).guests().stream()
        .sorted(
            Comparator.comparingInt((GuestId g) -> -d.guest(g).spec().priority())
                .thenComparing(g -> -d.guest(g).spec().memoryMib())
                .thenComparing(g -> g))
        .toList();
  }

  private static long moving(Deliberation d, HostId host, boolean out) {
    return d.state().load(host).guests().stream()
        .filter(
            g ->
                d.guest(g).phase() instanceof Migrating m
                    && (out ? m.source() : m.target()).equals(host))
        .count();
  }

  static void conclude(Deliberation d, Operation op, Kind.EvacuateHost k) {
    var left =
        d.state().load(k.host()).guests().stream()
            .filter(g -> d.guest(g).holders().containsKey(k.host()))
            .toList();
    var stuck = left.stream().filter(k.failures()::containsKey).toList();
    if (left.isEmpty()) {
      d.end(op, Operation.State.DONE, "host %s is empty and cordoned".formatted(k.host()));
    } else if (stuck.size() == left.size()) {
      var first = stuck.getFirst();
      d.end(
          op,
          Operation.State.FAILED,
          "%d of %d guests could not leave host %s: guest %s: %s"
              .formatted(stuck.size(), op.total(), k.host(), first, k.failures().get(first)));
    } else {
      d.progress(
          op,
          Math.max(0, op.total() - left.size()),
          "%d guests left on host %s".formatted(left.size(), k.host()));
    }
  }

  static Reply cancel(Deliberation d, Operation op, Kind.EvacuateHost k) {
    GroupMoves.cancelGroups(d, op.id());
    for (var g : d.state().load(k.host()).guests()) {
      if (d.guest(g).phase() instanceof Migrating m && m.operation().equals(Optional.of(op.id()))) {
        Migration.abort(d, g);
      }
    }
    return Replies.cancelled(d, op);
  }
}
