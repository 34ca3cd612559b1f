package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Packing;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.stream.Collectors;

/** A host for each unit that waits, the important ones first. */
final class Choices {
  private Choices() {}

  /** What becomes of a unit. */
  sealed interface Choice {
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
  static final class Room {
    private final Candidate[] hosts;
    private final int[] starting;
    private final Map<HostId, Integer> places;
    private final int most;

    Room(ClusterState state) {
      var all = state.hosts();
      most = state.policy().startsPerHost();
      hosts = new Candidate[all.size()];
      starting = new int[all.size()];
      places = HashMap.newHashMap(all.size());
      int i = 0;
      for (var host : all) {
        hosts[i] = Candidates.candidate(state, host, Set.of());
        starting[i] = state.load(host.id()).starting();
        places.put(host.id(), i++);
      }
    }

    /** In the order of the state. */
    List<Candidate> all() {
      return Arrays.asList(hosts);
    }

    /** Those on which so many more can start now. */
    List<Candidate> free(int guests) {
      var free = new ArrayList<Candidate>(hosts.length);
      for (int i = 0; i < hosts.length; i++) {
        if (free(i, guests)) {
          free.add(hosts[i]);
        }
      }
      return free;
    }

    private int place(HostId id) {
      return Objects.requireNonNull(places.get(id));
    }

    Candidate host(HostId id) {
      return hosts[place(id)];
    }

    /**
     * Whether so many more can start there now; a group that is larger than the limit can alone.
     */
    boolean free(HostId host, int guests) {
      var place = places.get(host);
      return place == null || free(place, guests);
    }

    /** There, now or later. */
    Choice turn(HostId host, int guests) {
      return free(host, guests)
          ? new Choice.Go(host)
          : new Choice.Turn(host, "waits its turn: enough guests are starting on host " + host);
    }

    private boolean free(int place, int guests) {
      int now = starting[place];
      return now == 0 || now + guests <= most;
    }

    void take(HostId host, Collection<GuestSpec> guests, int starts) {
      var place = places.get(host);
      if (place == null) {
        return; // it was removed
      }
      hosts[place] = hosts[place].with(List.copyOf(guests));
      starting[place] += starts;
    }
  }

  /**
   * A host for each unit that has somebody to start, the first ones first. What a unit takes, later
   * ones cannot have, also where it starts only later.
   */
  static List<Choice> choose(Deliberation d, List<GroupUnits.Unit> units) {
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

  private static void take(Room room, GroupUnits.Unit unit, Choice choice) {
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

  static Choice choose(
      Deliberation d, GroupUnits.Unit unit, Room room, Map<GuestId, HostId> relocated) {
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
    return alone(unit, room, meant);
  }

  /**
   * Nobody of its group runs.
   *
   * @param meant where it is to start that was stopped for it
   */
  private static Choice alone(GroupUnits.Unit unit, Room room, Optional<HostId> meant) {
    var shunned = unit.shunned();
    int starts = unit.ready().size();
    var specs = unit.specs();
    var candidates = room.all();
    var target = meant.filter(h -> !shunned.contains(h) && !room.free(h, starts));
    if (target.isPresent() && Placement.fits(specs, room.host(target.get()), candidates)) {
      return room.turn(target.get(), starts);
    }
    var free = room.free(starts);
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
      Deliberation d, GroupUnits.Unit unit, Room room, SortedSet<HostId> shunned) {
    var moving = unit.held().stream().filter(g -> g.phase() instanceof Migrating).findFirst();
    if (moving.isPresent()) {
      return new Choice.Wait(
          "waits until guest %s has moved, with which it stays together"
              .formatted(moving.get().id()));
    }
    var host = Candidates.anchor(d.state(), unit.held());
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
    return room.turn(host.get(), unit.ready().size());
  }

  /**
   * A host where a whole group fits, its running members included; they can be moved there live.
   */
  static Optional<HostId> elsewhere(Deliberation d, GroupUnits.Unit unit, Room room) {
    var movable =
        unit.held().stream()
            .allMatch(
                g ->
                    g.phase() instanceof Running r
                        && d.state().host(r.host()).filter(Host::online).isPresent());
    var ids = unit.held().stream().map(Guest::id).collect(Collectors.toSet());
    if (!movable
        || unit.held().isEmpty()
        || GroupChecks.underWay(d.state(), ids).isPresent()
        || GroupChecks.failedLately(d, ids).isPresent()) {
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
   * The same once more, where one after the other found no room for all: kept as it was unless a
   * more important unit finds a host this way.
   */
  private static List<Choice> packed(
      Deliberation d, List<GroupUnits.Unit> units, List<Choice> greedy) {
    var wishes = new ArrayList<Packing.Wish>();
    var whose = new ArrayList<Integer>();
    for (int i = 0; i < units.size(); i++) {
      if (!(greedy.get(i) instanceof Choice.Wait) && !(greedy.get(i) instanceof Choice.Along)) {
        var unit = units.get(i);
        var only = Candidates.beside(d.state(), unit.held());
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
      var choice = places.get(k).map(h -> room.turn(h, starts)).orElseGet(Choice.Nowhere::new);
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
}
