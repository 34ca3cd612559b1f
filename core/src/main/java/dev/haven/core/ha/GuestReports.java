package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
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
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.wire.Order;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the reports of agents say about guests. */
final class GuestReports {
  private GuestReports() {}

  static void reported(Deliberation d, Event.DomainsReported e) {
    var host = d.joined(e.host(), e.boot());
    if (host.isEmpty()) {
      return;
    }
    PlannedShutdown.said(d, host.get(), e.goingDown());
    var away = "libvirt-" + e.host();
    if (!e.libvirtUp()) {
      d.alarm(
          away,
          Alarm.Kind.LIBVIRT_AWAY,
          Alarm.Level.WARNING,
          e.host(),
          Optional.empty(),
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
    copiesEnded(d, e.host(), domains);
    d.because("the report agrees");
  }

  /** Alarms of guests that ran on this host as well, and do no longer. */
  private static void copiesEnded(Deliberation d, HostId host, Map<String, DomainReport> domains) {
    for (var alarm : List.copyOf(d.state().alarms())) {
      boolean over =
          alarm.id().equals(twoCopies(alarm.subject(), host))
              && Optional.ofNullable(domains.get(alarm.subject()))
                  .filter(x -> x.state().active())
                  .isEmpty();
      if (over) {
        d.clearAlarm(alarm.id());
      }
    }
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
          GuestLife.started(d, id, p);
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
        GuestLife.vacate(
            d, id, p, Fact.End.UNCLEAR, false, "its report is of epoch " + domain.get().epoch());
      }
      return;
    }
    if (state != DomainState.PAUSED_IO_ERROR) {
      d.clearAlarm(GuestLife.storage(id));
    }
    switch (state) {
      case RUNNING -> executes(d, guest, p, domain);
      case SHUTTING_DOWN -> {}
      case INCOMING -> {} // for a moment after it has arrived; told by Stuck if it stays so
      case PAUSED ->
          d.alarm(
              alarm,
              Alarm.Kind.GUEST_PAUSED,
              Alarm.Level.WARNING,
              id,
              "guest %s is paused on host %s (%s). It stays so; to let it run: virsh resume %s on that host"
                  .formatted(id, p.host(), detail, id));
      case PAUSED_NO_LEASE ->
          d.alarm(
              alarm,
              Alarm.Kind.GUEST_WITHOUT_LEASE,
              Alarm.Level.WARNING,
              id,
              "guest %s is paused on host %s, whose lease for it had ended; it goes on by itself with the next one"
                  .formatted(id, p.host()));
      case PAUSED_NO_SPACE ->
          d.alarm(
              alarm,
              Alarm.Kind.STORAGE_FULL,
              Alarm.Level.CRITICAL,
              id,
              Optional.of(p.host().value()),
              "guest %s is paused on host %s: its storage is full. Make room, then virsh resume %s on that host"
                  .formatted(id, p.host(), id));
      case PAUSED_IO_ERROR -> ioError(d, guest, p, detail);
      case OFF_SHUTDOWN -> poweredOff(d, guest, p);
      case OFF_BY_HOST -> { // its owner had no part in it, so it is still wanted
        d.tell(new Fact.GuestShutDownByHost(id, p.host(), detail));
        GuestLife.vacate(d, id, p, Fact.End.ITS_HOST, false, "shut down by its host " + p.host());
      }
      case OFF_DESTROYED -> destroyed(d, id, p);
      case OFF_MIGRATED ->
          d.alarm(
              alarm,
              Alarm.Kind.GUEST_MOVED_BY_HAND,
              Alarm.Level.CRITICAL,
              id,
              "guest %s was moved off host %s by hand (%s). Move it back, or stop it and use haven guest stop %s"
                  .formatted(id, p.host(), detail, id));
      case OFF_CRASHED, OFF -> crashed(d, guest, p, detail);
    }
  }

  /** libvirt has it running: under the epoch that it was given, or by somebody's hand. */
  private static void executes(
      Deliberation d, Guest guest, Running p, Optional<DomainReport> domain) {
    if (domain.filter(x -> x.epoch().equals(p.epoch())).isPresent()) {
      health(d, guest, p, domain.flatMap(DomainReport::health));
    } else {
      d.alarm(
          "guest-" + guest.id(),
          Alarm.Kind.GUEST_STARTED_BY_HAND,
          Alarm.Level.CRITICAL,
          guest.id(),
          "guest %s runs on host %s under epoch %s, not %s: somebody started it by hand"
              .formatted(guest.id(), p.host(), domain.get().epoch(), p.epoch()));
    }
  }

