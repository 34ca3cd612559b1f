package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.model.BootId;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestHealth;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.RestartLimits;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What a guest does next, from what its agents say. */
final class GuestPolicy {
  /** A lock goes with the process that holds it, not with trying. */
  private static final Duration LOCKED_AGAIN = Duration.ofSeconds(10);

  private GuestPolicy() {}

  private static String firstLine(String text) {
    return text.lines().findFirst().orElse("");
  }

  /** The orders that a guest's phase implies; each may have been sent before. */
  static void orders(Deliberation d, Guest guest) {
    var id = guest.id();
    switch (guest.phase()) {
      case Starting p -> {
        if (guest.holders().keySet().equals(Set.of(p.host()))) {
          d.act(new Action.Start(id, p.boot(), Vacancy.of(guest, p.host(), p.epoch())));
        } else { // a contradicted proof holds it back: the host that lives is asked for its word
          guest
              .holders()
              .forEach(
                  (host, holding) -> {
                    if (!host.equals(p.host())) {
                      d.send(
                          host, holding.boot(), new Order.ConfirmGone(id, holding.epoch(), true));
                    }
                  });
        }
      }
      case Stopping p -> d.send(p.host(), p.boot(), new Order.StopGuest(id, p.epoch(), p.grace()));
      case Vacating p ->
          d.send(p.host(), p.boot(), new Order.ConfirmGone(id, p.epoch(), p.destroy()));
      case Migrating p -> MigrationPolicy.orders(d, guest, p);
      case GuestPhase.Stopped _,
          GuestPhase.Waiting _,
          GuestPhase.Running _,
          GuestPhase.Failed _ -> {}
    }
  }

  /** A host holds the guest no longer, by proof. */
  static void holderGone(Deliberation d, GuestId id, HostId host, String why) {
    var guest = d.guest(id);
    if (guest.phase() instanceof Migrating m) {
      MigrationPolicy.holderGone(d, guest, m, host, why);
    } else if (guest.host().filter(guest.holders()::containsKey).isEmpty()) {
      gone(d, id, why);
    } else {
      orders(d, guest); // a start that was held back
    }
  }

  /**
   * The guest is gone from where it was. It is off, unless a contradicted proof left another host
   * that may run it.
   */
  private static void gone(Deliberation d, GuestId id, String why) {
    if (d.guest(id).holders().isEmpty()) {
      off(d, id, why);
    } else {
      // while it was to start elsewhere this host was ordered to end it, and that order may yet
      // come
      askLastHolder(d, id, why, d.guest(id).phase() instanceof Starting || destroys(d.guest(id)));
      orders(d, d.guest(id));
    }
  }

  /**
   * A contradicted proof left a host that may run the guest. Its agent is asked for its word; a
   * guest that is wanted and still there goes on, unless yet another host may run it.
   *
   * @param ordered whether the host may have been ordered to end it
   */
  static void askLastHolder(Deliberation d, GuestId id, String why, boolean ordered) {
    var guest = d.guest(id);
    var left = guest.holders().entrySet().iterator().next();
    boolean destroy = ordered || !guest.wanted() || guest.holders().size() > 1;
    var holding = left.getValue();
    d.phase(id, new Vacating(left.getKey(), holding.boot(), holding.epoch(), destroy, why));
  }

  private static boolean destroys(Guest guest) {
    return guest.phase() instanceof Vacating v && v.destroy();
  }

  /** Nobody holds the guest: it waits for a place, or stays off. */
  static void off(Deliberation d, GuestId id, String why) {
    var guest = d.guest(id);
    var limits = guest.spec().restarts();
    if (guest.wanted() && guest.crashes().filter(c -> c.tooMany(limits)).isPresent()) {
      d.phase(id, new GuestPhase.Failed("ended by itself too often, last: " + why));
      d.alarm(
          "guest-" + id,
          Alarm.Level.CRITICAL,
          id,
          "guest %s ended by itself too often on %d hosts, last: %s. It stays off; mend that, then: haven guest start %s"
              .formatted(id, guest.crashes().get().left().size(), why, id));
    } else {
      d.phase(id, guest.wanted() ? new Waiting(why) : new Stopped(why));
    }
    d.clearAlarm(storage(id));
    Stuck.over(d, id);
    d.note("phase", id, "guest %s is off: %s".formatted(id, why));
  }

