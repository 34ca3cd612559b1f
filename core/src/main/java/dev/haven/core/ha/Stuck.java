package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import java.time.Duration;

/**
 * Nothing waits in silence: a guest that comes no further raises an alarm with the last answer
 * about it and a way out.
 */
final class Stuck {
  /** Longer than any call to libvirt may take, with what is tried again after it. */
  static final Duration LONG = Duration.ofMinutes(3);

  /** A large guest that writes much moves for as long; one that makes no progress ends before. */
  private static final Duration MOVING = Duration.ofHours(1);

  private Stuck() {}

  static void tick(Deliberation d, Event.Tick tick) {
    StuckFence.tick(d, tick);
    for (var lasting : tick.lasting()) {
      if (!d.leavesOut(lasting.guest()) && !d.full()) {
        d.state().guest(lasting.guest()).ifPresent(g -> look(d, g, lasting, tick));
      }
    }
  }

  private static void look(Deliberation d, Guest guest, Event.Lasting l, Event.Tick tick) {
    var id = guest.id();
    switch (guest.phase()) {
      case Starting p -> starting(d, guest, p, l);
      case Stopping p -> {
        if (longer(l, LONG.plus(p.grace()))) {
          tell(
              d,
              l,
              LONG,
              "stopping on host " + p.host(),
              "Try harder: haven guest stop %s --force; %s".formatted(id, look(p.host())));
        }
      }
      case Vacating p -> vacating(d, guest, p, l, tick);
      case Migrating m -> {
        boolean moves = m.step() == Step.MOVING && guest.holders().containsKey(m.target());
        if (longer(l, moves ? MOVING : LONG)) {
          tell(d, l, moves ? MOVING : LONG, words(m), wayOut(m, id));
        }
      }
      case Waiting w -> {
        if (longer(l, LONG) && critical(d, id)) {
          tell(
              d,
              l,
              LONG,
              "waiting for a place: " + w.why(),
              "Why it starts nowhere: haven guest explain " + id);
        }
      }
      case Running p ->
          d.alarm(
              "guest-" + id,
              Alarm.Kind.GUEST_STUCK,
              Alarm.Level.CRITICAL,
              id,
              "guest %s has been paused on host %s for a while, and its agent has no note that it ever ran there. Nothing lets it run by itself; to let it run: virsh resume %s on that host"
                  .formatted(id, p.host(), id));
      case GuestPhase.Stopped _, GuestPhase.Failed _ -> {}
    }
  }

  private static void starting(Deliberation d, Guest guest, Starting p, Event.Lasting l) {
    if (!longer(l, LONG)) {
      return;
    }
    var other = guest.holders().keySet().stream().filter(h -> !h.equals(p.host())).findAny();
    tell(
        d,
        l,
        LONG,
        "starting on host " + p.host(),
        other.isPresent()
            ? "It may run on host %s too, whose agent is asked for its word; look there"
                .formatted(other.get())
            : look(p.host()));
  }

  private static void vacating(
      Deliberation d, Guest guest, Vacating p, Event.Lasting l, Event.Tick tick) {
    var limit = p.destroy() ? StuckFence.DESTROY : LONG;
    if (!longer(l, limit)) {
      return;
    }
    tell(
        d,
        l,
        limit,
        "kept on host %s, which was asked to end it (%s),".formatted(p.host(), p.why()),
        "It starts nowhere else until it is gone there. "
            + StuckFence.consider(d, guest, p, l, tick)
                .map(why -> why + " " + look(p.host()))
                .orElse(
                    "Its host is emptied of the other guests and then fenced for that: haven op"
                        + " list"));
  }

  private static boolean longer(Event.Lasting l, Duration than) {
    return l.since().compareTo(than) >= 0;
  }

  /** Whether nothing worse has been said of it already. */
  private static boolean critical(Deliberation d, GuestId id) {
    return d.state()
        .alarm("guest-" + id)
        .filter(a -> a.level() == Alarm.Level.CRITICAL && a.kind() != Alarm.Kind.GUEST_STUCK)
        .isEmpty();
  }

  private static String words(Migrating m) {
    return switch (m.step()) {
      case CHECKING -> "about to move from host %s to host %s".formatted(m.source(), m.target());
      case MOVING -> "moving from host %s to host %s".formatted(m.source(), m.target());
      case ARRIVED -> "paused on host %s, where it has arrived".formatted(m.target());
      case UNDOING ->
          "kept on host %s while host %s is asked whether a copy of it is left"
              .formatted(m.source(), m.target());
      case STAYING -> "about to go on on host %s, which it did not leave".formatted(m.source());
    };
  }

  private static String wayOut(Migrating m, GuestId id) {
    return switch (m.step()) {
      case CHECKING, MOVING ->
          "Look at both hosts; to give the move up: haven op list, then haven op cancel ID";
      case ARRIVED ->
          "Look at it there: virsh domstate %s --reason; if that host cannot be mended: haven fence %s"
              .formatted(id, m.target());
      case UNDOING -> look(m.target());
      case STAYING -> look(m.source());
    };
  }

  private static String look(HostId host) {
    return "Look at libvirt and its storage on host %s; if it cannot be mended: haven evacuate %s, then haven fence %s"
        .formatted(host, host, host);
  }

  private static void tell(
      Deliberation d, Event.Lasting l, Duration longerThan, String what, String wayOut) {
    d.alarm(
        "guest-" + l.guest(),
        Alarm.Kind.GUEST_STUCK,
        Alarm.Level.CRITICAL,
        l.guest(),
        "guest %s has been %s for more than %d min%s. %s"
            .formatted(
                l.guest(),
                what,
                longerThan.toMinutes(),
                l.lastAnswer().isEmpty() ? "" : "; last answer: " + l.lastAnswer(),
                wayOut));
  }
}
