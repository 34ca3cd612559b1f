package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.model.DomainState;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.util.Optional;

/** What the answers of agents to orders mean for a guest. */
final class GuestAnswers {
  /** A lock goes with the process that holds it, not with trying. */
  private static final Duration LOCKED_AGAIN = Duration.ofSeconds(10);

  private GuestAnswers() {}

  private static String firstLine(String text) {
    return text.lines().findFirst().orElse("");
  }

  static void answered(Deliberation d, Event.OrderAnswered e) {
    var guest =
        switch (e.order()) {
          case Order.OfGuest o -> d.state().guest(o.guest());
        };
    if (guest.isEmpty()) {
      d.because("the guest is gone");
      return;
    }
    var host = d.joined(e.host(), e.boot());
    if (host.isEmpty()) {
      return;
    }
    switch (e.order()) { // an answer that comes late decides nothing but what it proves
      case Order.StartGuest o -> startAnswered(d, guest.get(), o, e);
      case Order.StopGuest o -> stopAnswered(d, guest.get(), o, e);
      case Order.ConfirmGone o -> confirmAnswered(d, guest.get(), o, e);
      case Order.Precheck o -> Migration.precheckAnswered(d, guest.get(), o, e);
      case Order.MigrateOut o -> {
        if (Migration.underWay(guest.get(), o, e)) {
          Migration.migrateAnswered(d, guest.get(), o, e);
        } else {
          Holders.lateWord(d, guest.get(), o.epoch(), e, "that migration is over");
        }
      }
      case Order.ResumeGuest o -> Migration.resumeAnswered(d, guest.get(), o, e);
      case Order.AbortMigration _ -> d.because("the migration itself answers");
      case Order.PauseGuest _ -> d.because("an older copy: " + e.answer());
      case Order.ForgetGuest _ -> d.because("forgotten");
    }
  }

  private static void startAnswered(
      Deliberation d, Guest guest, Order.StartGuest o, Event.OrderAnswered e) {
    if (!(guest.phase() instanceof Starting p)
        || !p.host().equals(e.host())
        || !p.epoch().equals(o.epoch())) {
      Holders.lateWord(d, guest, o.epoch(), e, "that start is over");
      return;
    }
    var id = guest.id();
    switch (e.answer()) {
      case Answer.Done _ -> GuestLife.started(d, id, p);
      case Answer.Gone a -> didNotStart(d, guest, p, e, a);
      case Answer.StillThere a ->
          GuestLife.startUnclear(d, id, p, "libvirt has it as " + a.domain().detail());
      case Answer.Migrated _ -> d.because("no answer to a start");
      case Answer.NotNoted a -> GuestLife.startUnclear(d, id, p, a.reason());
      case Answer.Failed a -> GuestLife.startUnclear(d, id, p, a.reason());
      case Answer.Unknown a -> GuestLife.startUnclear(d, id, p, a.reason());
      case Answer.Refused a -> GuestLife.startUnclear(d, id, p, "refused: " + a.reason());
    }
  }

  private static void didNotStart(
      Deliberation d, Guest guest, Starting p, Event.OrderAnswered e, Answer.Gone a) {
    var id = guest.id();
    var why = a.failure().orElse(a.detail());
    boolean locked = a.cause().equals(Optional.of(Answer.Cause.DISK_LOCKED));
    if (!locked) { // it is no fault of the guest's or the host's
      d.change(new Change.StartFailed(id, p.host()));
    }
    Holders.clear(d, id, e, p.epoch(), a.detail());
    var failed = d.guest(id);
    d.tell(new Fact.StartFailed(id, p.host(), why));
    if (!failed.wanted() || !failed.holders().isEmpty()) {
      Holders.gone(d, id, why);
    } else if (locked) {
      d.phase(
          id,
          new Waiting(
              "a disk of it is locked by another process", Optional.of(d.at().plus(LOCKED_AGAIN))));
      d.alarm(
          "guest-" + id,
          Alarm.Kind.GUEST_DISK_LOCKED,
          Alarm.Level.CRITICAL,
          id,
          "guest %s: a disk of it is locked, most likely by its copy on a host that cannot be reached and has paused it. It starts as soon as that host is off or back, and is tried every %d s (%s)"
              .formatted(id, LOCKED_AGAIN.toSeconds(), firstLine(why)));
    } else if (GuestLife.triedEnough(failed)) {
      GuestLife.giveUp(d, failed, p.host(), why);
    } else {
      d.phase(id, new Waiting("failed to start on host %s: %s".formatted(p.host(), why)));
    }
    d.because("guest %s did not start on host %s".formatted(id, p.host()));
  }

