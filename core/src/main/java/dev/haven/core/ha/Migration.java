package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.util.List;
import java.util.Optional;

/**
 * A migration is a transaction: checked, committed as an intent, moved so that it arrives paused,
 * and let run only when its old host is proven empty.
 */
final class Migration {
  private Migration() {}

  static void abort(Deliberation d, GuestId id) {
    if (d.guest(id).phase() instanceof Migrating m) {
      switch (m.step()) {
        case CHECKING -> d.phase(id, m.back());
        case MOVING ->
            d.send(m.from(), new Order.AbortMigration(id, m.from().epoch(), m.to().epoch()));
        case ARRIVED, UNDOING, STAYING -> {}
      }
    }
  }

  /** Whether a guest that the target can take moves later; it is checked again meanwhile. */
  static boolean waitsItsTurn(Deliberation d, Migrating m) {
    return m.operation()
            .flatMap(d.state()::operation)
            .filter(o -> o.running() && o.kind() instanceof Kind.MakeRoom)
            .isPresent()
        && GroupChecks.enoughMove(d, m);
  }

  /** Begins to move a running guest. Both hosts must be online. */
  static void begin(
      Deliberation d,
      Guest guest,
      Running from,
      Host target,
      Optional<OperationId> operation,
      String why) {
    var migrating =
        new Migrating(from.holding(), guest.next(target), Step.CHECKING, why, operation);
    d.phase(guest.id(), migrating);
    d.tell(new Fact.MigrationDecided(guest.id(), from.host(), target.id(), why));
    GuestOrders.orders(d, d.guest(guest.id()), migrating);
  }

  static void precheckAnswered(
      Deliberation d, Guest guest, Order.Precheck o, Event.OrderAnswered e) {
    if (!(guest.phase() instanceof Migrating m)
        || m.step() != Step.CHECKING
        || !m.target().equals(e.host())
        || !m.to().epoch().equals(o.epoch())) {
      d.because("that check is over");
      return;
    }
    switch (e.answer()) {
      case Answer.Done _ -> {
        if (!d.host(m.target()).online() || !d.host(m.source()).online() || !guest.wanted()) {
          giveUp(d, guest.id(), m, "the hosts changed meanwhile");
          return;
        }
        var rule = againstRules(d, guest, m);
        if (rule.isPresent()) {
          giveUp(d, guest.id(), m, rule.get());
          return;
        }
        if (GroupChecks.checked(d, guest, m) || waitsItsTurn(d, m)) {
          d.because("host %s can take guest %s".formatted(m.target(), guest.id()));
          return;
        }
        move(d, guest.id(), m);
        d.because("guest %s may move".formatted(guest.id()));
      }
      case Answer.Failed a ->
          giveUp(d, guest.id(), m, "host %s cannot take it: %s".formatted(m.target(), a.reason()));
      case Answer.Refused a ->
          giveUp(d, guest.id(), m, "host %s refused it: %s".formatted(m.target(), a.reason()));
      case Answer.NotNoted a ->
          giveUp(d, guest.id(), m, "host %s cannot take it: %s".formatted(m.target(), a.reason()));
      case Answer.Unknown a ->
          giveUp(
              d, guest.id(), m, "host %s could not be asked: %s".formatted(m.target(), a.reason()));
      case Answer.Gone _, Answer.StillThere _, Answer.Migrated _ ->
          d.because("no answer to a check");
    }
  }

  /**
   * Why a guest may not go to its target any more: while the target was asked, another one that it
   * follows may have stayed, or a rule may have been edited. A cordon says nothing here, nor does
   * room: that is kept for it.
   */
  static Optional<String> againstRules(Deliberation d, Guest guest, Migrating m) {
    var state = d.state();
    if (guest.spec().rules().isEmpty() && state.load(m.target()).ruled() == 0) {
      return Optional.empty();
    }
    var hosts = Followers.without(state, m.source(), Candidates.candidates(state, guest.id()));
    return hosts.stream()
            .anyMatch(
                c ->
                    c.id().equals(m.target())
                        && Placement.fits(List.of(guest.spec()), c.roomy(), hosts))
        ? Optional.empty()
        : Optional.of(
            "host %s may not take it any more: see haven explain %s"
                .formatted(m.target(), guest.id()));
  }