  static void reported(Deliberation d, Event.DomainsReported e) {
    var host = d.state().host(e.host());
    if (host.isEmpty() || !host.get().boot().equals(Optional.of(e.boot()))) {
      d.because("not the boot that joined");
      return;
    }
    PlannedShutdown.said(d, host.get(), e.goingDown());
    var away = "libvirt-" + e.host();
    if (!e.libvirtUp()) {
      d.alarm(
          away,
          Alarm.Level.WARNING,
          e.host(),
          "host %s: libvirt does not answer. Its guests go on; nothing can be started, stopped or moved there until it does"
              .formatted(e.host()));
      d.because("without libvirt a report says nothing");
      return;
    }
    d.clearAlarm(away);
    var domains = new HashMap<String, DomainReport>();
    for (var domain : e.domains()) {
      domains.put(domain.name(), domain);
    }
    for (var id : d.state().load(e.host()).guests()) {
      if (d.full()) {
        break; // the next report, in a few seconds, says it again
      }
      if (d.leavesOut(id)
          || Optional.ofNullable(d.guest(id).holders().get(e.host()))
              .filter(h -> !h.boot().equals(e.boot()))
              .isPresent()) {
        continue; // what it held before this boot is gone by that
      }
      compare(d, d.guest(id), e.host(), Optional.ofNullable(domains.get(id.value())));
    }
    for (var domain : e.domains()) {
      if (domain.state().active() && !d.full()) {
        stranger(d, e.host(), e.boot(), domain);
      }
    }
    for (var alarm : List.copyOf(d.state().alarms())) {
      boolean over =
          alarm.id().equals(twoCopies(alarm.subject(), e.host()))
              && Optional.ofNullable(domains.get(alarm.subject()))
                  .filter(x -> x.state().active())
                  .isEmpty();
      if (over) {
        d.clearAlarm(alarm.id());
      }
    }
    d.because("the report agrees");
  }

  private static void compare(
      Deliberation d, Guest guest, HostId host, Optional<DomainReport> domain) {
    var id = guest.id();
    switch (guest.phase()) {
      case Starting p -> {
        if (p.host().equals(host)
            && domain
                .filter(x -> x.epoch().equals(p.epoch()) && x.state() == DomainState.RUNNING)
                .isPresent()) {
          started(d, id, p);
        }
      }
      case Running p -> {
        if (p.host().equals(host)) {
          running(d, guest, p, domain);
        }
      }
      case Stopping _,
          Vacating _,
          Migrating _ -> {} // its order's answer says more than a report can
      case GuestPhase.Stopped _, GuestPhase.Waiting _, GuestPhase.Failed _ -> {}
    }
  }

