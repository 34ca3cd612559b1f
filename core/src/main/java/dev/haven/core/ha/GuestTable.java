package dev.haven.core.ha;

import dev.haven.core.placement.Candidate;
import dev.haven.model.Definition;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;
import org.pcollections.TreePMap;
import org.pcollections.TreePSet;

/**
 * The guests of the hard state, and what follows from them. Here the first rule is kept: no change
 * is applied that would let a guest be placed while a host could still run it.
 */
final class GuestTable {
  static final GuestTable EMPTY =
      new GuestTable(
          TreePMap.empty(),
          0,
          TreePMap.empty(),
          HashTreePMap.empty(),
          TreePSet.empty(),
          Groups.NONE,
          HashTreePMap.empty());

  private final TreePMap<GuestId, Guest> guests;

  /**
   * The highest epoch of any guest that was removed: one of the same name begins above it, because
   * a host that was off then still refuses the older ones.
   */
  private final long epochFloor;

  /** What each guest's domain XML says of its disks, and what hosts found them to be. */
  private final TreePMap<GuestId, Definition> definitions;

  // derived, so that a decision looks at what changed and not at everything
  private final PMap<HostId, HostLoad> loads;
  private final TreePSet<GuestId> unsettled;
  private final Groups groups;

  /** Who opens what. */
  private final PMap<String, TreePSet<GuestId>> openers;

  private GuestTable(
      TreePMap<GuestId, Guest> guests,
      long epochFloor,
      TreePMap<GuestId, Definition> definitions,
      PMap<HostId, HostLoad> loads,
      TreePSet<GuestId> unsettled,
      Groups groups,
      PMap<String, TreePSet<GuestId>> openers) {
    this.guests = guests;
    this.epochFloor = epochFloor;
    this.definitions = definitions;
    this.loads = loads;
    this.unsettled = unsettled;
    this.groups = groups;
    this.openers = openers;
  }

  Collection<Guest> all() {
    return guests.values();
  }

  Optional<Guest> guest(GuestId id) {
    return Optional.ofNullable(guests.get(id));
  }

  /**
   * @throws IllegalStateException if there is none
   */
  Guest need(GuestId id) {
    return guest(id)
        .orElseThrow(() -> new IllegalStateException("guest " + id + " does not exist"));
  }

  HostLoad load(HostId host) {
    return loads.getOrDefault(host, HostLoad.NONE);
  }

  TreePSet<GuestId> unsettled() {
    return unsettled;
  }

  Groups groups() {
    return groups;
  }

  long epochFloor() {
    return epochFloor;
  }

  /** All definitions that say something. */
  SortedMap<GuestId, Definition> definitions() {
    return definitions;
  }

  Definition definition(GuestId guest) {
    return definitions.getOrDefault(guest, Definition.NONE);
  }

  /** The guests with which one that is defined so shares a disk that one of them writes. */
  List<Rival> rivals(GuestId guest, Definition definition) {
    var found = new TreeMap<GuestId, Rival>();
    for (var use : definition.uses()) {
      for (var other : openers.getOrDefault(use.what(), TreePSet.empty())) {
        if (!other.equals(guest) && definition(other).uses().stream().anyMatch(use::excludes)) {
          boolean mayRun = guest(other).filter(g -> !g.holders().isEmpty()).isPresent();
          found.putIfAbsent(other, new Rival(other, use.what(), mayRun));
        }
      }
    }
    return List.copyOf(found.values());
  }

  GuestTable apply(Change.OfGuest change, HostTable hosts) {
    return switch (change) {
      case Change.GuestDescribed c -> describe(c);
      case Change.DisksResolved c -> define(need(c.guest()).id(), c.definition());
      case Change.GuestRemoved c -> remove(need(c.guest()));
      case Change.GuestWanted c -> with(need(c.guest()).wanted(c.wanted()));
      case Change.GuestPlaced c -> place(c, hosts);
      case Change.MigrationBegun c -> beginMigration(c, hosts);
      case Change.HolderCleared c -> clear(c);
      case Change.HolderRestored c -> restore(c);
      case Change.PhaseChanged c -> changePhase(c);
      case Change.StartFailed c -> with(need(c.guest()).failedOn(c.host()));
      case Change.HostShunned c -> with(need(c.guest()).shunning(c.host()));
      case Change.StorageFailed c -> with(need(c.guest()).ioErrorOn(c.host(), c.at()));
      case Change.FailuresForgotten c -> with(need(c.guest()).withoutFailures());
      case Change.GuestMovedByHand c -> with(need(c.guest()).movedByHand(c.to()));
      case Change.GuestCrashed c -> with(need(c.guest()).crashedOn(c.host(), c.at()));
      case Change.CrashesForgotten c -> with(need(c.guest()).withCrashes(Optional.empty()));
    };
  }