  private static void poweredOff(Deliberation d, Guest guest, Running p) {
    var id = guest.id();
    if (guest.spec().restarts().filter(RestartLimits::afterPowerOff).isPresent()) {
      d.change(new Change.GuestCrashed(id, p.host(), d.at()));
    } else {
      d.change(new Change.GuestWanted(id, false));
    }
    GuestLife.vacate(d, id, p, Fact.End.POWERED_OFF, false, "powered off from inside");
  }

  private static void destroyed(Deliberation d, GuestId id, Running p) {
    d.change(new Change.GuestWanted(id, false));
    d.alarm(
        "guest-" + id,
        Alarm.Kind.GUEST_DESTROYED_BY_HAND,
        Alarm.Level.WARNING,
        id,
        "guest %s was destroyed by hand on host %s. It stays off; to run it again: haven guest start %s"
            .formatted(id, p.host(), id));
    GuestLife.vacate(d, id, p, Fact.End.DESTROYED_BY_HAND, false, "destroyed by hand");
  }

  /** Another host helps if only this one cannot reach the storage. */
  private static void ioError(Deliberation d, Guest guest, Running p, String detail) {
    var id = guest.id();
    var alarm = "guest-" + id;
    if (d.state().alarm(GuestLife.storage(id)).isPresent()) {
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
          GuestLife.storage(id),
          Alarm.Kind.STORAGE_FAILS,
          Alarm.Level.CRITICAL,
          id,
          "guest %s was paused on host %s by an I/O error (%s), and its storage failed on host %s too: that is the storage. It stays where it is; mend the storage, then on host %s: virsh resume %s"
              .formatted(id, p.host(), detail, other.get(), p.host(), id));
      return;
    }
    d.alarm(
        alarm,
        Alarm.Kind.STORAGE_FAILS,
        Alarm.Level.CRITICAL,
        id,
        "guest %s was paused on host %s by an I/O error (%s): it is restarted elsewhere"
            .formatted(id, p.host(), detail));
    d.change(new Change.HostShunned(id, p.host()));
    GuestLife.vacate(d, id, p, Fact.End.IO_ERROR, true, "paused by an I/O error");
  }

  private static void crashed(Deliberation d, Guest guest, Running p, String detail) {
    var id = guest.id();
    d.tell(new Fact.GuestGone(id, p.host(), detail));
    if (guest.spec().restart() == GuestSpec.Restart.NEVER) {
      d.change(new Change.GuestWanted(id, false));
      d.alarm(
          "guest-" + id,
          Alarm.Kind.GUEST_CRASHED,
          Alarm.Level.WARNING,
          id,
          "guest %s crashed on host %s and is not restarted, as it asks for; to run it again: haven guest start %s"
              .formatted(id, p.host(), id));
    } else {
      d.change(new Change.GuestCrashed(id, p.host(), d.at()));
    }
    GuestLife.vacate(d, id, p, Fact.End.CRASHED, false, "crashed: " + detail);
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
              Alarm.Kind.GUEST_HUNG,
              Alarm.Level.WARNING,
              id,
              "guest %s hung on host %s and runs again: %s".formatted(id, p.host(), detail));
      case UNHEALTHY -> {
        if (guest.spec().health().filter(HealthCheck::restart).isEmpty()) {
          d.alarm(
              alarm,
              Alarm.Kind.GUEST_UNHEALTHY,
              Alarm.Level.WARNING,
              id,
              "guest %s is unhealthy on host %s: %s. It runs on; look at it, and to restart it: haven guest stop %s --force && haven guest start %s"
                  .formatted(id, p.host(), detail, id, id));
        } else if (Crashes.after(guest.crashes(), guest.spec().restarts(), p.host(), d.at())
            .tooMany(guest.spec().restarts())) {
          // one that might do some of its work is worth more than one that is off
          d.alarm(
              alarm,
              Alarm.Kind.GUEST_UNHEALTHY,
              Alarm.Level.CRITICAL,
              id,
              "guest %s is unhealthy on host %s: %s. It was restarted as often as it may be and runs on; mend it, then: haven guest stop %s --force && haven guest start %s"
                  .formatted(id, p.host(), detail, id, id));
        } else {
          d.tell(new Fact.GuestUnhealthy(id, p.host(), detail));
          d.change(new Change.GuestCrashed(id, p.host(), d.at()));
          GuestLife.vacate(d, id, p, Fact.End.UNHEALTHY, true, "unhealthy: " + detail);
        }
      }
    }
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
          Alarm.Kind.GUEST_STARTED_BY_HAND,
          Alarm.Level.CRITICAL,
          g.id(),
          "guest %s runs on host %s, where it was not started by Haven. Stop it there: virsh destroy %s"
              .formatted(g.id(), host, g.id()));
      return;
    }
    boolean older = !domain.epoch().equals(Epoch.NONE) && domain.epoch().compareTo(g.epoch()) < 0;
    d.alarm(
        alarm,
        Alarm.Kind.TWO_COPIES,
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
}