  private static void running(
      Deliberation d, Guest guest, Running p, Optional<DomainReport> domain) {
    var id = guest.id();
    var state =
        PlannedShutdown.judged(
            d.host(p.host()), domain.map(DomainReport::state).orElse(DomainState.OFF));
    var detail = domain.map(DomainReport::detail).orElse("libvirt does not know it");
    var alarm = "guest-" + id;
    if (state != DomainState.RUNNING
        && domain.filter(x -> !x.epoch().equals(p.epoch())).isPresent()) {
      // of an earlier turn, or overtaken by a start: it says nothing about this one's end
      if (!state.active()) {
        vacate(d, id, p, false, "its report is of epoch " + domain.get().epoch());
      }
      return;
    }
    if (state != DomainState.PAUSED_IO_ERROR) {
      d.clearAlarm(storage(id));
    }
    switch (state) {
      case RUNNING -> {
        if (domain.filter(x -> x.epoch().equals(p.epoch())).isPresent()) {
          health(d, guest, p, domain.flatMap(DomainReport::health));
        } else {
          d.alarm(
              alarm,
              Alarm.Level.CRITICAL,
              id,
              "guest %s runs on host %s under epoch %s, not %s: somebody started it by hand"
                  .formatted(id, p.host(), domain.get().epoch(), p.epoch()));
        }
      }
      case SHUTTING_DOWN -> {}
      case INCOMING -> {} // for a moment after it has arrived; told by Stuck if it stays so
      case PAUSED ->
          d.alarm(
              alarm,
              Alarm.Level.WARNING,
              id,
              "guest %s is paused on host %s (%s). It stays so; to let it run: virsh resume %s on that host"
                  .formatted(id, p.host(), detail, id));
      case PAUSED_NO_LEASE ->
          d.alarm(
              alarm,
              Alarm.Level.WARNING,
              id,
              "guest %s is paused on host %s, whose lease for it had ended; it goes on by itself with the next one"
                  .formatted(id, p.host()));
      case PAUSED_NO_SPACE ->
          d.alarm(
              alarm,
              Alarm.Level.CRITICAL,
              id,
              "guest %s is paused on host %s: its storage is full. Make room, then virsh resume %s on that host"
                  .formatted(id, p.host(), id));
      case PAUSED_IO_ERROR -> ioError(d, guest, p, detail);
      case OFF_SHUTDOWN -> {
        if (guest.spec().restarts().filter(RestartLimits::afterPowerOff).isPresent()) {
          d.change(new Change.GuestCrashed(id, p.host(), d.at()));
        } else {
          d.change(new Change.GuestWanted(id, false));
        }
        vacate(d, id, p, false, "powered off from inside");
      }
      case OFF_BY_HOST -> { // its owner had no part in it, so it is still wanted
        d.note(
            "evidence",
            id,
            "guest %s was shut down by its host %s: %s".formatted(id, p.host(), detail));
        vacate(d, id, p, false, "shut down by its host " + p.host());
      }
      case OFF_DESTROYED -> {
        d.change(new Change.GuestWanted(id, false));
        d.alarm(
            alarm,
            Alarm.Level.WARNING,
            id,
            "guest %s was destroyed by hand on host %s. It stays off; to run it again: haven guest start %s"
                .formatted(id, p.host(), id));
        vacate(d, id, p, false, "destroyed by hand");
      }
      case OFF_MIGRATED ->
          d.alarm(
              alarm,
              Alarm.Level.CRITICAL,
              id,
              "guest %s was moved off host %s by hand (%s). Move it back, or stop it and use haven guest stop %s"
                  .formatted(id, p.host(), detail, id));
      case OFF_CRASHED, OFF -> crashed(d, guest, p, detail);
    }
  }

  /** Another host helps if only this one cannot reach the storage. */
  private static void ioError(Deliberation d, Guest guest, Running p, String detail) {
    var id = guest.id();
    var alarm = "guest-" + id;
    if (d.state().alarm(storage(id)).isPresent()) {
      d.because("its storage fails on two hosts");
      return; // until it runs again, or its owner stops it
    }
    var other =
        d.state().guests().stream()
            .filter(
                g ->
                    g.ioError()
                        .filter(e -> e.lately(d.at()) && !e.host().equals(p.host()))
                        .isPresent())
            .filter(g -> g.id().equals(id) || Disks.sameStorage(d.state(), g.id(), id))
            .flatMap(g -> g.ioError().stream())
            .map(IoError::host)
            .findFirst();
    d.change(new Change.StorageFailed(id, p.host(), d.at()));
    if (other.isPresent()) {
      d.clearAlarm(alarm);
      d.alarm(
          storage(id),
          Alarm.Level.CRITICAL,
          id,
          "guest %s was paused on host %s by an I/O error (%s), and its storage failed on host %s too: that is the storage. It stays where it is; mend the storage, then on host %s: virsh resume %s"
              .formatted(id, p.host(), detail, other.get(), p.host(), id));
      return;
    }
    d.alarm(
        alarm,
        Alarm.Level.CRITICAL,
        id,
        "guest %s was paused on host %s by an I/O error (%s): it is restarted elsewhere"
            .formatted(id, p.host(), detail));
    d.change(new Change.HostShunned(id, p.host()));
    vacate(d, id, p, true, "paused by an I/O error");
  }

  private static String storage(GuestId id) {
    return "storage-" + id;
  }

  private static void crashed(Deliberation d, Guest guest, Running p, String detail) {
    var id = guest.id();
    d.note("evidence", id, "guest %s is gone from host %s: %s".formatted(id, p.host(), detail));
    if (guest.spec().restart() == GuestSpec.Restart.NEVER) {
      d.change(new Change.GuestWanted(id, false));
      d.alarm(
          "guest-" + id,
          Alarm.Level.WARNING,
          id,
          "guest %s crashed on host %s and is not restarted, as it asks for; to run it again: haven guest start %s"
              .formatted(id, p.host(), id));
    } else {
      d.change(new Change.GuestCrashed(id, p.host(), d.at()));
    }
    vacate(d, id, p, false, "crashed: " + detail);
  }

