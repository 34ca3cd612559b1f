package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** The waiting guests that must have one host, each group a unit. */
final class GroupUnits {
  /** No guest is told to wait for longer. */
  private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);

  private GroupUnits() {}

  /**
   * The waiting guests of one group, or one guest alone.
   *
   * @param waiting the important ones first
   * @param ready those of them that could start now
   * @param held the other members: they run, or are on their way
   */
  record Unit(List<Guest> waiting, List<Guest> ready, List<Guest> held) {
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
      return waiting.stream().anyMatch(g -> GroupUnits.partial(g.spec()));
    }
  }

  static List<Unit> units(Deliberation d, List<Guest> waiting, Comparator<Guest> order) {
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
                    .flatMap(g -> Followers.followed(d.guest(g).spec()).stream())
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

  static boolean due(Deliberation d, Guest guest) {
    return !(guest.phase() instanceof Waiting w)
        || w.notBefore().filter(t -> soon(d.at(), t)).isEmpty();
  }

  /** Whether a time is still to come; one that is far off was set before the clock was set back. */
  private static boolean soon(Instant now, Instant time) {
    return now.isBefore(time) && !time.isAfter(now.plus(LONGEST_WAIT));
  }

  static boolean partial(GuestSpec guest) {
    return guest.rules().stream().anyMatch(Rule.Partial.class::isInstance);
  }

  static List<GuestSpec> all(Unit unit) {
    var all = new ArrayList<>(unit.specs());
    unit.held().forEach(g -> all.add(g.spec()));
    return all;
  }
}