  /**
   * Commits the intent. The target can take it. A member of its group that was started meanwhile
   * keeps it where it is: nothing that we order parts them.
   */
  static void move(Deliberation d, GuestId id, Migrating m) {
    var other = GroupChecks.leftBehind(d, d.guest(id), m);
    if (other.isPresent()) {
      giveUp(
          d,
          id,
          m,
          "guest %s, which must stay together with it, does not go to host %s"
              .formatted(other.get().id(), m.target()));
      return;
    }
    d.change(new Change.MigrationBegun(id));
    d.tell(new Fact.MigrationBegun(id, m.target()));
    GuestOrders.orders(d, d.guest(id));
  }

  /** Nothing has moved, and it stays where it is. */
  static void giveUp(Deliberation d, GuestId id, Migrating m, String why) {
    d.phase(id, m.back());
    failed(d, id, m, why);
  }

  private static void failed(Deliberation d, GuestId id, Migrating m, String why) {
    d.tell(new Fact.MigrationFailed(id, m.source(), why));
    d.because("guest %s did not move: %s".formatted(id, why));
    m.operation()
        .flatMap(o -> d.state().operation(o))
        .filter(Operation::running)
        .ifPresent(
            o -> {
              switch (o.kind()) {
                case Kind.EvacuateHost _, Kind.FenceStuck _ ->
                    d.change(new Change.OperationChanged(o.withFailure(id, why)));
                case Kind.MoveGuest _ -> d.end(o, Operation.State.FAILED, why);
                case Kind.MoveGroup k -> GroupChecks.failed(d, o, k, id, why);
                case Kind.MakeRoom _, // it ends once nobody is leaving any more
                    Kind.RelocateGuest _,
                    Kind.StartGuest _,
                    Kind.StopGuest _,
                    Kind.FenceHost _,
                    Kind.TestFencing _ -> {}
              }
            });
  }

  /** Whether an answer is about the migration of the guest that is under way. */
  static boolean underWay(Guest guest, Order.MigrateOut o, Event.OrderAnswered e) {
    return guest.phase() instanceof Migrating m
        && m.step() == Step.MOVING
        && m.source().equals(e.host())
        && m.to().epoch().equals(o.targetEpoch());
  }

  /** Of one that is {@link #underWay}. */
  static void migrateAnswered(
      Deliberation d, Guest guest, Order.MigrateOut o, Event.OrderAnswered e) {
    if (!(guest.phase() instanceof Migrating m) || !underWay(guest, o, e)) {
      throw new IllegalStateException("no such migration is under way: " + o);
    }
    var id = guest.id();
    switch (e.answer()) {
      case Answer.Migrated a -> {
        leftSource(d, id, m, e, a.detail());
        if (!d.guest(id).holders().containsKey(m.target())) {
          GuestLife.off(d, id, "its target was lost while it arrived");
          return;
        }
        d.phase(
            id,
            m.at(
                Step.ARRIVED,
                "%s, %d ms%s"
                    .formatted(
                        m.why(),
                        a.total().toMillis(),
                        a.downtime().map(t -> ", paused for " + t.toMillis() + " ms").orElse(""))));
        d.tell(new Fact.MigrationArrived(id, m.source(), m.target(), a.total(), a.downtime()));
        // the target has held the guest since the intent was committed, so whatever else may be
        // decided without us takes it into account; and the source's word is final
        d.actAhead(GuestOrders.resumed(d.guest(id), m));
        d.because("guest %s has arrived".formatted(id));
      }
      case Answer.Failed a -> undo(d, guest, m, a.reason());
      case Answer.StillThere a -> undo(d, guest, m, "still there: " + a.domain().detail());
      case Answer.Refused a -> undo(d, guest, m, "refused: " + a.reason());
      case Answer.Gone a -> {
        // it went away on the source without arriving: a crash during the move
        leftSource(d, id, m, e, a.detail());
        holderGone(d, d.guest(id), m, m.source(), "crashed while it moved: " + a.detail());
      }
      case Answer.Unknown a -> d.because("unknown, asked again: " + a.reason());
      case Answer.NotNoted a -> d.because("asked again: " + a.reason());
      case Answer.Done _ -> d.because("no answer to a migration");
    }
  }

  /** By the word of the source's agent. */
  private static void leftSource(
      Deliberation d, GuestId id, Migrating m, Event.OrderAnswered e, String said) {
    var word = new Proof.AgentsWord(e.host(), e.boot(), id, m.from().epoch(), said, e.at());
    d.change(new Change.HolderCleared(id, m.source(), word));
  }