  /** It executes; whether it is well, its guest agent and its watchdog tell. */
  private static void health(Deliberation d, Guest guest, Running p, Optional<GuestHealth> health) {
    var id = guest.id();
    var alarm = "guest-" + id;
    var detail = health.map(GuestHealth::detail).orElse("");
    switch (health.map(GuestHealth::verdict).orElse(GuestHealth.Verdict.UNKNOWN)) {
      case UNKNOWN, HEALTHY -> d.clearAlarm(alarm);
      case RESET ->
          d.alarm(
              alarm,
              Alarm.Level.WARNING,
              id,
              "guest %s hung on host %s and runs again: %s".formatted(id, p.host(), detail));
      case UNHEALTHY -> {
        if (guest.spec().health().filter(HealthCheck::restart).isEmpty()) {
          d.alarm(
              alarm,
              Alarm.Level.WARNING,
              id,
              "guest %s is unhealthy on host %s: %s. It runs on; look at it, and to restart it: haven guest stop %s --force && haven guest start %s"
                  .formatted(id, p.host(), detail, id, id));
        } else if (Crashes.after(guest.crashes(), guest.spec().restarts(), p.host(), d.at())
            .tooMany(guest.spec().restarts())) {
          // one that might do some of its work is worth more than one that is off
          d.alarm(
              alarm,
              Alarm.Level.CRITICAL,
              id,
              "guest %s is unhealthy on host %s: %s. It was restarted as often as it may be and runs on; mend it, then: haven guest stop %s --force && haven guest start %s"
                  .formatted(id, p.host(), detail, id, id));
        } else {
          d.note(
              "evidence",
              id,
              "guest %s is unhealthy on host %s: %s".formatted(id, p.host(), detail));
          d.change(new Change.GuestCrashed(id, p.host(), d.at()));
          vacate(d, id, p, true, "unhealthy: " + detail);
        }
      }
    }
  }

  private static void vacate(Deliberation d, GuestId id, Running p, boolean destroy, String why) {
    d.phase(id, new Vacating(p.host(), p.boot(), p.epoch(), destroy, why));
    d.note(
        "decision",
        id,
        "guest %s: %s; its agent is asked for its word that it is gone".formatted(id, why));
    d.send(p.host(), p.boot(), new Order.ConfirmGone(id, p.epoch(), destroy));
    d.because("guest %s: %s".formatted(id, why));
  }

  /** A domain with the name of a guest that this host does not hold. */
  private static void stranger(Deliberation d, HostId host, BootId boot, DomainReport domain) {
    Optional<Guest> guest;
    try {
      guest = d.state().guest(new GuestId(domain.name()));
    } catch (IllegalArgumentException notOurs) {
      return; // libvirt allows names that no guest of ours can have
    }
    guest = guest.filter(g -> !g.holders().containsKey(host));
    if (guest.isEmpty()) {
      return;
    }
    var g = guest.get();
    var alarm = twoCopies(g.id().value(), host);
    if (domain.state() != DomainState.RUNNING) {
      // what an undone migration left behind never ran: it goes, or it is in the way one day. But a
      // copy that ran beside another one waits for somebody to look at it
      if (!domain.epoch().equals(Epoch.NONE) && d.state().alarm(alarm).isEmpty()) {
        d.send(host, boot, new Order.ConfirmGone(g.id(), g.epoch(), true));
      }
      return;
    }
    if (g.holders().isEmpty()) {
      d.alarm(
          alarm,
          Alarm.Level.CRITICAL,
          g.id(),
          "guest %s runs on host %s, where it was not started by Haven. Stop it there: virsh destroy %s"
              .formatted(g.id(), host, g.id()));
      return;
    }
    boolean older = !domain.epoch().equals(Epoch.NONE) && domain.epoch().compareTo(g.epoch()) < 0;
    d.alarm(
        alarm,
        Alarm.Level.CRITICAL,
        g.id(),
        older
            ? "guest %s runs on host %s (epoch %s) and may run on %s too (epoch %s): TWO COPIES of one guest. The older one is paused, not destroyed: look at its disk, then on host %s: virsh destroy %s"
                .formatted(
                    g.id(), host, domain.epoch(), g.holders().keySet(), g.epoch(), host, g.id())
            : "guest %s runs on host %s and may run on %s too: TWO COPIES of one guest. Stop one of them now"
                .formatted(g.id(), host, g.holders().keySet()));
    if (older) {
      d.send(host, boot, new Order.PauseGuest(g.id(), domain.epoch()));
    }
  }