  /**
   * Hosts have looked at its disks. The order to start it has not left if they were looked at for
   * it, and does not leave if another guest has one of them.
   */
  static void disksResolved(Deliberation d, Event.DisksResolved e) {
    var known = d.state().guest(e.guest());
    if (known.isEmpty() || !d.state().definition(e.guest()).sameDisks(e.definition())) {
      d.because("it is described again meanwhile");
      return;
    }
    var id = e.guest();
    if (!d.state().definition(id).equals(e.definition())) {
      d.change(new Change.DisksResolved(id, e.definition()));
    }
    Disks.alarms(d, id);
    var blocked = Disks.blocked(d.state(), known.get());
    if (blocked.isPresent() && known.get().phase() instanceof Starting p) {
      GuestLife.startUnclear(d, id, p, blocked.get());
      return;
    }
    d.because("its disks were looked at");
  }

  private static void stopAnswered(
      Deliberation d, Guest guest, Order.StopGuest o, Event.OrderAnswered e) {
    if (!(guest.phase() instanceof Stopping p)
        || !p.host().equals(e.host())
        || !p.epoch().equals(o.epoch())) {
      Holders.lateWord(d, guest, o.epoch(), e, "that stop is over");
      return;
    }
    if (e.answer() instanceof Answer.Gone a) {
      Holders.clear(d, guest.id(), e, p.epoch(), a.detail());
      Holders.gone(d, guest.id(), "stopped");
      d.clearAlarm("guest-" + guest.id());
      d.because("stopped");
    } else {
      d.because("not stopped yet: " + e.answer());
    }
  }

  private static void confirmAnswered(
      Deliberation d, Guest guest, Order.ConfirmGone o, Event.OrderAnswered e) {
    var id = guest.id();
    switch (e.answer()) {
      case Answer.Gone a -> {
        var holding = guest.holders().get(e.host());
        if (holding == null || holding.epoch().compareTo(o.refuse()) > 0) {
          d.because("it does not hold it any more");
          return;
        }
        Holders.clear(d, id, e, o.refuse(), a.detail());
        var why =
            guest.phase() instanceof Vacating v
                ? v.why()
                : "host " + e.host() + "'s agent says: " + a.detail();
        var left = d.guest(id);
        if (left.phase() instanceof Vacating
            && left.wanted()
            && left.holders().isEmpty()
            && GuestLife.triedEnough(left)) { // each of its starts was unclear
          GuestLife.giveUp(d, left, e.host(), why);
        } else {
          Holders.holderGone(d, id, e.host(), why);
        }
        d.because("gone from host " + e.host());
      }
      case Answer.StillThere a -> stillThere(d, guest, e, a);
      case Answer.Done _, Answer.Migrated _ -> d.because("no answer to that question");
      case Answer.Failed a -> d.because(a.reason());
      case Answer.Unknown a -> d.because("unknown: " + a.reason());
      case Answer.NotNoted a -> d.because("asked again: " + a.reason());
      case Answer.Refused a -> d.because("refused: " + a.reason());
    }
  }

  private static void stillThere(
      Deliberation d, Guest guest, Event.OrderAnswered e, Answer.StillThere a) {
    if (guest.phase() instanceof Vacating v && v.host().equals(e.host()) && !v.destroy()) {
      if (a.domain().state() == DomainState.INCOMING) {
        // nobody ever let it run, and nobody would: it is started afresh once it is gone
        d.phase(guest.id(), v.destroying());
        GuestOrders.orders(d, d.guest(guest.id()));
      } else {
        // a report that was overtaken by a start: its agent looked again, found it, and refuses
        // nothing
        d.phase(guest.id(), new Running(v.holding()));
      }
    } else if (guest.phase() instanceof Migrating m
        && m.step() == Step.MOVING
        && m.source().equals(e.host())) {
      Migration.stillAtSource(d, guest, m, a);
    }
    d.because("still there: " + a.domain().detail());
  }
}
