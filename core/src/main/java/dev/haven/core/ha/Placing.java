package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Packing;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
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
  /** No guest is told to wait for longer. */
  private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);

  private Placing() {}

  /**
   * The waiting guests of one group, or one guest alone.
   *
   * @param waiting the important ones first
   * @param ready those of them that could start now
   * @param held the other members: they run, or are on their way
   */
  private record Unit(List<Guest> waiting, List<Guest> ready, List<Guest> held) {
    Guest first() {
      return waiting.getFirst();
    }

    List<GuestSpec> specs() {
      return waiting.stream().map(Guest::spec).toList();
    }

    boolean group() {
      return waiting.size() + held.size() > 1;
    }

    SortedSet<HostId> shunned() {
      var all = new TreeSet<HostId>();
      for (var guest : ready) {
        all.addAll(guest.shunned());
        guest.crashes().ifPresent(c -> all.addAll(c.left()));
      }
      return all;
    }

    boolean partial() {
      return waiting.stream().anyMatch(g -> Placing.partial(g.spec()));
    }
  }

  /** What becomes of a unit. */
  private sealed interface Choice {
    /** It starts there now. */
    record Go(HostId host) implements Choice {}

    /** It starts there later. */
    record Turn(HostId host, String why) implements Choice {}

    /** Its running members move there, live, and it starts there after them. */
    record Along(HostId to) implements Choice {}

    /** Nothing can be said yet. */
    record Wait(String why) implements Choice {}

    record Nowhere() implements Choice {}
  }

  /** The hosts while units take their room on them. */
  private static final class Room {
    private final TreeMap<HostId, Candidate> hosts = new TreeMap<>();
    private final Map<HostId, Integer> starting = new HashMap<>();
    private final int most;

    Room(ClusterState state) {
      most = state.policy().startsPerHost();
      for (var host : state.hosts()) {
        hosts.put(host.id(), Settling.candidate(state, host, Set.of()));
        starting.put(host.id(), state.load(host.id()).starting());
      }
    }

    Collection<Candidate> all() {
      return hosts.values();
    }

    Candidate host(HostId id) {
      return java.util.Objects.requireNonNull(hosts.get(id));
    }

    /**
     * Whether so many more can start there now; a group that is larger than the limit can alone.
     */
    boolean free(HostId host, int guests) {
      int now = starting.getOrDefault(host, 0);
      return now == 0 || now + guests <= most;
    }

    void take(HostId host, Collection<GuestSpec> guests, int starts) {
      hosts.computeIfPresent(host, (_, c) -> c.with(List.copyOf(guests)));
      starting.merge(host, starts, Integer::sum);
    }
  }

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
      var voided = VoidedProofs.of(d.state(), guest);
      if (voided.isPresent()) {
        VoidedProofs.takeBack(d, guest.id(), voided.get().host(), voided.get().boot());
        continue;
      }
      wanted.add(guest);
    }
    var units = units(d, wanted, order);
    var choices = choose(d, units);
    for (int i = 0; i < units.size(); i++) {
      if (!(choices.get(i) instanceof Choice.Nowhere) && !d.full()) {
        carryOut(d, units.get(i), choices.get(i), List.of());
      }
    }
    var promised = promised(units, choices);
    // what is done for these must know where all others have just been placed
    for (int i = 0; i < units.size(); i++) {
      if (choices.get(i) instanceof Choice.Nowhere && !d.full()) {
        carryOut(d, units.get(i), choices.get(i), promised);
      }
    }
  }

  private static List<Unit> units(Deliberation d, List<Guest> waiting, Comparator<Guest> order) {
    var groups = new LinkedHashMap<GuestId, SortedSet<GuestId>>(); // by their first member
    var first = new HashMap<GuestId, GuestId>();
    for (var guest : waiting) {
      if (!first.containsKey(guest.id())) {
        var group = d.state().group(guest.spec());
        group.forEach(g -> first.putIfAbsent(g, guest.id()));
        groups.put(guest.id(), group);
      }
    }
    var waits = waiting.stream().map(Guest::id).collect(Collectors.toSet());
    return Followers.ordered(
            groups.keySet(),
            id ->
                groups.getOrDefault(id, Collections.emptySortedSet()).stream()
                    .flatMap(g -> StartOrder.followed(d.guest(g).spec()).stream())
                    .filter(waits::contains)
                    .flatMap(g -> Optional.ofNullable(first.get(g)).stream())
                    .toList())
        .stream()
        .map(id -> unit(d, groups.getOrDefault(id, Collections.emptySortedSet()), order))
        .toList();
  }

  private static Unit unit(Deliberation d, SortedSet<GuestId> group, Comparator<Guest> order) {
    var members = group.stream().map(d::guest).sorted(order).toList();
    var waiting =
        members.stream().filter(g -> g.phase() instanceof Waiting && !d.leavesOut(g.id())).toList();
    return new Unit(
        waiting,
        waiting.stream().filter(g -> ready(d, g)).toList(),
        members.stream().filter(g -> !(g.phase() instanceof Waiting)).toList());
  }

  private static boolean ready(Deliberation d, Guest guest) {
    return due(d, guest)
        && StartOrder.waitsFor(d.state(), guest).isEmpty()
        && Disks.blocked(d.state(), guest).isEmpty();
  }

  private static boolean due(Deliberation d, Guest guest) {
    return !(guest.phase() instanceof Waiting w)
        || w.notBefore().filter(t -> soon(d.at(), t)).isEmpty();
  }

  /** Whether a time is still to come; one that is far off was set before the clock was set back. */
  private static boolean soon(Instant now, Instant time) {
    return now.isBefore(time) && !time.isAfter(now.plus(LONGEST_WAIT));
  }

  /**
   * A host for each unit that has somebody to start, the first ones first. What a unit takes, later
   * ones cannot have, also where it starts only later.
   */
  private static List<Choice> choose(Deliberation d, List<Unit> units) {
    var relocated = relocated(d);
    var room = new Room(d.state());
    var choices = new ArrayList<Choice>();
    boolean nowhere = false;
    for (var unit : units) {
      var choice = unit.ready().isEmpty() ? new Choice.Wait("") : choose(d, unit, room, relocated);
      take(room, unit, choice);
      nowhere |= choice instanceof Choice.Nowhere;
      choices.add(choice);
    }
    return nowhere ? packed(d, units, choices) : choices;
  }

  private static void take(Room room, Unit unit, Choice choice) {
    switch (choice) {
      case Choice.Go(var host) -> room.take(host, unit.specs(), unit.ready().size());
      case Choice.Turn(var host, var _) -> room.take(host, unit.specs(), 0);
      case Choice.Along(var to) -> {
        room.take(to, unit.specs(), 0);
        room.take(to, unit.held().stream().map(Guest::spec).toList(), 0);
      }
      case Choice.Wait _, Choice.Nowhere _ -> {}
    }
  }

  /** Where guests are to start that were stopped for it. */
  private static Map<GuestId, HostId> relocated(Deliberation d) {
    var to = new HashMap<GuestId, HostId>();
    for (var op : d.state().operations()) {
      if (op.running() && op.kind() instanceof Kind.RelocateGuest k) {
        to.put(k.guest(), k.to());
      }
    }
    return to;
  }

  private static Choice choose(
      Deliberation d, Unit unit, Room room, Map<GuestId, HostId> relocated) {
    var meant =
        unit.ready().stream()
            .flatMap(g -> Optional.ofNullable(relocated.get(g.id())).stream())
            .findFirst();
    var leaving =
        meant.flatMap(
            _ -> unit.held().stream().map(Guest::id).filter(relocated::containsKey).findFirst());
    if (leaving.isPresent()) {
      return new Choice.Wait(
          "waits until guest %s is off, which is relocated with it".formatted(leaving.get()));
    }
    var shunned = unit.shunned();
    var made = MakingRoom.under(d.state(), unit.waiting());
    if (made.isPresent()) {
      var host = made.get().host();
      return Placement.fits(unit.specs(), room.host(host), room.all())
              && room.free(host, unit.ready().size())
          ? new Choice.Go(host)
          : new Choice.Turn(host, MakingRoom.words(made.get().leaving(), host));
    }
    if (!unit.held().isEmpty()) {
      return besideOthers(d, unit, room, shunned);
    }
    int starts = unit.ready().size();
    var specs = unit.specs();
    var candidates = room.all();
    var target = meant.filter(h -> !shunned.contains(h) && !room.free(h, starts));
    if (target.isPresent() && Placement.fits(specs, room.host(target.get()), candidates)) {
      return new Choice.Turn(
          target.get(), "waits its turn: enough guests are starting on host " + target.get());
    }
    var free = candidates.stream().filter(c -> room.free(c.id(), starts)).toList();
    // where it ended it is started again, however empty others are: its caches are warm, its disks
    // are there
    var there =
        meant
            .or(
                () ->
                    unit.ready().stream()
                        .flatMap(g -> g.crashes().stream())
                        .filter(Crashes::again)
                        .map(Crashes::host)
                        .findFirst())
            .filter(h -> !shunned.contains(h))
            .filter(h -> room.free(h, starts))
            .filter(h -> Placement.fits(specs, room.host(h), candidates));
    var now = there.or(() -> Placement.best(specs, free, candidates, Optional.empty(), shunned));
    if (now.isPresent()) {
      return new Choice.Go(now.get());
    }
    return Placement.best(specs, candidates, candidates, Optional.empty(), Set.of())
        .<Choice>map(h -> new Choice.Turn(h, "waits its turn: enough guests are starting"))
        .orElseGet(Choice.Nowhere::new);
  }

  /** Others of its group run: it starts where they are. */
  private static Choice besideOthers(
      Deliberation d, Unit unit, Room room, SortedSet<HostId> shunned) {
    var moving = unit.held().stream().filter(g -> g.phase() instanceof Migrating).findFirst();
    if (moving.isPresent()) {
      return new Choice.Wait(
          "waits until guest %s has moved, with which it stays together"
              .formatted(moving.get().id()));
    }
    var host = anchor(d.state(), unit.held());
    if (host.isEmpty()) {
      return new Choice.Nowhere(); // they are parted: they come together elsewhere, or it waits
    }
    if (shunned.contains(host.get()) && shunned.size() == 1) {
      if (unit.held().stream().anyMatch(g -> g.phase() instanceof Starting)) {
        return new Choice.Wait(
            "waits until its group has started on host %s: it failed there".formatted(host.get()));
      }
      var to = elsewhere(d, unit, room);
      if (to.isPresent()) {
        return new Choice.Along(to.get());
      }
    }
    if (!Placement.fits(unit.specs(), room.host(host.get()), room.all())) {
      return new Choice.Nowhere();
    }
    return room.free(host.get(), unit.ready().size())
        ? new Choice.Go(host.get())
        : new Choice.Turn(
            host.get(), "waits its turn: enough guests are starting on host " + host.get());
  }

  /**
   * The one host where guests are, or to which they are all on their way; empty if they are parted.
   */
  static Optional<HostId> anchor(ClusterState state, Collection<Guest> guests) {
    var hosts = new TreeSet<HostId>();
    for (var guest : guests) {
      if (guest.phase() instanceof Migrating m) {
        boolean back =
            GroupMoves.of(state, m)
                .filter(o -> o.kind() instanceof Kind.MoveGroup k && k.failure().isPresent())
                .isPresent();
        hosts.add(back && m.step() == GuestPhase.Step.CHECKING ? m.source() : m.target());
      } else {
        guest.host().ifPresent(hosts::add);
      }
    }
    return hosts.size() == 1 ? Optional.of(hosts.getFirst()) : Optional.empty();
  }

  /**
   * A host where a whole group fits, its running members included; they can be moved there live.
   */
  private static Optional<HostId> elsewhere(Deliberation d, Unit unit, Room room) {
    var movable =
        unit.held().stream()
            .allMatch(
                g ->
                    g.phase() instanceof Running r
                        && d.state().host(r.host()).filter(Host::online).isPresent());
    var ids = unit.held().stream().map(Guest::id).collect(Collectors.toSet());
    if (!movable
        || unit.held().isEmpty()
        || GroupMoves.underWay(d.state(), ids).isPresent()
        || GroupMoves.failedLately(d, ids).isPresent()) {
      return Optional.empty();
    }
    var all = new ArrayList<>(unit.specs());
    unit.held().forEach(g -> all.add(g.spec()));
    var hosts = room.all().stream().map(c -> c.without(ids)).toList();
    var shunned = unit.shunned();
    return Placement.best(
        all,
        hosts.stream().filter(c -> !shunned.contains(c.id())).toList(),
        hosts,
        BrokenRules.mostOf(unit.held()),
        Set.of());
  }

  /**
   * The same anew, where one after the other found no room for all: kept as it was unless a more
   * important unit finds a host this way.
   */
  private static List<Choice> packed(Deliberation d, List<Unit> units, List<Choice> greedy) {
    var wishes = new ArrayList<Packing.Wish>();
    var whose = new ArrayList<Integer>();
    for (int i = 0; i < units.size(); i++) {
      if (!(greedy.get(i) instanceof Choice.Wait) && !(greedy.get(i) instanceof Choice.Along)) {
        var unit = units.get(i);
        var only =
            unit.held().isEmpty()
                ? Optional.<Set<HostId>>empty()
                : Optional.of(anchor(d.state(), unit.held()).map(Set::of).orElse(Set.of()));
        wishes.add(new Packing.Wish(unit.specs(), only, host(greedy.get(i))));
        whose.add(i);
      }
    }
    var around = new Room(d.state());
    var room = new Room(d.state());
    for (int i = 0; i < units.size(); i++) {
      if (greedy.get(i) instanceof Choice.Along) {
        take(around, units.get(i), greedy.get(i));
        take(room, units.get(i), greedy.get(i));
      }
    }
    var places = Packing.place(wishes, around.all());
    boolean better = false;
    for (int k = 0; k < whose.size(); k++) {
      boolean had = host(greedy.get(whose.get(k))).isPresent();
      if (had != places.get(k).isPresent()) {
        better = !had;
        break;
      }
    }
    if (!better) {
      return greedy;
    }
    var choices = new ArrayList<>(greedy);
    for (int k = 0; k < whose.size(); k++) {
      int i = whose.get(k);
      int starts = units.get(i).ready().size();
      var choice =
          places
              .get(k)
              .<Choice>map(
                  h ->
                      room.free(h, starts)
                          ? new Choice.Go(h)
                          : new Choice.Turn(
                              h, "waits its turn: enough guests are starting on host " + h))
              .orElseGet(Choice.Nowhere::new);
      take(room, units.get(i), choice);
      choices.set(i, choice);
    }
    return choices;
  }

  private static Optional<HostId> host(Choice choice) {
    return switch (choice) {
      case Choice.Go(var host) -> Optional.of(host);
      case Choice.Turn(var host, var _) -> Optional.of(host);
      case Choice.Along _, Choice.Wait _, Choice.Nowhere _ -> Optional.empty();
    };
  }

  private static void carryOut(Deliberation d, Unit unit, Choice choice, List<Promise> promised) {
    for (var guest : unit.waiting()) {
      if (due(d, guest)) {
        StartOrder.waitsFor(d.state(), guest)
            .ifPresentOrElse(first -> waitFor(d, guest, first), () -> blocked(d, guest));
      }
    }
    if (unit.ready().isEmpty()) {
      return;
    }
    switch (choice) {
      case Choice.Go(var host) -> unit.ready().forEach(g -> start(d, g, host));
      case Choice.Turn(var _, var why) -> wait(d, unit.ready(), why);
      case Choice.Wait(var why) -> wait(d, unit.ready(), why);
      case Choice.Along(var to) -> along(d, unit, to);
      case Choice.Nowhere _ -> nowhere(d, unit, promised);
    }
  }

  /** Whether another guest has a disk of it open; it waits and says so. */
  private static boolean blocked(Deliberation d, Guest guest) {
    var why = Disks.blocked(d.state(), guest);
    why.ifPresent(
        blocked -> {
          wait(d, guest, blocked);
          d.alarm("guest-" + guest.id(), Alarm.Level.CRITICAL, guest.id(), blocked);
        });
    return why.isPresent();
  }

  private static void start(Deliberation d, Guest guest, HostId on) {
    if (blocked(d, guest)) {
      return; // by one that has just been given a host
    }
    var id = guest.id();
    var host = d.host(on);
    var epoch = guest.epoch().next();
    d.change(new Change.GuestPlaced(id, on, host.boot().orElseThrow(), epoch));
    d.note("decision", id, "start guest %s on host %s (epoch %s)".formatted(id, on, epoch));
    d.clearAlarm("guest-" + id);
    GuestPolicy.orders(d, d.guest(id));
    d.because("start guest %s on host %s".formatted(id, on));
  }

  private static void waitFor(Deliberation d, Guest guest, StartOrder.Turn first) {
    wait(d, guest, first.why());
    if (first.forGood()) {
      d.alarm(
          "guest-" + guest.id(),
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

  private static void along(Deliberation d, Unit unit, HostId to) {
    var names = GroupMoves.names(unit.held().stream().map(Guest::id).toList());
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
  private static void nowhere(Deliberation d, Unit unit, List<Promise> promised) {
    var room = new Room(d.state());
    var to = elsewhere(d, unit, room);
    if (to.isPresent()) {
      along(d, unit, to.get());
      return;
    }
    var anchor = anchor(d.state(), unit.held());
    var tried =
        GroupMoves.failedLately(d, unit.held().stream().map(Guest::id).toList())
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
    d.alarm("guest-" + id, Alarm.Level.CRITICAL, id, why);
  }

  /** Why a guest waits for which others moved in vain. */
  private static String triedFor(Unit unit, Retries.Held held) {
    var who = "guest " + unit.first().id();
    return switch (held.last().kind()) {
      case Kind.MoveGroup k ->
          "%s cannot start where its group is, and moving it to host %s did not work: %s; to move it now: haven migrate %s --to %s --with-group"
              .formatted(who, k.to(), held.words(), k.from().firstKey(), k.to());
      case Kind.MakeRoom k ->
          "%s fits on no host, and making room on host %s did not work: %s; %s"
              .formatted(who, k.host(), held.words(), WAY_OUT);
      default -> "%s: %s".formatted(who, held.words());
    };
  }

  /**
   * Starts the most important members that fit on one host: where others of the group run, or where
   * the most important of them fit.
   */
  private static boolean startsInPart(Deliberation d, Unit unit, Room room) {
    var only = anchor(d.state(), unit.held());
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
        d.alarm("guest-" + guest.id(), Alarm.Level.CRITICAL, guest.id(), why);
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

  private static final String WAY_OUT = "give it less, stop another, or add a host";

  /**
   * Why a guest that is described so could not start now; empty if it could, if need be after its
   * group has moved.
   */
  static Optional<String> whyNot(ClusterState state, GuestSpec guest) {
    var group = state.group(guest);
    var others =
        group.stream()
            .filter(g -> !g.equals(guest.id()))
            .flatMap(g -> state.guest(g).stream())
            .toList();
    var held = others.stream().filter(g -> !(g.phase() instanceof Waiting)).toList();
    var waiting = new ArrayList<GuestSpec>();
    waiting.add(guest);
    others.stream().filter(g -> g.phase() instanceof Waiting).forEach(g -> waiting.add(g.spec()));
    var candidates = Settling.candidates(state, Set.of(guest.id()));
    if (held.isEmpty()) {
      boolean partial = waiting.stream().anyMatch(Placing::partial);
      return Placement.best(
                  partial ? List.of(guest) : waiting,
                  candidates,
                  candidates,
                  Optional.empty(),
                  Set.of())
              .isPresent()
          ? Optional.empty()
          : Optional.of(Settling.whyNowhere(waiting, candidates));
    }
    var anchor = anchor(state, held);
    if (anchor.isPresent()
        && candidates.stream()
            .anyMatch(
                c ->
                    c.id().equals(anchor.get()) && Placement.fits(List.of(guest), c, candidates))) {
      return Optional.empty();
    }
    var all = new ArrayList<>(waiting);
    held.forEach(g -> all.add(g.spec()));
    var without = Settling.candidates(state, group);
    return Placement.best(all, without, without, Optional.empty(), Set.of()).isPresent()
        ? Optional.empty()
        : Optional.of(Settling.whyNowhere(all, without));
  }

  private static boolean partial(GuestSpec guest) {
    return guest.rules().stream().anyMatch(Rule.Partial.class::isInstance);
  }

  /** What waits its turn for a host, or until others of it have moved there, has its room there. */
  private record Promise(HostId host, Unit to) {}

  private static List<Promise> promised(List<Unit> units, List<Choice> choices) {
    var promised = new ArrayList<Promise>();
    for (int i = 0; i < units.size(); i++) {
      switch (choices.get(i)) {
        case Choice.Turn(var host, var _) -> promised.add(new Promise(host, units.get(i)));
        case Choice.Along(var host) -> promised.add(new Promise(host, units.get(i)));
        case Choice.Go _, Choice.Wait _, Choice.Nowhere _ -> {}
      }
    }
    return promised;
  }

  private static String whyNowhere(Deliberation d, Unit unit, List<Promise> promised) {
    var room = new Room(d.state());
    var specs = all(unit);
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

  private static List<GuestSpec> all(Unit unit) {
    var all = new ArrayList<>(unit.specs());
    unit.held().forEach(g -> all.add(g.spec()));
    return all;
  }

  private static String whyNowhere(ClusterState state, Unit unit, Room room) {
    if (!unit.group()) {
      return Settling.whyNowhere(unit.first().spec(), List.copyOf(room.all()));
    }
    var held = unit.held().stream().map(Guest::id).collect(Collectors.toSet());
    if (!held.isEmpty() && anchor(state, unit.held()).isEmpty()) {
      return "guest %s must run with guests %s, which are parted, and no host takes all of them; see haven explain %s"
          .formatted(unit.first().id(), GroupMoves.names(held), unit.first().id());
    }
    var all = new ArrayList<>(unit.specs());
    unit.held().forEach(g -> all.add(g.spec()));
    return Settling.whyNowhere(all, room.all().stream().map(c -> c.without(held)).toList());
  }
}