  /** Two copies of this guest, one of them on this host. */
  private static String twoCopies(String guest, HostId host) {
    return "two-copies-%s-on-%s".formatted(guest, host);
  }

  static void answered(Deliberation d, Event.OrderAnswered e) {
    var guest = d.state().guest(e.order().guest());
    if (guest.isEmpty()) {
      d.because("the guest is gone");
      return;
    }
    var host = d.state().host(e.host());
    if (host.isEmpty() || !host.get().boot().equals(Optional.of(e.boot()))) {
      d.because("not the boot that joined");
      return;
    }
    switch (e.order()) { // an answer that comes late decides nothing but what it proves
      case Order.StartGuest o -> startAnswered(d, guest.get(), o, e);
      case Order.StopGuest o -> stopAnswered(d, guest.get(), o, e);
      case Order.ConfirmGone o -> confirmAnswered(d, guest.get(), o, e);
      case Order.Precheck o -> MigrationPolicy.precheckAnswered(d, guest.get(), o, e);
      case Order.MigrateOut o -> MigrationPolicy.migrateAnswered(d, guest.get(), o, e);
      case Order.ResumeGuest o -> MigrationPolicy.resumeAnswered(d, guest.get(), o, e);
      case Order.AbortMigration _ -> d.because("the migration itself answers");
      case Order.PauseGuest _ -> d.because("an older copy: " + e.answer());
      case Order.ForgetGuest _ -> d.because("forgotten");
    }
  }

  private static void started(Deliberation d, GuestId id, Starting p) {
    if (d.guest(id).holders().size() > 1) {
      // it counts as running once the other host has given its word, which is asked for meanwhile
      d.because("guest %s may run on another host too".formatted(id));
      return;
    }
    d.phase(id, new Running(p.host(), p.boot(), p.epoch()));
    if (d.guest(id).failedStarts() > 0 || !d.guest(id).shunned().isEmpty()) {
      d.change(new Change.FailuresForgotten(id));
    }
    d.clearAlarm("guest-" + id);
    d.note("phase", id, "guest %s runs on host %s (epoch %s)".formatted(id, p.host(), p.epoch()));
    d.because("guest %s runs on host %s".formatted(id, p.host()));
  }

  private static void startAnswered(
      Deliberation d, Guest guest, Order.StartGuest o, Event.OrderAnswered e) {
    if (!(guest.phase() instanceof Starting p)
        || !p.host().equals(e.host())
        || !p.epoch().equals(o.epoch())) {
      lateWord(d, guest, o.epoch(), e, "that start is over");
      return;
    }
    var id = guest.id();
    switch (e.answer()) {
      case Answer.Done _ -> started(d, id, p);
      case Answer.Gone a -> {
        var why = a.failure().orElse(a.detail());
        boolean locked = a.cause().equals(Optional.of(Answer.Cause.DISK_LOCKED));
        if (!locked) { // it is no fault of the guest's or the host's
          d.change(new Change.StartFailed(id, p.host()));
        }
        clear(d, id, e, p.epoch(), a.detail());
        var failed = d.guest(id);
        d.note(
            "evidence", id, "guest %s did not start on host %s: %s".formatted(id, p.host(), why));
        if (!failed.wanted() || !failed.holders().isEmpty()) {
          gone(d, id, why);
        } else if (locked) {
          d.phase(
              id,
              new Waiting(
                  "a disk of it is locked by another process",
                  Optional.of(d.at().plus(LOCKED_AGAIN))));
          d.alarm(
              "guest-" + id,
              Alarm.Level.CRITICAL,
              id,
              "guest %s: a disk of it is locked, most likely by its copy on a host that cannot be reached and has paused it. It starts as soon as that host is off or back, and is tried every %d s (%s)"
                  .formatted(id, LOCKED_AGAIN.toSeconds(), firstLine(why)));
        } else if (triedEnough(failed)) {
          giveUp(d, failed, p.host(), why);
        } else {
          d.phase(id, new Waiting("failed to start on host %s: %s".formatted(p.host(), why)));
        }
        d.because("guest %s did not start on host %s".formatted(id, p.host()));
      }
      case Answer.StillThere a ->
          startUnclear(d, id, p, "libvirt has it as " + a.domain().detail());
      case Answer.Migrated _ -> d.because("no answer to a start");
      case Answer.NotNoted a -> startUnclear(d, id, p, a.reason());
      case Answer.Failed a -> startUnclear(d, id, p, a.reason());
      case Answer.Unknown a -> startUnclear(d, id, p, a.reason());
      case Answer.Refused a -> startUnclear(d, id, p, "refused: " + a.reason());
    }
  }

