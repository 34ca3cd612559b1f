package dev.haven.core.ha;

import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Packing;
import dev.haven.core.placement.Placement;
import dev.haven.core.placement.Verdict;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Why a guest is where it is and where else it could go. */
public final class Explanations {
  /** In larger clusters the search would take too long for each host; they have other room. */
  private static final int SEARCHED_HOSTS = 64;

  private Explanations() {}

  /**
   * Every host, best first, as placement would judge it now for this guest and all that must stay
   * with it; empty if there is no such guest.
   */
  public static Optional<List<Verdict>> explain(ClusterState state, GuestId id) {
    return state
        .guest(id)
        .map(
            g -> {
              var group = state.group(g.spec());
              var specs = new ArrayList<GuestSpec>();
              specs.add(g.spec());
              group.stream()
                  .filter(other -> !other.equals(id))
                  .flatMap(other -> state.guest(other).stream())
                  .forEach(other -> specs.add(other.spec()));
              return Placement.rank(
                  specs, Candidates.candidates(state, group), g.host(), g.shunned());
            });
  }

  /** With whom a guest must stay together, in words; empty if with nobody. */
  public static String together(ClusterState state, GuestId id) {
    var others = new TreeSet<GuestId>();
    state.guest(id).ifPresent(g -> others.addAll(state.group(g.spec())));
    others.remove(id);
    return others.isEmpty() ? "" : "it stays together with " + GroupChecks.names(others);
  }

  /**
   * What another failure would cost: a sentence for each host whose loss would leave guests without
   * a place, and for each reason why a loss could not be handled at all. Empty when the cluster is
   * truly redundant.
   */
  public static List<String> redundancy(ClusterState state) {
    var lines = new ArrayList<String>();
    var online = state.hosts().stream().filter(Host::online).toList();
    if (online.size() < 2) {
      lines.add(
          online.isEmpty()
              ? "no host is online"
              : "only host %s is online: nothing can fail over".formatted(online.getFirst().id()));
      return lines;
    }
    var all =
        state.hosts().stream()
            .map(h -> Candidates.candidate(state, h, Set.of()))
            .toArray(Candidate[]::new);
    var places = new HashMap<HostId, Integer>();
    for (int i = 0; i < all.length; i++) {
      places.put(all[i].id(), i);
    }
    for (var host : online) {
      if (!state.load(host.id()).guests().isEmpty()) {
        noWayBack(state, host).ifPresent(lines::add);
      }
      var homeless = homeless(state, host, all, places);
      if (homeless > 0) {
        lines.add(
            "if host %s dies, %d of its %d guests fit nowhere else"
                .formatted(host.id(), homeless, state.load(host.id()).guests().size()));
      }
    }
    return lines;
  }

  /**
   * Why nothing would bring the guests of this host back by itself if it died: a level of devices
   * that switch power and whose word counts does, and so does a watchdog that was tested.
   */
  private static Optional<String> noWayBack(ClusterState state, Host host) {
    boolean bound =
        host.boot()
            .flatMap(boot -> host.guard().flatMap(g -> g.bound(host.id(), boot)))
            .isPresent();
    var levels = host.spec().fencing();
    if (bound
        || levels.stream()
            .anyMatch(level -> level.stream().allMatch(d -> counts(state, host, d)))) {
      return Optional.empty();
    }
    if (levels.isEmpty()) {
      return Optional.of(
          "host %s has no fencing device: if it dies, its guests wait for an operator"
              .formatted(host.id()));
    }
    boolean person = levels.stream().flatMap(List::stream).allMatch(d -> d.kind().equals("manual"));
    return Optional.of(
        person
            ? "host %s is fenced by a person alone: if it dies, its guests wait for an operator"
                .formatted(host.id())
            : "host %s has no fencing device whose word counts (see haven host show %s): if it dies, its guests wait for an operator"
                .formatted(host.id(), host.id()));
  }

