package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Packing;
import dev.haven.core.placement.Placement;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Gives waiting guests a host, the important ones first, no more at once on a host than it can
 * start. Guests that must stay together are one unit: they get one host, or none.
 *
 * <p>One unit after the other gets the host that suits it best. Only where that finds no room for
 * one, {@link Packing} looks for a place for all of them. What still finds none takes its running
 * members along to another host, by live migration, or starts in part where its rules say so, or
 * waits with an alarm that names what is missing.
 */
final class Placing {
  private static final String WAY_OUT = "give it less, stop another, or add a host";

  private Placing() {}

  static void place(Deliberation d) {
    var all =
        d.state().unsettled().stream()
            .map(d::guest)
            .filter(g -> g.phase() instanceof Waiting && !d.leavesOut(g.id()))
            .toList();
    if (all.isEmpty() || d.full()) { // more important ones may have no room in this entry
      return;
    }
    var urgency = StartOrder.urgency(all);
    var order =
        Comparator.comparingInt((Guest g) -> -urgency.getOrDefault(g.id(), 0))
            .thenComparing(Comparator.comparingLong((Guest g) -> g.spec().memoryMib()).reversed())
            .thenComparing(Guest::id);
    var wanted = new ArrayList<Guest>();
    for (var guest : all.stream().sorted(order).toList()) {
      if (!guest.wanted()) {
        d.phase(guest.id(), new Stopped("stopped by its owner"));
        continue;
      }
      var voided = d.state().voided(guest);
      if (voided.isPresent()) {
        Holders.takeBack(d, guest.id(), voided.get().host(), voided.get().boot());
        continue;
      }
      wanted.add(guest);
    }
    var units = GroupUnits.units(d, wanted, order);
    var choices = Choices.choose(d, units);
    for (int i = 0; i < units.size(); i++) {
      if (!(choices.get(i) instanceof Choices.Choice.Nowhere) && !d.full()) {
        carryOut(d, units.get(i), choices.get(i), List.of());
      }
    }
    var promised = promised(units, choices);
    // what is done for these must know where all others have just been placed
    for (int i = 0; i < units.size(); i++) {
      if (choices.get(i) instanceof Choices.Choice.Nowhere && !d.full()) {
        carryOut(d, units.get(i), choices.get(i), promised);
      }
    }
  }

  private static void carryOut(
      Deliberation d, GroupUnits.Unit unit, Choices.Choice choice, List<Promise> promised) {
    for (var guest : unit.waiting()) {
      if (GroupUnits.due(d, guest)) {
        StartOrder.waitsFor(d.state(), guest)
            .ifPresentOrElse(first -> waitFor(d, guest, first), () -> blocked(d, guest));
      }
    }
    if (unit.ready().isEmpty()) {
      return;
    }
    switch (choice) {
      case Choices.Choice.Go(var host) -> unit.ready().forEach(g -> start(d, g, host));
      case Choices.Choice.Turn(var _, var why) -> wait(d, unit.ready(), why);
      case Choices.Choice.Wait(var why) -> wait(d, unit.ready(), why);
      case Choices.Choice.Along(var to) -> along(d, unit, to);
      case Choices.Choice.Nowhere _ -> nowhere(d, unit, promised);
    }
  }

  /** Whether another guest has a disk of it open; it waits and says so. */
  private static boolean blocked(Deliberation d, Guest guest) {
    var why = Disks.blocked(d.state(), guest);
    why.ifPresent(
        blocked -> {
          wait(d, guest, blocked);
          d.alarm(
              "guest-" + guest.id(),
              Alarm.Kind.SHARED_DISK,
              Alarm.Level.CRITICAL,
              guest.id(),
              blocked);
        });
    return why.isPresent();
  }

  private static void start(Deliberation d, Guest guest, HostId on) {
    if (blocked(d, guest)) {
      return; // by one that has just been given a host
    }
    var id = guest.id();
    var next = guest.next(d.host(on));
    d.change(new Change.GuestPlaced(id, next));
    d.tell(new Fact.GuestPlaced(id, on, next.epoch()));
    d.clearAlarm("guest-" + id);
    GuestOrders.orders(d, d.guest(id));
    d.because("start guest %s on host %s".formatted(id, on));
  }