  private static boolean triedEnough(Guest guest) {
    return guest.failedStarts() >= guest.spec().startAttempts();
  }

  /** It failed to start as often as it may be tried. */
  private static void giveUp(Deliberation d, Guest guest, HostId last, String why) {
    var id = guest.id();
    d.phase(
        id,
        new GuestPhase.Failed(
            "failed to start %d times, last on host %s: %s"
                .formatted(guest.failedStarts(), last, why)));
    d.alarm(
        "guest-" + id,
        Alarm.Level.CRITICAL,
        id,
        "guest %s failed to start %d times, last on host %s: %s. Mend that, then: haven guest start %s"
            .formatted(id, guest.failedStarts(), last, why, id));
  }

  /**
   * Hosts have looked at its disks. The order to start it has not left if they were looked at for
   * it, and does not leave if another guest has one of them.
   */
  static void disksResolved(Deliberation d, Event.DisksResolved e) {
    var known = d.state().guest(e.guest());
    if (known.isEmpty() || !d.state().definition(e.guest()).sameDisks(e.definition())) {
      d.because("it is described anew meanwhile");
      return;
    }
    var id = e.guest();
    if (!d.state().definition(id).equals(e.definition())) {
      d.change(new Change.DisksResolved(id, e.definition()));
    }
    Disks.alarms(d, id);
    var blocked = Disks.blocked(d.state(), known.get());
    if (blocked.isPresent() && known.get().phase() instanceof Starting p) {
      startUnclear(d, id, p, blocked.get());
      return;
    }
    d.because("its disks were looked at");
  }

  /** It may run or not: the agent must make sure that it does not before anything else happens. */
  private static void startUnclear(Deliberation d, GuestId id, Starting p, String why) {
    d.change(new Change.StartFailed(id, p.host()));
    d.phase(
        id,
        new Vacating(
            p.host(),
            p.boot(),
            p.epoch(),
            true,
            "start on host %s unclear: %s".formatted(p.host(), why)));
    orders(d, d.guest(id));
    d.note(
        "evidence",
        id,
        "guest %s: its start on host %s is unclear (%s)".formatted(id, p.host(), why));
    d.because("its start is unclear");
  }

  /**
   * An answer to an order that is over. The agent's word in it still holds: it refuses that epoch
   * for good.
   */
  static void lateWord(
      Deliberation d, Guest guest, Epoch refused, Event.OrderAnswered e, String otherwise) {
    var holding = guest.holders().get(e.host());
    var said =
        switch (e.answer()) {
          case Answer.Gone a -> Optional.of(a.detail());
          case Answer.Migrated a -> Optional.of(a.detail());
          case Answer.Done _,
              Answer.StillThere _,
              Answer.Failed _,
              Answer.Unknown _,
              Answer.NotNoted _,
              Answer.Refused _ ->
              Optional.<String>empty();
        };
    if (said.isEmpty() || holding == null || holding.epoch().compareTo(refused) > 0) {
      d.because(otherwise);
      return;
    }
    clear(d, guest.id(), e, refused, said.get());
    holderGone(d, guest.id(), e.host(), "host " + e.host() + "'s agent says late: " + said.get());
    d.because("gone from host " + e.host());
  }

