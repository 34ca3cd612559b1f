package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.placement.Candidate;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** In which order guests leave a host of which some follow others ({@link Rule.Follows}). */
final class Followers {
  private Followers() {}

  /** The same guests, each after those that it follows, else in the order given. */
  static List<GuestId> last(ClusterState state, Collection<GuestId> guests) {
    if (!state.ruled()) {
      return List.copyOf(guests);
    }
    var some = new HashSet<>(guests);
    return ordered(
        guests,
        id ->
            state.group(state.guest(id).orElseThrow().spec()).stream()
                .flatMap(g -> followed(state.guest(g).orElseThrow().spec()).stream())
                .filter(some::contains)
                .toList());
  }

  /**
   * The same, and what they lead to, each after that; of a circle, the one that is met first comes
   * last. A loop, as thousands of guests may follow one another.
   *
   * @param before what comes before one
   */
  static List<GuestId> ordered(
      Collection<GuestId> guests, Function<GuestId, List<GuestId>> before) {
    var order = new ArrayList<GuestId>();
    var seen = new HashSet<GuestId>();
    var path = new ArrayDeque<GuestId>();
    var left = new ArrayDeque<Iterator<GuestId>>(); // of each on the path
    for (var guest : guests) {
      if (seen.add(guest)) {
        path.push(guest);
        left.push(before.apply(guest).iterator());
      }
      while (!path.isEmpty()) {
        if (!left.element().hasNext()) {
          left.pop();
          order.add(path.pop());
          continue;
        }
        var next = left.element().next();
        if (seen.add(next)) {
          path.push(next);
          left.push(before.apply(next).iterator());
        }
      }
    }
    return order;
  }

  /**
   * A guest that one of a group must follow, and that has not left a host yet, or is still on its
   * way: it may come back. Nobody waits for one that comes to its end there, which may take for
   * ever.
   */
  static Optional<GuestId> waitsFor(ClusterState state, Set<GuestId> group, HostId host) {
    for (var id : group) {
      for (var rule : state.guest(id).orElseThrow().spec().rules()) {
        if (rule instanceof Rule.Follows f && f.strict() && !group.contains(f.guest())) {
          var leader = state.guest(f.guest()).filter(Guest::wanted);
          boolean here =
              leader
                  .filter(g -> g.phase() instanceof Migrating || g.host().equals(Optional.of(host)))
                  .filter(g -> !ending(g))
                  .isPresent();
          if (here && !reaches(state, f.guest(), group)) {
            return Optional.of(f.guest());
          }
        }
      }
    }
    return Optional.empty();
  }

  /**
   * The hosts without those guests of one of them that come to an end there: those that follow them
   * may leave, wherever they start again.
   */
  static List<Candidate> without(ClusterState state, HostId host, List<Candidate> hosts) {
    var ending =
        state.load(host).guests().stream()
            .filter(id -> ending(state.guest(id).orElseThrow()))
            .collect(Collectors.toSet());
    return ending.isEmpty()
        ? hosts
        : hosts.stream().map(c -> c.id().equals(host) ? c.without(ending) : c).toList();
  }

  /** Whether it goes no further than where it is: it is to stop, or what is left of it is ended. */
  private static boolean ending(Guest guest) {
    return switch (guest.phase()) {
      case Vacating _ -> true;
      case Running _, Starting _, Stopping _ -> !guest.wanted();
      case Migrating _, Waiting _, Stopped _, Failed _ -> false;
    };
  }

  /** Whether a guest that is described so would follow itself, if by way of others. */
  static boolean inACircle(ClusterState state, GuestSpec guest) {
    var self = Set.of(guest.id());
    return followed(guest).stream().anyMatch(id -> self.contains(id) || reaches(state, id, self));
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
        for (var followed : followed(state.guest(member).orElseThrow().spec())) {
          if (to.contains(followed)) {
            return true;
          }
          next.add(followed);
        }
      }
    }
    return false;
  }

  /** The guests whose host this one follows. */
  static List<GuestId> followed(GuestSpec guest) {
    return guest.rules().stream()
        .flatMap(r -> r instanceof Rule.Follows f ? Stream.of(f.guest()) : Stream.empty())
        .toList();
  }
}