  private GuestTable describe(Change.GuestDescribed c) {
    var known = guests.get(c.spec().id());
    var next =
        with(
            known == null
                ? Guest.of(c.spec(), c.wanted(), new Epoch(epochFloor))
                : known.with(c.spec()));
    return c.definition().map(d -> next.define(c.spec().id(), d)).orElse(next);
  }

  private GuestTable remove(Guest g) {
    Must.hold(g.holders().isEmpty(), "guest %s is removed but held by %s", g.id(), g.holders());
    var undefined = define(g.id(), Definition.NONE);
    return new GuestTable(
        guests.minus(g.id()),
        Math.max(epochFloor, g.epoch().value()),
        undefined.definitions,
        loads,
        unsettled.minus(g.id()),
        groups.without(g.spec()),
        undefined.openers);
  }

  private GuestTable restore(Change.HolderRestored c) {
    var g = need(c.guest());
    return with(g.with(g.tenure().restoredTo(c.holding())));
  }

  /** Every epoch from now on is higher by so much: another side may have gone on as well. */
  GuestTable lifted(long by) {
    var next = this;
    for (var guest : guests.values()) {
      // a move that is only being checked would go on under an epoch that is too low now: it is
      // dropped. One that is under way keeps its two epochs, which stand in what holds it
      var stays =
          guest.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.CHECKING
              ? guest.with(m.back())
              : guest;
      next = next.with(stays.with(stays.tenure().lifted(by)));
    }
    return next.above(epochFloor + by);
  }

  /** The same with another floor for the epochs of new guests. */
  GuestTable above(long floor) {
    return new GuestTable(guests, floor, definitions, loads, unsettled, groups, openers);
  }

  GuestTable define(GuestId guest, Definition definition) {
    var next = openers;
    for (var use : definition(guest).uses()) {
      var left = next.getOrDefault(use.what(), TreePSet.empty()).minus(guest);
      next = left.isEmpty() ? next.minus(use.what()) : next.plus(use.what(), left);
    }
    for (var use : definition.uses()) {
      next =
          next.plus(
              use.what(), next.getOrDefault(use.what(), TreePSet.<GuestId>empty()).plus(guest));
    }
    return new GuestTable(
        guests,
        epochFloor,
        definition.equals(Definition.NONE)
            ? definitions.minus(guest)
            : definitions.plus(guest, definition),
        loads,
        unsettled,
        groups,
        next);
  }

  private GuestTable place(Change.GuestPlaced c, HostTable hosts) {
    var g = need(c.guest());
    var to = c.holding();
    Must.hold(
        g.holders().isEmpty(),
        "guest %s is placed on %s but held by %s",
        g.id(),
        to.host(),
        g.holders());
    Must.hold(g.wanted(), "guest %s is placed on %s but not wanted", g.id(), to.host());
    Must.hold(
        to.epoch().equals(g.epoch().next()),
        "guest %s is placed under epoch %s after %s",
        g.id(),
        to.epoch(),
        g.epoch());
    var voided = VoidedProofs.of(hosts, g);
    Must.hold(
        voided.isEmpty(),
        "guest %s is placed on %s but a proof that it rests on is void, its host lives: %s",
        g.id(),
        to.host(),
        voided);
    hosts.mustRun(to.host(), to.boot());
    var rival = rivals(g.id(), definition(g.id())).stream().filter(Rival::mayRun).findFirst();
    Must.hold(
        rival.isEmpty(),
        "guest %s is placed on %s but shares a disk: %s",
        g.id(),
        to.host(),
        rival.orElse(null));
    return with(
        g.with(g.tenure().heldBy(to))
            .with(new GuestPhase.Starting(to))
            .withCrashes(g.crashes().map(Crashes::placed)));
  }

  private GuestTable beginMigration(Change.MigrationBegun c, HostTable hosts) {
    var g = need(c.guest());
    if (!(g.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.CHECKING)) {
      throw new IllegalStateException(
          "guest %s begins to migrate in phase %s".formatted(g.id(), g.phase()));
    }
    Must.hold(
        g.holders().keySet().equals(Set.of(m.source())),
        "guest %s begins to migrate from %s but is held by %s",
        g.id(),
        m.source(),
        g.holders());
    Must.hold(
        !m.source().equals(m.target()), "guest %s migrates from %s to itself", g.id(), m.source());
    Must.hold(
        m.to().epoch().equals(g.epoch().next()),
        "guest %s migrates under epoch %s after %s",
        g.id(),
        m.to().epoch(),
        g.epoch());
    hosts.mustRun(m.target(), m.to().boot());
    return with(
        g.with(m.at(GuestPhase.Step.MOVING, m.why())).with(g.tenure().heldBy(m.to()).inUse()));
  }

