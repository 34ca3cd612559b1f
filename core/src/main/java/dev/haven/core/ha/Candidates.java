package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** The hosts as placement sees them. */
final class Candidates {
  private Candidates() {}

  /**
   * The one host where guests are, or to which they are all on their way; empty if they are parted.
   */
  static Optional<HostId> anchor(ClusterState state, Collection<Guest> guests) {
    var hosts = new TreeSet<HostId>();
    for (var guest : guests) {
      if (guest.phase() instanceof Migrating m) {
        boolean back =
            GroupChecks.of(state, m)
                .filter(o -> o.kind() instanceof Kind.MoveGroup k && k.failure().isPresent())
                .isPresent();
        hosts.add(back && m.step() == GuestPhase.Step.CHECKING ? m.source() : m.target());
      } else {
        guest.host().ifPresent(hosts::add);
      }
    }
    return hosts.size() == 1 ? Optional.of(hosts.getFirst()) : Optional.empty();
  }

  /** The hosts where their group can be joined: any, empty, if nobody of it runs. */
  static Optional<Set<HostId>> beside(ClusterState state, Collection<Guest> held) {
    return held.isEmpty()
        ? Optional.empty()
        : Optional.of(anchor(state, held).map(Set::of).orElse(Set.of()));
  }

  /** All hosts as placement sees them, for a guest that is left out of account. */
  static List<Candidate> candidates(ClusterState state, GuestId without) {
    return candidates(state, Set.of(without));
  }

  /**
   * The same for several. Room that is kept for others counts as taken: for those that wait to
   * start where the rest of their group is.
   */
  static List<Candidate> candidates(ClusterState state, Set<GuestId> without) {
    var candidates = new ArrayList<Candidate>(state.hosts().size());
    var places = new HashMap<HostId, Set<GuestId>>();
    for (var id : without) {
      for (var host : state.guest(id).map(GuestTable::places).orElse(Set.of())) {
        places.computeIfAbsent(host, _ -> new TreeSet<>()).add(id);
      }
    }
    var kept = kept(state, without);
    for (var host : state.hosts()) {
      var candidate = candidate(state, host, places.getOrDefault(host.id(), Set.of()));
      for (var unit : kept.getOrDefault(host.id(), List.of())) {
        var with = candidate.with(unit);
        candidate = with.freeMib() < 0 ? candidate : with;
      }
      candidates.add(candidate);
    }
    return candidates;
  }

  /** Guests that wait while the others of their group run on one host, or move to it. */
  private static Map<HostId, List<List<GuestSpec>>> kept(ClusterState state, Set<GuestId> without) {
    var kept = new HashMap<HostId, List<List<GuestSpec>>>();
    if (!state.grouped()) {
      return kept;
    }
    var seen = new TreeSet<>(without);
    for (var id : state.unsettled()) {
      var guest = state.guest(id).orElseThrow();
      if (!(guest.phase() instanceof Waiting) || !guest.wanted() || seen.contains(id)) {
        continue;
      }
      var group = state.group(guest.spec());
      seen.addAll(group);
      var members = group.stream().flatMap(g -> state.guest(g).stream()).toList();
      var held = members.stream().filter(g -> !(g.phase() instanceof Waiting)).toList();
      anchor(state, held)
          .ifPresent(
              host ->
                  kept.computeIfAbsent(host, _ -> new ArrayList<>())
                      .add(
                          members.stream()
                              .filter(g -> g.phase() instanceof Waiting)
                              .map(Guest::spec)
                              .toList()));
    }
    return kept;
  }

  /**
   * @param without guests of this host to be left out of account
   */
  static Candidate candidate(ClusterState state, Host host, Set<GuestId> without) {
    var load = state.load(host.id());
    long reserved = load.reservedMib();
    int vcpus = load.vcpus();
    for (var id : without) {
      var spec = state.guest(id).orElseThrow().spec();
      reserved -= Candidate.reservedMib(spec);
      vcpus -= spec.vcpus();
    }
    var unable =
        switch (host.state()) {
          case HostState.Online _ ->
              host.shutdown().isPresent() ? "is going down" : host.cordoned() ? "is cordoned" : "";
          case HostState.Expected _ -> "its agent has not joined yet";
          case HostState.Suspect _ -> "is silent";
          case HostState.Fencing _ -> "is being fenced";
          case HostState.Fenced _ -> "is fenced";
        };
    return new Candidate(
        host.spec(),
        host.capacity(),
        unable,
        reserved,
        vcpus,
        load.ruled() > 0,
        () ->
            load.guests().stream()
                .filter(g -> !without.contains(g))
                .map(g -> state.guest(g).orElseThrow().spec())
                .toList());
  }

  /**
   * Those members of a group that need room where it moves: all of them; or, where no host has
   * that, only those that run, if the others cannot start where it is either.
   *
   * @param hosts without the group
   */
  static List<GuestSpec> needing(ClusterState state, List<Guest> members, List<Candidate> hosts) {
    var all = members.stream().map(Guest::spec).toList();
    var held = members.stream().filter(g -> !(g.phase() instanceof Waiting)).toList();
    var anchor = anchor(state, held);
    if (held.size() == members.size()
        || anchor.isEmpty()
        || Placement.best(all, hosts, Optional.empty(), Set.of()).isPresent()) {
      return all;
    }
    var waiting = members.stream().filter(g -> g.phase() instanceof Waiting).toList();
    var now = candidates(state, waiting.stream().map(Guest::id).collect(Collectors.toSet()));
    boolean start =
        now.stream()
            .anyMatch(
                c ->
                    c.id().equals(anchor.get())
                        && waiting.stream()
                            .anyMatch(g -> Placement.fits(List.of(g.spec()), c, now)));
    return start ? all : held.stream().map(Guest::spec).toList();
  }

  /** Runs on a host that is online, or waits for a place: what a whole group can be moved with. */
  static boolean settled(Deliberation d, Guest guest) {
    return switch (guest.phase()) {
      case Running r -> d.host(r.host()).online();
      case Waiting _ -> true;
      case Starting _, Stopping _, Vacating _, Migrating _, Stopped _, Failed _ -> false;
    };
  }

  static List<Guest> running(List<Guest> guests) {
    return guests.stream().filter(g -> g.phase() instanceof Running).toList();
  }
}
