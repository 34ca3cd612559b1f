package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Reply.Reason;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Live migration of guests that must stay together. All of them are checked first, which keeps
 * their place on the target too; then they move, as many at once as hosts may send and take. If one
 * cannot, nothing more begins, and those that have arrived go back.
 */
final class GroupMoves {
  /** Why one goes no further that somebody took back. */
  static final String CANCELLED = "cancelled";

  private GroupMoves() {}

  /** Ends the moves of groups that are part of an operation; what has arrived goes back. */
  static void cancelGroups(Deliberation d, OperationId of) {
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running()
          && op.kind() instanceof Kind.MoveGroup k
          && k.of().equals(Optional.of(of))
          && k.failure().isEmpty()) {
        sendBack(d, op, k);
      }
    }
  }

  static void sendBack(Deliberation d, Operation op, Kind.MoveGroup k) {
    d.change(new Change.OperationChanged(op.with(k.failed(CANCELLED))));
    k.from().keySet().forEach(g -> d.state().guest(g).ifPresent(x -> Migration.abort(d, x.id())));
  }

  /**
   * Begins to move those of some running guests that are not there yet.
   *
   * @param named the guest that it is about, for people
   * @param of the operation that empties their host, if one does
   */
  static OperationId begin(
      Deliberation d,
      GuestId named,
      Collection<Guest> guests,
      Host target,
      String by,
      String why,
      Optional<OperationId> of) {
    var from = new TreeMap<GuestId, HostId>();
    for (var guest : guests) {
      if (guest.phase() instanceof Running r && !r.host().equals(target.id())) {
        from.put(guest.id(), r.host());
      }
    }
    var op =
        d.begin(
            new Kind.MoveGroup(
                named, from, target.id(), new TreeSet<>(), new TreeSet<>(), Optional.empty(), of),
            by,
            "checking the target",
            from.size());
    for (var id : from.keySet()) {
      var guest = d.guest(id);
      if (guest.phase() instanceof Running running) {
        Migration.begin(d, guest, running, target, Optional.of(op), why);
      }
    }
    return op;
  }

  /**
   * Takes the next steps. One that failed ends before anything else is decided, so that nobody
   * takes its members along while it still counts.
   */
  static void advance(Deliberation d, Operation begun) {
    var op = d.state().operation(begun.id()).orElseThrow();
    if (!(op.kind() instanceof Kind.MoveGroup k)) {
      return;
    }
    if (k.failure().isEmpty()) {
      var away = members(d, k).stream().filter(g -> strayed(g, k)).findFirst();
      if (away.isPresent()) {
        GroupChecks.failed(
            d, op, k, away.get().id(), "stays on host " + away.get().host().orElseThrow());
      } else if (!d.state().host(k.to()).map(Host::online).orElse(false)
          && members(d, k).stream().anyMatch(g -> checking(g, op.id()))) {
        GroupChecks.failed(d, op, k, k.guest(), "host %s is no longer online".formatted(k.to()));
      } else {
        moveOn(d, op.id(), k);
        if (!hasFailed(d, op.id())) {
          return;
        }
      }
    }
    giveUp(d, op.id());
    var now = d.state().operation(op.id()).orElseThrow();
    if (now.kind() instanceof Kind.MoveGroup failed) {
      conclude(d, now, failed);
    }
  }

  private static List<Guest> members(Deliberation d, Kind.MoveGroup k) {
    return k.from().keySet().stream()
        .flatMap(id -> d.state().guest(id).stream())
        .filter(Guest::wanted)
        .toList();
  }

  private static boolean checking(Guest guest, OperationId op) {
    return guest.phase() instanceof Migrating m && m.step() == Step.CHECKING && partOf(m, op);
  }

  /** Whether a migration is part of this move and of no other operation. */
  private static boolean partOf(Migrating m, OperationId op) {
    return m.operation().equals(Optional.of(op));
  }

  private static boolean moving(Guest guest, OperationId op) {
    return guest.phase() instanceof Migrating m && partOf(m, op);
  }

  /** Runs, and neither there nor on its way. */
  private static boolean strayed(Guest guest, Kind.MoveGroup k) {
    return guest.phase() instanceof Running r && !r.host().equals(k.to());
  }

  private static boolean hasFailed(Deliberation d, OperationId op) {
    return d.state().operation(op).orElseThrow().kind() instanceof Kind.MoveGroup k
        && k.failure().isPresent();
  }

  private static void moveOn(Deliberation d, OperationId op, Kind.MoveGroup k) {
    var checking = members(d, k).stream().filter(g -> checking(g, op)).toList();
    if (!checking.stream().allMatch(g -> k.checked().contains(g.id()))) {
      return;
    }
    for (var guest : checking) {
      if (guest.phase() instanceof Migrating m) {
        var rule = Migration.againstRules(d, guest, m);
        if (rule.isPresent()) {
          Migration.giveUp(d, guest.id(), m, rule.get());
          return;
        }
      }
    }
    for (var guest : checking) {
      if (!(d.guest(guest.id()).phase() instanceof Migrating m)) {
        continue;
      }
      if (!d.state().host(m.source()).map(Host::online).orElse(false)) {
        continue; // it is lost there, or comes back
      }
      if (GroupChecks.enoughMove(d, m)) {
        continue;
      }
      Migration.move(d, guest.id(), m);
      if (hasFailed(d, op)) {
        return; // it stays, so nobody else of them may leave
      }
    }
  }

  /** What has not moved stays, what moves ends as it will, and what has arrived goes back. */
  private static void giveUp(Deliberation d, OperationId id) {
    var op = d.state().operation(id).orElseThrow();
    if (!(op.kind() instanceof Kind.MoveGroup k)) {
      return;
    }
    for (var guest : members(d, k)) {
      if (guest.phase() instanceof Migrating m
          && checking(guest, id)
          && !k.returned().contains(guest.id())) {
        d.phase(guest.id(), m.back());
      }
    }
    var members = members(d, k);
    if (members.stream().anyMatch(g -> moving(g, id))
        || members.stream().noneMatch(g -> strayed(g, k))) {
      return; // those that have none to go back to are together where they are
    }
    var back = goBack(d, k, members);
    for (var guest : members) {
      var home = k.from().get(guest.id());
      if (guest.phase() instanceof Running r && home != null && back.contains(guest.id())) {
        var now = d.state().operation(id).orElseThrow();
        if (now.kind() instanceof Kind.MoveGroup current) {
          d.change(new Change.OperationChanged(now.with(current.returned(guest.id()))));
          Migration.begin(
              d, guest, r, d.host(home), Optional.of(id), "its group stays on host " + home);
        }
      }
    }
  }

  /**
   * Those that have arrived and may go back: somebody from whom they stay apart, or who took their
   * room, may have come there meanwhile. A cordon keeps nobody from coming back.
   */
  private static Set<GuestId> goBack(Deliberation d, Kind.MoveGroup k, List<Guest> members) {
    var homes = new TreeMap<HostId, List<Guest>>();
    for (var guest : members) {
      var home = k.from().get(guest.id());
      if (guest.phase() instanceof Running r
          && r.host().equals(k.to())
          && home != null
          && !k.returned().contains(guest.id())
          && d.host(r.host()).online()
          && d.state().host(home).filter(Host::online).isPresent()) {
        homes.computeIfAbsent(home, _ -> new ArrayList<>()).add(guest);
      }
    }
    var back = new TreeSet<GuestId>();
    for (var e : homes.entrySet()) {
      var ids = e.getValue().stream().map(Guest::id).collect(Collectors.toSet());
      var specs = e.getValue().stream().map(Guest::spec).toList();
      var hosts = Candidates.candidates(d.state(), ids);
      if (hosts.stream()
          .anyMatch(c -> c.id().equals(e.getKey()) && Placement.fits(specs, c.able(), hosts))) {
        back.addAll(ids);
      }
    }
    return back;
  }

  /** Ends it once nothing moves any more; what another operation moves does not keep it open. */
  static void conclude(Deliberation d, Operation op, Kind.MoveGroup k) {
    var members = members(d, k);
    long there =
        members.stream()
            .filter(g -> g.phase() instanceof Running r && r.host().equals(k.to()))
            .count();
    if (members.stream()
        .anyMatch(
            g -> k.failure().isPresent() ? moving(g, op.id()) : g.phase() instanceof Migrating)) {
      d.progress(
          op,
          (int) there,
          k.failure()
              .map(why -> "going back: " + why)
              .orElse("%d of %d guests are on host %s".formatted(there, members.size(), k.to())));
      return;
    }
    if (k.failure().isEmpty()) {
      d.end(
          op,
          Operation.State.DONE,
          "guests %s run on host %s".formatted(GroupChecks.names(k.from().keySet()), k.to()));
      return;
    }
    d.end(
        op,
        k.failure().get().equals(CANCELLED) ? Operation.State.CANCELLED : Operation.State.FAILED,
        k.failure().get());
    for (var id : k.from().keySet()) {
      k.of()
          .flatMap(d.state()::operation)
          .filter(Operation::running)
          .map(evacuation -> evacuation.withFailure(id, k.failure().get()))
          .ifPresent(failed -> d.change(new Change.OperationChanged(failed)));
    }
  }

  static Reply cancel(Deliberation d, Operation op, Kind.MoveGroup k) {
    if (k.failure().isPresent()) {
      return Replies.refused(
          Reason.WRONG_STATE,
          "operation %s: has failed; the guests go back (%s)"
              .formatted(op.id(), k.failure().get()));
    }
    sendBack(d, op, k);
    return Replies.ok(
        "operation %s is cancelled; what had moved goes back, as the guests stay together"
            .formatted(op.id()));
  }
}
