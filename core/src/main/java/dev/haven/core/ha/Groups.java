package dev.haven.core.ha;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.Rule;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Function;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;
import org.pcollections.TreePSet;

/**
 * Which guests must have one host: those that a strict rule to be together joins, in chains. Made
 * of what the guests' descriptions say, and kept up to date with them, so that nobody has to look
 * at all guests.
 *
 * @param carriers of a label and value, for each
 * @param seekers guests with a strict rule to be together with a label and value, for each
 * @param ruled how many guests have any rule
 */
record Groups(
    PMap<Label, TreePSet<GuestId>> carriers, PMap<Label, TreePSet<GuestId>> seekers, int ruled) {
  static final Groups NONE = new Groups(HashTreePMap.empty(), HashTreePMap.empty(), 0);

  record Label(String name, String value) {}

  Groups with(GuestSpec guest) {
    var has = carriers;
    var wants = seekers;
    for (var e : guest.labels().entrySet()) {
      has = plus(has, new Label(e.getKey(), e.getValue()), guest.id());
    }
    for (var label : sought(guest)) {
      wants = plus(wants, label, guest.id());
    }
    return new Groups(has, wants, ruled + (guest.rules().isEmpty() ? 0 : 1));
  }

  Groups without(GuestSpec guest) {
    var has = carriers;
    var wants = seekers;
    for (var e : guest.labels().entrySet()) {
      has = minus(has, new Label(e.getKey(), e.getValue()), guest.id());
    }
    for (var label : sought(guest)) {
      wants = minus(wants, label, guest.id());
    }
    return new Groups(has, wants, ruled - (guest.rules().isEmpty() ? 0 : 1));
  }

  private static PMap<Label, TreePSet<GuestId>> plus(
      PMap<Label, TreePSet<GuestId>> map, Label label, GuestId guest) {
    return map.plus(label, map.getOrDefault(label, TreePSet.empty()).plus(guest));
  }

  private static PMap<Label, TreePSet<GuestId>> minus(
      PMap<Label, TreePSet<GuestId>> map, Label label, GuestId guest) {
    var left = map.getOrDefault(label, TreePSet.empty()).minus(guest);
    return left.isEmpty() ? map.minus(label) : map.plus(label, left);
  }

  private static List<Label> sought(GuestSpec guest) {
    return guest.rules().stream()
        .filter(r -> r instanceof Rule.WithGuests w && w.binds())
        .map(r -> (Rule.WithGuests) r)
        .map(r -> new Label(r.label(), r.value()))
        .toList();
  }

  /**
   * All that must be where this guest is, in order: itself, and of the others those that run or are
   * to run. One that is off still joins those beside it, so that stopping one parts no group; but
   * it needs no room, and its own rules do not count.
   */
  SortedSet<GuestId> of(Function<GuestId, Optional<Guest>> guests, GuestSpec guest) {
    var all = new TreeSet<GuestId>();
    all.add(guest.id());
    if (seekers.isEmpty() && sought(guest).isEmpty()) {
      return all;
    }
    var next = new ArrayDeque<GuestSpec>();
    next.add(guest);
    while (!next.isEmpty()) {
      var spec = next.remove();
      for (var label : sought(spec)) {
        join(guests, carriers.getOrDefault(label, TreePSet.empty()), all, next);
      }
      for (var e : spec.labels().entrySet()) {
        var label = new Label(e.getKey(), e.getValue());
        join(guests, seekers.getOrDefault(label, TreePSet.empty()), all, next);
      }
    }
    all.removeIf(id -> !id.equals(guest.id()) && guests.apply(id).filter(Groups::counts).isEmpty());
    return all;
  }

  private static void join(
      Function<GuestId, Optional<Guest>> guests,
      TreePSet<GuestId> found,
      TreeSet<GuestId> all,
      ArrayDeque<GuestSpec> next) {
    for (var id : found) {
      if (all.add(id)) {
        guests.apply(id).map(Guest::spec).ifPresent(next::add);
      }
    }
  }

  /** Whether it runs, or is to run. */
  static boolean counts(Guest guest) {
    return guest.wanted()
        && !(guest.phase() instanceof GuestPhase.Failed)
        && !(guest.phase() instanceof GuestPhase.Stopped);
  }
}
