package dev.haven.orchestrator.ha;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import dev.haven.orchestrator.ha.GuestPhase.Migrating;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** In which order guests leave a host of which some follow others ({@link Rule.Follows}). */
final class Followers {
  private Followers() {}

  /** The same guests, each after those that it follows, else in the order given. */
  static List<GuestId> last(ClusterState state, Collection<GuestId> guests) {
    if (!state.ruled()) {
      return List.copyOf(guests);
    }
    var order = new ArrayList<GuestId>();
    var seen = new TreeSet<GuestId>();
    for (var id : guests) {
      add(state, id, guests, seen, order);
    }
    return order;
  }

  private static void add(
      ClusterState state,
      GuestId id,
      Collection<GuestId> guests,
      Set<GuestId> seen,
      List<GuestId> order) {
    if (!seen.add(id)) {
      return;
    }
    for (var member : state.group(state.guest(id).orElseThrow().spec())) {
      for (var followed : StartOrder.followed(state.guest(member).orElseThrow().spec())) {
        if (guests.contains(followed)) {
          add(state, followed, guests, seen, order);
        }
      }
    }
    order.add(id);
  }

  /**
   * A guest that one of a group must follow, and that has not left a host yet, or is still on its
   * way: it may come back.
   */
  static Optional<GuestId> waitsFor(ClusterState state, Set<GuestId> group, HostId host) {
    for (var id : group) {
      for (var rule : state.guest(id).orElseThrow().spec().rules()) {
        if (rule instanceof Rule.Follows f && f.strict() && !group.contains(f.guest())) {
          var leader = state.guest(f.guest()).filter(Guest::wanted);
          boolean here =
              leader
                  .filter(g -> g.phase() instanceof Migrating || g.host().equals(Optional.of(host)))
                  .isPresent();
          if (here && !reaches(state, f.guest(), group)) {
            return Optional.of(f.guest());
          }
        }
      }
    }
    return Optional.empty();
  }

  /** Whether a guest that is described so would follow itself, if by way of others. */
  static boolean inACircle(ClusterState state, GuestSpec guest) {
    var self = Set.of(guest.id());
    return StartOrder.followed(guest).stream()
        .anyMatch(id -> self.contains(id) || reaches(state, id, self));
  }

  /** Whether a guest, or one of its group, follows one of these, if by way of others. */
  private static boolean reaches(ClusterState state, GuestId from, Set<GuestId> to) {
    var seen = new TreeSet<GuestId>();
    var next = new ArrayDeque<GuestId>();
    next.add(from);
    while (!next.isEmpty()) {
      var guest = state.guest(next.remove());
      if (guest.isEmpty() || !seen.add(guest.get().id())) {
        continue;
      }
      for (var member : state.group(guest.get().spec())) {
        for (var followed : StartOrder.followed(state.guest(member).orElseThrow().spec())) {
          if (to.contains(followed)) {
            return true;
          }
          next.add(followed);
        }
      }
    }
    return false;
  }
}
