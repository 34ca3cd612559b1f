package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.util.Optional;

/** The steps of a guest's life: it starts, runs, stops, is off, or has failed. */
final class GuestLife {
  private GuestLife() {}

  /**
   * A contradicted proof left a host that may run the guest. Its agent is asked for its word; a
   * guest that is wanted and still there goes on, unless yet another host may run it.
   *
   * @param ordered whether the host may have been ordered to end it
   */
  static void askLastHolder(Deliberation d, GuestId id, String why, boolean ordered) {
    var guest = d.guest(id);
    boolean destroy = ordered || !guest.wanted() || guest.holders().size() > 1;
    var left = guest.holders().values().iterator().next();
    d.phase(id, new Vacating(left, destroy, why));
  }

  /** Nobody holds the guest: it waits for a place, or stays off. */
  static void off(Deliberation d, GuestId id, String why) {
    var guest = d.guest(id);
    var limits = guest.spec().restarts();
    if (guest.wanted() && guest.crashes().filter(c -> c.tooMany(limits)).isPresent()) {
      d.phase(id, new GuestPhase.Failed("ended by itself too often, last: " + why));
      d.alarm(
          "guest-" + id,
          Alarm.Kind.GUEST_ENDS_TOO_OFTEN,
          Alarm.Level.CRITICAL,
          id,
          "guest %s ended by itself too often on %d hosts, last: %s. It stays off; mend that, then: haven guest start %s"
              .formatted(id, guest.crashes().get().left().size(), why, id));
    } else {
      d.phase(id, guest.wanted() ? new Waiting(why) : new Stopped(why));
    }
    d.clearAlarm(storage(id));
    StuckAlarm.over(d, id);
    var last = guest.tenure().cleared();
    d.tell(
        new Fact.GuestOff(
            id,
            last.isEmpty() ? Optional.empty() : Optional.of(last.getLast().proof().host()),
            last.isEmpty() ? Optional.empty() : Optional.of(last.getLast().proof().kind()),
            why));
  }

  static String storage(GuestId id) {
    return "storage-" + id;
  }

  static void vacate(
      Deliberation d, GuestId id, Running p, Fact.End end, boolean destroy, String why) {
    d.phase(id, new Vacating(p.holding(), destroy, why));
    d.tell(new Fact.GuestQuestioned(id, p.host(), p.epoch(), end, why));
    d.send(p.holding(), new Order.ConfirmGone(id, p.epoch(), destroy));
    d.because("guest %s: %s".formatted(id, why));
  }

  static void started(Deliberation d, GuestId id, Starting p) {
    if (d.guest(id).holders().size() > 1) {
      // it counts as running once the other host has given its word, which is asked for meanwhile
      d.because("guest %s may run on another host too".formatted(id));
      return;
    }
    d.phase(id, new Running(p.holding()));
    if (d.guest(id).failedStarts() > 0 || !d.guest(id).shunned().isEmpty()) {
      d.change(new Change.FailuresForgotten(id));
    }
    d.clearAlarm("guest-" + id);
    d.tell(new Fact.GuestRuns(id, p.host(), p.epoch(), Optional.empty()));
    d.because("guest %s runs on host %s".formatted(id, p.host()));
  }

  static boolean triedEnough(Guest guest) {
    return guest.failedStarts() >= guest.spec().startAttempts();
  }

  /** It failed to start as often as it may be tried. */
  static void giveUp(Deliberation d, Guest guest, HostId last, String why) {
    var id = guest.id();
    d.phase(
        id,
        new GuestPhase.Failed(
            "failed to start %d times, last on host %s: %s"
                .formatted(guest.failedStarts(), last, why)));
    d.alarm(
        "guest-" + id,
        Alarm.Kind.GUEST_START_FAILED,
        Alarm.Level.CRITICAL,
        id,
        "guest %s failed to start %d times, last on host %s: %s. Mend that, then: haven guest start %s"
            .formatted(id, guest.failedStarts(), last, why, id));
  }

  /** It may run or not: the agent must make sure that it does not before anything else happens. */
  static void startUnclear(Deliberation d, GuestId id, Starting p, String why) {
    d.change(new Change.StartFailed(id, p.host()));
    d.phase(
        id,
        new Vacating(p.holding(), true, "start on host %s unclear: %s".formatted(p.host(), why)));
    GuestOrders.orders(d, d.guest(id));
    d.tell(new Fact.StartUnclear(id, p.host(), why));
    d.because("its start is unclear");
  }

  /** Stops a guest that is to start again elsewhere: {@link Scheduler} places it once it is off. */
  static void relocate(Deliberation d, GuestId id, Running from, Duration grace) {
    d.phase(id, new Stopping(from.holding(), grace));
    GuestOrders.orders(d, d.guest(id));
  }

  /** Stops a guest that its owner wants off. */
  static void stop(Deliberation d, Guest guest, Duration grace) {
    var id = guest.id();
    if (guest.wanted()) {
      d.change(new Change.GuestWanted(id, false));
    }
    switch (guest.phase()) {
      case Running p -> {
        d.phase(id, new Stopping(p.holding(), grace));
        GuestOrders.orders(d, d.guest(id));
      }
      case Starting p -> {
        d.phase(id, new Stopping(p.holding(), Duration.ZERO));
        GuestOrders.orders(d, d.guest(id));
      }
      case Stopping p -> {
        if (grace.compareTo(p.grace()) < 0) {
          d.phase(id, new Stopping(p.holding(), grace));
          GuestOrders.orders(d, d.guest(id));
        }
      }
      case Waiting _, GuestPhase.Failed _ -> {
        d.phase(id, new Stopped("stopped by its owner"));
        d.clearAlarm("guest-" + id); // that it did not start is nobody's trouble any more
      }
      case Vacating _, Stopped _ -> {}
      case Migrating m -> {
        // the migration ends one way or the other first; the Scheduler stops it where it is then
        if (m.step() == Step.MOVING) {
          d.send(m.from(), new Order.AbortMigration(id, m.from().epoch(), m.to().epoch()));
        }
      }
    }
  }
}