  private static void waitFor(Deliberation d, Guest guest, StartOrder.Turn first) {
    wait(d, guest, first.why());
    if (first.forGood()) {
      d.alarm(
          "guest-" + guest.id(),
          Alarm.Kind.GUEST_WAITS_FOR_ANOTHER,
          Alarm.Level.CRITICAL,
          guest.id(),
          "guest %s %s; to start it without waiting, take that rule away: haven guest edit %s"
              .formatted(guest.id(), first.why(), guest.id()));
    }
  }

  private static void wait(Deliberation d, List<Guest> guests, String why) {
    guests.forEach(g -> wait(d, g, why));
  }

  private static void wait(Deliberation d, Guest guest, String why) {
    if (!guest.phase().equals(new Waiting(why))) {
      d.phase(guest.id(), new Waiting(why));
    }
  }

  private static void along(Deliberation d, GroupUnits.Unit unit, HostId to) {
    var names = GroupChecks.names(unit.held().stream().map(Guest::id).toList());
    GroupMoves.begin(
        d,
        unit.first().id(),
        unit.held(),
        d.host(to),
        "placement",
        "guest %s cannot start where its group is".formatted(unit.first().id()),
        Optional.empty());
    wait(
        d,
        unit.ready(),
        "waits until guests %s have moved to host %s, where all of its group fit"
            .formatted(names, to));
  }

  /** No host takes it as things are. */
  private static void nowhere(Deliberation d, GroupUnits.Unit unit, List<Promise> promised) {
    var room = new Choices.Room(d.state());
    var to = Choices.elsewhere(d, unit, room);
    if (to.isPresent()) {
      along(d, unit, to.get());
      return;
    }
    var anchor = Candidates.anchor(d.state(), unit.held());
    var tried =
        GroupChecks.failedLately(d, unit.held().stream().map(Guest::id).toList())
            .or(() -> MakingRoom.failedLately(d, unit.first().id()));
    var made =
        unit.held().isEmpty() || anchor.isPresent()
            ? MakingRoom.begin(d, unit.waiting(), anchor)
            : Optional.<String>empty();
    if (made.isPresent()) {
      wait(d, unit.ready(), made.get());
      return;
    }
    if ((unit.partial() || !unit.held().isEmpty()) && startsInPart(d, unit, room)) {
      return;
    }
    var why =
        tried.map(held -> triedFor(unit, held)).orElseGet(() -> whyNowhere(d, unit, promised));
    wait(d, unit.ready(), why);
    var id = unit.first().id();
    d.alarm("guest-" + id, Alarm.Kind.GUEST_FITS_NOWHERE, Alarm.Level.CRITICAL, id, why);
  }

  /** Why a guest waits for which others moved in vain. */
  private static String triedFor(GroupUnits.Unit unit, Retries.Held held) {
    var who = "guest " + unit.first().id();
    return switch (held.last().kind()) {
      case Kind.MoveGroup k ->
          "%s cannot start where its group is, and moving it to host %s did not work: %s; to move it now: haven migrate %s --to %s --with-group"
              .formatted(who, k.to(), held.words(), k.from().firstKey(), k.to());
      case Kind.MakeRoom k ->
          "%s fits on no host, and making room on host %s did not work: %s; %s"
              .formatted(who, k.host(), held.words(), WAY_OUT);
      case Kind.MoveGuest _,
          Kind.RelocateGuest _,
          Kind.EvacuateHost _,
          Kind.StartGuest _,
          Kind.StopGuest _,
          Kind.FenceHost _,
          Kind.FenceStuck _,
          Kind.TestFencing _ ->
          "%s: %s".formatted(who, held.words());
    };
  }