  private GuestTable clear(Change.HolderCleared c) {
    var g = need(c.guest());
    var holding = g.holders().get(c.host());
    if (holding == null) {
      throw new IllegalStateException(
          "guest %s is cleared from %s, which does not hold it".formatted(g.id(), c.host()));
    }
    Must.hold(
        c.proof().covers(g.id(), holding),
        "guest %s is cleared from %s (%s) by a proof that does not cover it: %s",
        g.id(),
        c.host(),
        holding,
        c.proof());
    return with(g.with(g.tenure().clearedOf(holding, c.proof())));
  }

  private GuestTable changePhase(Change.PhaseChanged c) {
    var g = need(c.guest());
    switch (c.phase()) {
      case GuestPhase.Stopped _, GuestPhase.Waiting _, GuestPhase.Failed _ ->
          Must.hold(
              g.holders().isEmpty(),
              "guest %s becomes %s but is held by %s",
              g.id(),
              c.phase(),
              g.holders());
      case GuestPhase.Starting p ->
          throw new IllegalStateException(
              "guest %s starts without being placed: %s".formatted(g.id(), p));
      case GuestPhase.Running p -> {
        mustHold(g, p.holding());
        Must.hold(
            g.holders().size() == 1,
            "guest %s counts as running on %s but is held by %s",
            g.id(),
            p.host(),
            g.holders());
      }
      case GuestPhase.Stopping p -> mustHold(g, p.holding());
      case GuestPhase.Vacating p -> mustHold(g, p.holding());
      case GuestPhase.Migrating p -> mustHold(g, p);
    }
    return with(
        c.phase() instanceof GuestPhase.Running
            ? g.with(c.phase()).with(g.tenure().inUse())
            : g.with(c.phase()));
  }

  private void mustHold(Guest g, GuestPhase.Migrating p) {
    switch (p.step()) {
      case CHECKING, UNDOING -> mustHold(g, p.from());
      case STAYING -> {
        mustHold(g, p.from());
        Must.hold(
            !g.holders().containsKey(p.target()),
            "guest %s stays on %s but %s holds it",
            g.id(),
            p.source(),
            p.target());
      }
      case MOVING ->
          Must.hold(
              g.phase() instanceof GuestPhase.Migrating,
              "guest %s moves without an intent",
              g.id());
      case ARRIVED -> {
        mustHold(g, p.to());
        Must.hold(
            !g.holders().containsKey(p.source()),
            "guest %s has arrived on %s but %s holds it",
            g.id(),
            p.target(),
            p.source());
      }
    }
  }

  private void mustHold(Guest g, Holding holding) {
    Must.hold(
        g.tenure().has(holding),
        "guest %s is in a phase of %s but is held by %s",
        g.id(),
        holding,
        g.holders());
  }

  GuestTable with(Guest guest) {
    var old = guests.get(guest.id());
    var next = loads;
    if (old != null) {
      next = weigh(next, old, -1);
    }
    next = weigh(next, guest, 1);
    var settled =
        switch (guest.phase()) {
          case GuestPhase.Running _, GuestPhase.Stopped _, GuestPhase.Failed _ -> true;
          case GuestPhase.Waiting _,
              GuestPhase.Starting _,
              GuestPhase.Stopping _,
              GuestPhase.Vacating _,
              GuestPhase.Migrating _ ->
              false;
        };
    return new GuestTable(
        guests.plus(guest.id(), guest),
        epochFloor,
        definitions,
        next,
        settled ? unsettled.minus(guest.id()) : unsettled.plus(guest.id()),
        grouped(old, guest),
        openers);
  }

  @SuppressWarnings("ReferenceEquality") // a new description is a new object; the rest keeps it
  private Groups grouped(@Nullable Guest old, Guest guest) {
    if (old != null && old.spec() == guest.spec()) {
      return groups;
    }
    return (old == null ? groups : groups.without(old.spec())).with(guest.spec());
  }

  /** The hosts that it counts on. */
  static Set<HostId> places(Guest guest) {
    if (guest.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.CHECKING) {
      var hosts = new TreeSet<>(guest.holders().keySet());
      hosts.add(m.target()); // its place is kept while the target is asked
      return hosts;
    }
    return guest.holders().keySet();
  }

  private static PMap<HostId, HostLoad> weigh(PMap<HostId, HostLoad> loads, Guest guest, int sign) {
    var next = loads;
    long memory = sign * Candidate.reservedMib(guest.spec());
    var starting =
        guest.phase() instanceof GuestPhase.Starting s
            ? Optional.of(s.host())
            : Optional.<HostId>empty();
    for (var host : places(guest)) {
      var load = next.getOrDefault(host, HostLoad.NONE);
      next =
          next.plus(
              host,
              new HostLoad(
                  sign > 0 ? load.guests().plus(guest.id()) : load.guests().minus(guest.id()),
                  load.reservedMib() + memory,
                  load.vcpus() + sign * guest.spec().vcpus(),
                  load.starting() + (starting.equals(Optional.of(host)) ? sign : 0),
                  load.ruled() + (guest.spec().rules().isEmpty() ? 0 : sign)));
    }
    return next;
  }
}