  private static boolean counts(ClusterState state, Host host, FencingDevice device) {
    if (device.kind().equals("manual")) {
      return false;
    }
    if (device.kind().equals("sbd")) {
      return state.alarm("pill-" + host.id()).isEmpty();
    }
    return state
        .alarm("device-" + host.id() + "-" + device.name())
        .filter(a -> a.level() == Alarm.Level.CRITICAL || a.kind() == Alarm.Kind.DEVICE_UNPROVEN)
        .isEmpty();
  }

  /** How many guests of a host would fit nowhere else, the others taking theirs one by one. */
  private static long homeless(
      ClusterState state, Host lost, Candidate[] all, Map<HostId, Integer> places) {
    var left = all.clone();
    int gone = Objects.requireNonNull(places.get(lost.id()));
    left[gone] =
        new Candidate(lost.spec(), lost.capacity(), "is lost", 0, 0, false, () -> List.of());
    if (!state.grouped()) {
      var alone =
          state.load(lost.id()).guests().stream()
              .map(id -> state.guest(id).orElseThrow())
              .filter(g -> g.wanted() && g.phase() instanceof GuestPhase.Running)
              .map(Guest::spec)
              .toList();
      if (Placement.roomForEach(alone, left)) {
        return 0;
      }
    }
    long homeless = 0;
    var seen = new TreeSet<GuestId>();
    var units = new ArrayList<Packing.Wish>();
    for (var id : state.load(lost.id()).guests()) {
      var guest = state.guest(id).orElseThrow();
      if (!guest.wanted() || !(guest.phase() instanceof GuestPhase.Running) || !seen.add(id)) {
        continue;
      }
      var group = state.group(guest.spec());
      seen.addAll(group);
      var unit = unit(state, lost.id(), group, guest);
      units.add(unit);
      var allowed =
          unit.hosts()
              .map(hosts -> Arrays.stream(left).filter(c -> hosts.contains(c.id())).toList())
              .orElseGet(() -> Arrays.asList(left));
      var best =
          Placement.best(unit.guests(), allowed, Arrays.asList(left), Optional.empty(), Set.of());
      if (best.isEmpty()) {
        homeless += elsewhere(state, lost.id(), group, left) ? 0 : unit.guests().size();
      } else {
        int to = Objects.requireNonNull(places.get(best.get()));
        left[to] = left[to].with(unit.guests());
      }
    }
    if (homeless > 0 && all.length <= SEARCHED_HOSTS) {
      var again = all.clone();
      again[gone] = left[gone];
      homeless = Math.min(homeless, homelessAtOnce(units, again));
    }
    return homeless;
  }

  /** One after the other they found no room; all at once they may. */
  private static long homelessAtOnce(List<Packing.Wish> units, Candidate[] hosts) {
    var found = Packing.place(units, Arrays.asList(hosts));
    return IntStream.range(0, units.size())
        .filter(i -> found.get(i).isEmpty())
        .mapToLong(i -> units.get(i).guests().size())
        .sum();
  }

  /** Those of a group that a host's loss would stop, and where they could start. */
  private static Packing.Wish unit(
      ClusterState state, HostId lost, Set<GuestId> group, Guest guest) {
    if (group.size() == 1) {
      return new Packing.Wish(List.of(guest.spec()), Optional.empty(), Optional.empty());
    }
    var stopped = new ArrayList<GuestSpec>();
    var held = new ArrayList<Guest>();
    for (var id : group) {
      var member = state.guest(id).orElseThrow();
      if (member.host().equals(Optional.of(lost))) {
        stopped.add(member.spec());
      } else if (member.host().isPresent()) {
        held.add(member);
      }
    }
    return new Packing.Wish(stopped, Candidates.beside(state, held), Optional.empty());
  }

  /** Whether a group that lost some of its members would fit on another host altogether. */
  private static boolean elsewhere(
      ClusterState state, HostId lost, Set<GuestId> group, Candidate[] left) {
    var members = group.stream().flatMap(id -> state.guest(id).stream()).toList();
    if (members.stream().allMatch(g -> g.host().equals(Optional.of(lost)))) {
      return false; // that was looked at
    }
    var without = Arrays.stream(left).map(c -> c.without(group)).toList();
    return Placement.best(
            members.stream().map(Guest::spec).toList(),
            without,
            without,
            Optional.empty(),
            Set.of())
        .isPresent();
  }
}