  /**
   * Starts the most important members that fit on one host: where others of the group run, or where
   * the most important of them fit.
   */
  private static boolean startsInPart(Deliberation d, GroupUnits.Unit unit, Choices.Room room) {
    var only = Candidates.anchor(d.state(), unit.held());
    if (!unit.held().isEmpty() && only.isEmpty()) {
      return false;
    }
    var hosts =
        room.all().stream().filter(c -> only.isEmpty() || only.get().equals(c.id())).toList();
    var best = List.<Guest>of();
    Optional<HostId> where = Optional.empty();
    for (var host : hosts) {
      if (!room.free(host.id(), 1)) {
        continue;
      }
      var fit = new ArrayList<Guest>();
      for (var guest : unit.ready()) {
        var specs = new ArrayList<>(fit.stream().map(Guest::spec).toList());
        specs.add(guest.spec());
        if (!unit.shunned().contains(host.id())
            && room.free(host.id(), specs.size())
            && Placement.fits(specs, host, room.all())) {
          fit.add(guest);
        }
      }
      if (better(unit.ready(), fit, best)) {
        best = fit;
        where = Optional.of(host.id());
      }
    }
    if (where.isEmpty()) {
      return false;
    }
    for (var guest : best) {
      start(d, guest, where.get());
    }
    for (var guest : unit.ready()) {
      if (!best.contains(guest)) {
        var why =
            "guest %s does not fit on host %s, where others of its group run; %s"
                .formatted(guest.id(), where.get(), WAY_OUT);
        wait(d, guest, why);
        d.alarm(
            "guest-" + guest.id(),
            Alarm.Kind.GUEST_FITS_NOWHERE,
            Alarm.Level.CRITICAL,
            guest.id(),
            why);
      }
    }
    return true;
  }

  /** Whether the first guest in which two choices differ is in the first one. */
  private static boolean better(List<Guest> order, List<Guest> one, List<Guest> other) {
    for (var guest : order) {
      if (one.contains(guest) != other.contains(guest)) {
        return one.contains(guest);
      }
    }
    return false;
  }

  private static String whyNowhere(Deliberation d, GroupUnits.Unit unit, List<Promise> promised) {
    var room = new Choices.Room(d.state());
    var specs = GroupUnits.all(unit);
    var held = unit.held().stream().map(Guest::id).collect(Collectors.toSet());
    var hosts = room.all().stream().map(c -> c.without(held)).toList();
    var kept =
        promised.stream()
            .filter(
                p ->
                    hosts.stream()
                        .anyMatch(c -> c.id().equals(p.host()) && Placement.fits(specs, c, hosts)))
            .toList();
    for (var promise : promised) {
      room.take(promise.host(), promise.to().specs(), 0);
    }
    var why = whyNowhere(d.state(), unit, room);
    return kept.isEmpty()
        ? why
        : "%s; on host %s it would fit, but that room is kept for guest %s, which starts there first"
            .formatted(why, kept.getFirst().host(), kept.getFirst().to().first().id());
  }

  private static String whyNowhere(ClusterState state, GroupUnits.Unit unit, Choices.Room room) {
    if (!unit.group()) {
      return FitsNowhere.whyNowhere(unit.first().spec(), List.copyOf(room.all()));
    }
    var held = unit.held().stream().map(Guest::id).collect(Collectors.toSet());
    if (!held.isEmpty() && Candidates.anchor(state, unit.held()).isEmpty()) {
      return "guest %s must run with guests %s, which are parted, and no host takes all of them; see haven explain %s"
          .formatted(unit.first().id(), GroupChecks.names(held), unit.first().id());
    }
    var all = new ArrayList<>(unit.specs());
    unit.held().forEach(g -> all.add(g.spec()));
    return FitsNowhere.whyNowhere(all, room.all().stream().map(c -> c.without(held)).toList());
  }

  /** What waits its turn for a host, or until others of it have moved there, has its room there. */
  private record Promise(HostId host, GroupUnits.Unit to) {}

  private static List<Promise> promised(List<GroupUnits.Unit> units, List<Choices.Choice> choices) {
    var promised = new ArrayList<Promise>();
    for (int i = 0; i < units.size(); i++) {
      switch (choices.get(i)) {
        case Choices.Choice.Turn(var host, var _) -> promised.add(new Promise(host, units.get(i)));
        case Choices.Choice.Along(var host) -> promised.add(new Promise(host, units.get(i)));
        case Choices.Choice.Go _, Choices.Choice.Wait _, Choices.Choice.Nowhere _ -> {}
      }
    }
    return promised;
  }
}