  private static void clear(
      Deliberation d, GuestId id, Event.OrderAnswered e, Epoch refused, String said) {
    var word = new Proof.AgentsWord(e.host(), e.boot(), id, refused, said, e.at());
    var holding = d.guest(id).holders().get(e.host());
    if (holding != null && word.covers(e.host(), id, holding)) {
      d.change(new Change.HolderCleared(id, e.host(), word));
    }
  }

  private static void stopAnswered(
      Deliberation d, Guest guest, Order.StopGuest o, Event.OrderAnswered e) {
    if (!(guest.phase() instanceof Stopping p)
        || !p.host().equals(e.host())
        || !p.epoch().equals(o.epoch())) {
      lateWord(d, guest, o.epoch(), e, "that stop is over");
      return;
    }
    if (e.answer() instanceof Answer.Gone a) {
      clear(d, guest.id(), e, p.epoch(), a.detail());
      gone(d, guest.id(), "stopped");
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
        clear(d, id, e, o.refuse(), a.detail());
        var why =
            guest.phase() instanceof Vacating v
                ? v.why()
                : "host " + e.host() + "'s agent says: " + a.detail();
        var left = d.guest(id);
        if (left.phase() instanceof Vacating
            && left.wanted()
            && left.holders().isEmpty()
            && triedEnough(left)) { // each of its starts was unclear
          giveUp(d, left, e.host(), why);
        } else {
          holderGone(d, id, e.host(), why);
        }
        d.because("gone from host " + e.host());
      }
      case Answer.StillThere a -> {
        if (guest.phase() instanceof Vacating v && v.host().equals(e.host()) && !v.destroy()) {
          if (a.domain().state() == DomainState.INCOMING) {
            // nobody ever let it run, and nobody would: it is started afresh once it is gone
            d.phase(id, new Vacating(v.host(), v.boot(), v.epoch(), true, v.why()));
            orders(d, d.guest(id));
          } else {
            // a report that was overtaken by a start: its agent looked again, found it, and refuses
            // nothing
            d.phase(id, new Running(v.host(), v.boot(), v.epoch()));
          }
        } else if (guest.phase() instanceof Migrating m
            && m.step() == Step.MOVING
            && m.source().equals(e.host())) {
          MigrationPolicy.stillAtSource(d, guest, m, a);
        }
        d.because("still there: " + a.domain().detail());
      }
      case Answer.Done _, Answer.Migrated _ -> d.because("no answer to that question");
      case Answer.Failed a -> d.because(a.reason());
      case Answer.Unknown a -> d.because("unknown: " + a.reason());
      case Answer.NotNoted a -> d.because("asked again: " + a.reason());
      case Answer.Refused a -> d.because("refused: " + a.reason());
    }
  }

  /** Stops a guest that is to start again elsewhere: {@link Settling} places it once it is off. */
  static void relocate(Deliberation d, GuestId id, Running from, Duration grace) {
    d.phase(id, new Stopping(from.host(), from.boot(), from.epoch(), grace));
    orders(d, d.guest(id));
  }

  /** Stops a guest that its owner wants off. */
  static void stop(Deliberation d, Guest guest, Duration grace) {
    var id = guest.id();
    if (guest.wanted()) {
      d.change(new Change.GuestWanted(id, false));
    }
    switch (guest.phase()) {
      case Running p -> {
        d.phase(id, new Stopping(p.host(), p.boot(), p.epoch(), grace));
        orders(d, d.guest(id));
      }
      case Starting p -> {
        d.phase(id, new Stopping(p.host(), p.boot(), p.epoch(), Duration.ZERO));
        orders(d, d.guest(id));
      }
      case Stopping p -> {
        if (grace.compareTo(p.grace()) < 0) {
          d.phase(id, new Stopping(p.host(), p.boot(), p.epoch(), grace));
          orders(d, d.guest(id));
        }
      }
      case Waiting _, GuestPhase.Failed _ -> {
        d.phase(id, new Stopped("stopped by its owner"));
        d.clearAlarm("guest-" + id); // that it did not start is nobody's trouble any more
      }
      case Vacating _, Stopped _ -> {}
      case Migrating m -> {
        // the migration ends one way or the other first; Settling stops it where it is then
        if (m.step() == Step.MOVING) {
          d.send(
              m.source(),
              m.sourceBoot(),
              new Order.AbortMigration(id, m.sourceEpoch(), m.targetEpoch()));
        }
      }
    }
  }
}