  /** The source still has it. What there may be at the target must go first. */
  private static void undo(Deliberation d, Guest guest, Migrating m, String why) {
    if (!guest.holders().containsKey(m.target())) {
      stay(d, guest.id(), m, why);
      return;
    }
    var undoing = m.at(Step.UNDOING, why);
    d.phase(guest.id(), undoing);
    GuestOrders.orders(d, d.guest(guest.id()), undoing);
    d.because("undo: " + why);
  }

  /** Nothing of it is at the target: it goes on where it is. */
  private static void stay(Deliberation d, GuestId id, Migrating m, String why) {
    d.phase(id, m.at(Step.STAYING, why));
    GuestOrders.orders(d, d.guest(id));
    d.because("guest %s stays on host %s: %s".formatted(id, m.source(), why));
  }

  /** The target was lost, and the source was asked: it has the guest. */
  static void stillAtSource(Deliberation d, Guest guest, Migrating m, Answer.StillThere a) {
    if (!guest.holders().containsKey(m.target()) && !a.domain().job()) {
      stay(d, guest.id(), m, m.why());
    }
  }

  static void resumeAnswered(
      Deliberation d, Guest guest, Order.ResumeGuest o, Event.OrderAnswered e) {
    var id = guest.id();
    if (guest.phase() instanceof Migrating m
        && m.step() == Step.STAYING
        && m.source().equals(e.host())
        && m.from().epoch().equals(o.epoch())) {
      if (e.answer() instanceof Answer.Done) {
        giveUp(d, id, m, m.why());
      } else {
        notResumed(d, id, m.back(), e.answer());
      }
      return;
    }
    if (!(guest.phase() instanceof Migrating m)
        || m.step() != Step.ARRIVED
        || !m.target().equals(e.host())
        || !m.to().epoch().equals(o.epoch())) {
      d.because("that arrival is over");
      return;
    }
    var there = new Running(m.to());
    if (e.answer() instanceof Answer.Done) {
      d.phase(id, there);
      d.tell(new Fact.GuestRuns(id, m.target(), m.to().epoch(), Optional.of(m.why())));
      d.because("guest %s runs on host %s".formatted(id, m.target()));
    } else {
      notResumed(d, id, there, e.answer());
    }
  }

  private static void notResumed(Deliberation d, GuestId id, Running there, Answer answer) {
    switch (answer) {
      case Answer.Failed a -> lost(d, id, there, a.reason());
      case Answer.Gone a -> lost(d, id, there, a.detail());
      case Answer.Refused a -> lost(d, id, there, "refused: " + a.reason());
      case Answer.StillThere a -> d.because("asked again: " + a.domain().detail());
      case Answer.Unknown a -> d.because("unknown, asked again: " + a.reason());
      case Answer.NotNoted a -> d.because("asked again: " + a.reason());
      case Answer.Done _, Answer.Migrated _ -> d.because("no answer to a resume");
    }
  }

  /** It is there and cannot go on: it is started afresh once nothing is left. */
  private static void lost(Deliberation d, GuestId id, Running there, String why) {
    d.phase(id, new Vacating(there.holding(), true, "could not go on after its migration: " + why));
    GuestOrders.orders(d, d.guest(id));
    d.because("its copy on host %s could not go on".formatted(there.host()));
  }

  /** One of the two hosts is proven not to hold it any more. */
  static void holderGone(Deliberation d, Guest guest, Migrating m, HostId host, String why) {
    var id = guest.id();
    boolean atSource = guest.holders().containsKey(m.source());
    boolean atTarget = guest.holders().containsKey(m.target());
    if (!atSource && !atTarget) {
      GuestLife.off(d, id, why);
    } else if (host.equals(m.target())) {
      switch (m.step()) {
        case CHECKING -> giveUp(d, id, m, why);
        case MOVING -> {
          // only the source knows whether it is there; an order to move it may still be on its way
          d.phase(id, m.at(Step.MOVING, why));
          GuestOrders.orders(d, d.guest(id));
        }
        case UNDOING -> stay(d, id, m, m.why());
        case ARRIVED, STAYING -> {}
      }
    } else if (!atSource) {
      // the source is gone and the copy at the target may be incomplete: only its agent can tell,
      // and it is not trusted to run
      d.phase(id, new Vacating(m.to(), true, why));
      GuestOrders.orders(d, d.guest(id));
    }
  }
}
