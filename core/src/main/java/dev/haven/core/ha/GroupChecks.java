package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Collectors;

/** What one guest of a group may do while the group moves. */
final class GroupChecks {
  private GroupChecks() {}

  /** Whether a move of one of these failed lately, so that another one is not tried yet. */
  static Optional<Retries.Held> failedLately(Deliberation d, Collection<GuestId> guests) {
    return Retries.of(d, o -> o.movesOneOf(guests));
  }

  /** The move of one of these that has not ended. There is one at a time. */
  static Optional<Operation> underWay(ClusterState state, Collection<GuestId> guests) {
    return state.groupMove(guests);
  }

  /** The move that a migration is part of. */
  static Optional<Operation> of(ClusterState state, Migrating m) {
    return m.operation()
        .flatMap(state::operation)
        .filter(o -> o.running() && o.kind() instanceof Kind.MoveGroup);
  }

  /**
   * The target can take a guest.
   *
   * @return whether it has to wait for the others of its group
   */
  static boolean checked(Deliberation d, Guest guest, Migrating m) {
    var op = of(d.state(), m);
    if (op.isEmpty()
        || !(op.get().kind() instanceof Kind.MoveGroup k)
        || k.returned().contains(guest.id())) {
      return false;
    }
    if (!k.checked().contains(guest.id())) {
      d.change(new Change.OperationChanged(op.get().with(k.checked(guest.id()))));
    }
    return true;
  }

  static void failed(Deliberation d, Operation op, Kind.MoveGroup k, GuestId guest, String why) {
    if (k.returned().contains(guest)
        || k.failure().isPresent()
        || !d.guest(guest).wanted()) { // it is stopped, and the others go on without it
      return;
    }
    d.change(new Change.OperationChanged(op.with(k.failed("guest %s: %s".formatted(guest, why)))));
  }

  /** One that must stay together with a guest, and would no longer be if that one moved now. */
  static Optional<Guest> leftBehind(Deliberation d, Guest guest, Migrating m) {
    var move = of(d.state(), m).map(Operation::kind);
    return d.state().group(guest.spec()).stream()
        .filter(id -> !id.equals(guest.id()))
        .map(d::guest)
        .filter(other -> move.filter(k -> goesAlong(k, other)).isEmpty())
        .filter(
            other ->
                switch (other.phase()) {
                  case Running p -> p.host().equals(m.source());
                  case GuestPhase.Starting p -> !p.host().equals(m.target());
                  case Migrating p ->
                      !p.target().equals(m.target()) && !p.source().equals(m.target());
                  case GuestPhase.Stopping _,
                      GuestPhase.Vacating _,
                      GuestPhase.Stopped _,
                      GuestPhase.Waiting _,
                      GuestPhase.Failed _ ->
                      false;
                })
        .findFirst();
  }

  /** Whether it is part of the same move; one whose way back has failed is no longer. */
  private static boolean goesAlong(Kind move, Guest guest) {
    return move instanceof Kind.MoveGroup k
        && k.from().containsKey(guest.id())
        && !(k.returned().contains(guest.id()) && guest.phase() instanceof Running);
  }

  /** Whether as many guests move from there, or to there, as may at once. */
  static boolean enoughMove(Deliberation d, Migrating m) {
    var policy = d.state().policy();
    return begun(d, m.source(), true) >= policy.migrationsOut()
        || begun(d, m.target(), false) >= policy.migrationsIn();
  }

  /** Migrations that have begun, out of a host or to it. */
  private static long begun(Deliberation d, HostId host, boolean out) {
    return d.state().load(host).guests().stream()
        .filter(
            g ->
                d.guest(g).phase() instanceof Migrating m
                    && m.step() != Step.CHECKING
                    && (out ? m.source() : m.target()).equals(host))
        .count();
  }

  static String names(Collection<GuestId> guests) {
    return guests.stream().map(GuestId::value).sorted().collect(Collectors.joining(", "));
  }
}
