package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.Rule;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Which guests start after which others ({@link Rule.After}), and stop before them. Says only when;
 * what runs already is left alone, and a migration is no start.
 */
public final class StartOrder {
  private StartOrder() {}

  /** The guests that must run before this one starts, in order. */
  private static TreeSet<GuestId> before(GuestSpec guest) {
    var all = new TreeSet<GuestId>();
    for (var rule : guest.rules()) {
      if (rule instanceof Rule.After a) {
        all.addAll(a.guests());
      }
    }
    return all;
  }

  /**
   * A guest does not start yet.
   *
   * @param why one that comes before it does not run
   * @param forGood whether that one does not start by itself
   */
  record Turn(String why, boolean forGood) {}

  /** Why a guest does not start yet; empty if it may. */
  static Optional<Turn> waitsFor(ClusterState state, Guest guest) {
    for (var id : before(guest.spec())) {
      var first = state.guest(id);
      if (first.isEmpty()) {
        continue; // it was removed, and nobody can wait for it
      }
      var why =
          switch (first.get().phase()) {
            case Running _, Migrating _ -> Optional.<String>empty();
            case GuestPhase.Failed f -> Optional.of("is failed: " + f.why());
            case GuestPhase.Stopped _ -> Optional.of("is stopped: haven guest start " + id);
            case GuestPhase.Waiting w ->
                Optional.of(hasToWait(state, first.get()) ? w.why() : "waits: " + w.why());
            case GuestPhase.Starting _ -> Optional.of("starts");
            case Stopping _, GuestPhase.Vacating _ -> Optional.of("does not run");
          };
      if (why.isPresent()) {
        boolean forGood =
            first.get().phase() instanceof GuestPhase.Stopped
                || first.get().phase() instanceof GuestPhase.Failed;
        return Optional.of(
            new Turn("waits for guest %s, which %s".formatted(id, why.get()), forGood));
      }
    }
    return Optional.empty();
  }

  /** Whether one that comes before it does not run; then it says itself for which it waits. */
  private static boolean hasToWait(ClusterState state, Guest guest) {
    return before(guest.spec()).stream()
        .flatMap(id -> state.guest(id).stream())
        .anyMatch(g -> !(g.phase() instanceof Running || g.phase() instanceof Migrating));
  }

  /** The guests that start before this one, or get their host before it. */
  private static TreeSet<GuestId> ahead(GuestSpec guest) {
    var all = before(guest);
    all.addAll(Followers.followed(guest));
    return all;
  }

  /**
   * How urgent the starts of these guests are: as their priorities say, and as those of the guests
   * that wait for them, or follow them.
   */
  static Map<GuestId, Integer> urgency(Collection<Guest> waiting) {
    var urgency = new HashMap<GuestId, Integer>();
    var specs = new HashMap<GuestId, GuestSpec>();
    for (var guest : waiting) {
      urgency.put(guest.id(), guest.spec().priority());
      specs.put(guest.id(), guest.spec());
    }
    var raised = new ArrayDeque<>(specs.keySet());
    while (!raised.isEmpty()) {
      var id = raised.remove();
      var spec = specs.get(id);
      int own = urgency.getOrDefault(id, 0);
      for (var first : spec == null ? List.<GuestId>of() : ahead(spec)) {
        if (urgency.getOrDefault(first, own) < own) {
          urgency.put(first, own);
          raised.add(first);
        }
      }
    }
    return urgency;
  }

  /** Why this description cannot be taken: it names a guest that there is none, or a circle. */
  public static Optional<String> wrong(ClusterState state, GuestSpec guest) {
    for (var id : before(guest)) {
      if (!id.equals(guest.id()) && state.guest(id).isEmpty()) {
        return Optional.of(
            "guest %s: rule after:%s: there is no guest %s; create that one first"
                .formatted(guest.id(), id, id));
      }
    }
    for (var id : Followers.followed(guest)) {
      if (!id.equals(guest.id()) && state.guest(id).isEmpty()) {
        return Optional.of(
            "guest %s: rule follows:%s: there is no guest %s; create that one first"
                .formatted(guest.id(), id, id));
      }
    }
    if (Followers.inACircle(state, guest)) {
      return Optional.of(
          "guest %s: would follow itself (%s); for guests that need each other: together:LABEL=VALUE"
              .formatted(
                  guest.id(),
                  Followers.followed(guest).stream()
                      .map(id -> "follows:" + id)
                      .collect(Collectors.joining(", "))));
    }
    return circle(state, guest, guest.id(), new ArrayList<>(), new HashSet<>())
        .map(
            way ->
                "guest %s: would wait for itself: %s; take one of these rules away"
                    .formatted(
                        guest.id(),
                        way.stream().map(GuestId::value).collect(Collectors.joining(" after "))));
  }

  /** The way from a guest back to the one that is described, if there is one. */
  private static Optional<List<GuestId>> circle(
      ClusterState state,
      GuestSpec described,
      GuestId at,
      List<GuestId> way,
      HashSet<GuestId> seen) {
    way.add(at);
    var spec =
        at.equals(described.id()) ? Optional.of(described) : state.guest(at).map(Guest::spec);
    for (var next : spec.map(StartOrder::before).orElseGet(TreeSet::new)) {
      if (next.equals(described.id())) {
        way.add(next);
        return Optional.of(way);
      }
      if (seen.add(next)) {
        var found = circle(state, described, next, way, seen);
        if (found.isPresent()) {
          return found;
        }
      }
    }
    way.removeLast();
    return Optional.empty();
  }

  /** A guest that is being stopped and comes after this one: this one stops once it is off. */
  static Optional<GuestId> stopsFirst(ClusterState state, GuestId guest) {
    for (var op : state.operations()) {
      if (op.running() && op.kind() instanceof Operation.Kind.StopGuest k) {
        var other = state.guest(k.guest()).filter(g -> !g.wanted());
        if (other.filter(g -> up(state, g) && before(g.spec()).contains(guest)).isPresent()) {
          return Optional.of(k.guest());
        }
      }
    }
    return Optional.empty();
  }

  /** The same for guests that are relocated together. */
  static Optional<GuestId> leavesFirst(ClusterState state, GuestId guest) {
    for (var op : state.operations()) {
      if (op.running() && op.kind() instanceof Operation.Kind.RelocateGuest k) {
        var other = state.guest(k.guest()).filter(g -> g.host().equals(Optional.of(k.from())));
        if (other.filter(g -> up(state, g) && before(g.spec()).contains(guest)).isPresent()) {
          return Optional.of(k.guest());
        }
      }
    }
    return Optional.empty();
  }

  /** Whether it runs, where it can be told to stop. */
  private static boolean up(ClusterState state, Guest guest) {
    return (guest.phase() instanceof Running || guest.phase() instanceof Stopping)
        && guest.host().flatMap(state::host).filter(Host::online).isPresent();
  }
}
