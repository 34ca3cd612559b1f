package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.Rule;
import dev.haven.model.api.Alarm;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Strict rules that are broken while their guests run: by an edit, a new label, a migration by
 * hand. Each is an alarm; where the policy says so it is mended by a live migration, one at a time
 * while nothing else is under way. Guests that follow another one are sent after it the same way.
 */
final class BrokenRules {
  /** Who asks for the operations, as the audit log and {@code haven op list} show it. */
  static final String BY = "rules";

  private BrokenRules() {}

  /**
   * A strict rule that does not hold.
   *
   * @param movable guests one of whose groups has to move, in the order to be tried
   */
  private record Broken(GuestId guest, String why, List<GuestId> movable) {}

  /** Guests that can move together to a host. */
  private record Way(List<Guest> guests, HostId to) {
    /** The one to be named in a command: some may be there already. */
    GuestId first() {
      return guests.stream()
          .filter(g -> !g.host().equals(Optional.of(to)))
          .findFirst()
          .orElse(guests.getFirst())
          .id();
    }
  }

  /** Looks at all guests with rules; at every tick. */
  static void watch(Deliberation d) {
    var broken = new TreeMap<GuestId, Broken>();
    var followers = new ArrayList<Guest>();
    for (var host : d.state().ruled() ? d.state().hosts() : List.<Host>of()) {
      if (d.state().load(host.id()).ruled() == 0) {
        continue;
      }
      for (var id : d.state().load(host.id()).guests()) {
        var guest = d.guest(id);
        if (!guest.spec().rules().isEmpty()
            && guest.wanted()
            && guest.phase() instanceof Running at
            && at.host().equals(host.id())) {
          if (d.state().policy().aboutBrokenRules() != Policy.BrokenRules.OFF) {
            of(d.state(), guest, host).ifPresent(b -> broken.put(id, b));
          }
          if (strays(d.state(), guest, host.id())) {
            followers.add(guest);
            if (d.state().policy().aboutBrokenRules() != Policy.BrokenRules.OFF) {
              left(d, guest, host.id()).ifPresent(b -> broken.putIfAbsent(id, b));
            }
          }
        }
      }
    }
    for (var alarm : List.copyOf(d.state().alarms())) {
      if (alarm.kind() == Alarm.Kind.RULE_BROKEN && over(d.state(), alarm, broken.keySet())) {
        d.clearAlarm(alarm.id());
      }
    }
    for (var b : broken.values()) {
      alarm(d, b);
    }
    if (d.state().ruled() && !Failbacks.busy(d.state())) {
      mend(d, broken.values().stream().toList(), followers);
    }
  }

  /** While its guest moves or restarts nothing can be said: the alarm stays as it is. */
  private static boolean over(ClusterState state, Alarm alarm, Set<GuestId> broken) {
    var id = new GuestId(alarm.subject());
    var guest = state.guest(id);
    return !broken.contains(id)
        && guest
            .filter(Guest::wanted)
            .filter(g -> !(g.phase() instanceof Running))
            .filter(Groups::counts)
            .isEmpty();
  }

  /** The first strict rule of a running guest that does not hold, in words. */
  static Optional<String> why(ClusterState state, GuestId id) {
    return state
        .guest(id)
        .filter(g -> g.wanted() && g.phase() instanceof Running)
        .flatMap(g -> of(state, g, state.host(g.host().orElseThrow()).orElseThrow()))
        .map(Broken::why);
  }

  private static Optional<Broken> of(ClusterState state, Guest guest, Host host) {
    var id = guest.id();
    for (var rule : guest.spec().rules()) {
      if (!rule.strict()) {
        continue;
      }
      switch (rule) {
        case Rule.OnHosts r -> {
          if (!Placement.kept(r, host.spec())) {
            return Optional.of(
                new Broken(
                    id,
                    "guest %s runs on host %s against its rule '%s'"
                        .formatted(id, host.id(), Placement.words(r)),
                    List.of(id)));
          }
        }
        case Rule.WithGuests r -> {
          if (r.apart()) {
            for (var other : state.load(host.id()).guests()) {
              if (!other.equals(id)
                  && state.guest(other).filter(g -> runs(g) && has(g, r)).isPresent()) {
                return Optional.of(
                    new Broken(
                        id,
                        "guests %s and %s run on host %s, though %s stays apart from %s=%s"
                            .formatted(id, other, host.id(), id, r.label(), r.value()),
                        List.of(id, other)));
              }
            }
          } else {
            for (var other : state.group(guest.spec())) {
              var g = state.guest(other).orElseThrow();
              if (has(g, r) && g.phase() instanceof Running at && !at.host().equals(host.id())) {
                return Optional.of(
                    new Broken(
                        id,
                        "guest %s runs on host %s and guest %s on host %s, though they stay together (%s=%s)"
                            .formatted(id, host.id(), other, at.host(), r.label(), r.value()),
                        List.of(id)));
              }
            }
          }
        }
        case Rule.Follows _, // it moves after that guest by itself
            Rule.After _,
            Rule.Failback _,
            Rule.Partial _ -> {}
      }
    }
    return Optional.empty();
  }

  private static boolean runs(Guest guest) {
    return guest.wanted() && guest.phase() instanceof Running;
  }

  private static boolean has(Guest guest, Rule.WithGuests rule) {
    return rule.value().equals(guest.spec().labels().get(rule.label()));
  }

  /** Whether the guest that it follows runs elsewhere. */
  private static boolean strays(ClusterState state, Guest guest, HostId at) {
    return guest.spec().rules().stream()
        .anyMatch(
            r ->
                r instanceof Rule.Follows f
                    && state
                        .guest(f.guest())
                        .filter(l -> runs(l) && !l.host().equals(Optional.of(at)))
                        .isPresent());
  }

  /**
   * A guest that must be where another one is, and cannot get there. One that can moves by itself,
   * which is no trouble.
   */
  private static Optional<Broken> left(Deliberation d, Guest guest, HostId at) {
    for (var rule : guest.spec().rules()) {
      if (rule instanceof Rule.Follows f && f.strict()) {
        var to = d.state().guest(f.guest()).filter(BrokenRules::runs).flatMap(Guest::host);
        if (to.isPresent() && !to.get().equals(at)) {
          var way = way(d, d.state().group(guest.spec()), guest.id(), to);
          var held = way.flatMap(w -> failedLately(d, w.guests()));
          if (way.isEmpty() || held.isPresent()) {
            return Optional.of(
                new Broken(
                    guest.id(),
                    "guest %s runs on host %s, and follows guest %s, which runs on host %s%s"
                        .formatted(
                            guest.id(),
                            at,
                            f.guest(),
                            to.get(),
                            held.map(h -> "; " + h.words()).orElse("")),
                    List.of(guest.id())));
          }
        }
      }
    }
    return Optional.empty();
  }

  private static void alarm(Deliberation d, Broken b) {
    var way = b.movable().stream().flatMap(g -> way(d, g).stream()).findFirst();
    d.alarm(
        "rules-" + b.guest(),
        Alarm.Kind.RULE_BROKEN,
        Alarm.Level.WARNING,
        b.guest(),
        b.why()
            + way.map(
                    w ->
                        "; to mend it: haven migrate %s --to %s%s"
                                .formatted(
                                    w.first(), w.to(), w.guests().size() > 1 ? " --with-group" : "")
                            + (d.state().policy().aboutBrokenRules() == Policy.BrokenRules.MEND
                                ? failedLately(d, w.guests())
                                    .map(held -> "; " + held.words())
                                    .orElse("")
                                : ""))
                .orElse(
                    "; no host can take %s as things are: see haven explain %s"
                        .formatted(b.movable().getFirst(), b.movable().getFirst())));
  }

  /** Where a guest's group could go, so that its rules hold; empty if nowhere, or it is there. */
  private static Optional<Way> way(Deliberation d, GuestId id) {
    return way(d, d.state().group(d.guest(id).spec()), id, Optional.empty());
  }

  private static Optional<Way> way(
      Deliberation d, SortedSet<GuestId> group, GuestId named, Optional<HostId> only) {
    var members = new ArrayList<>(group.stream().map(d::guest).toList());
    members.sort(Comparator.comparing((Guest g) -> !g.id().equals(named)).thenComparing(Guest::id));
    if (!members.stream().allMatch(g -> Candidates.settled(d, g))) {
      return Optional.empty();
    }
    var candidates = Candidates.candidates(d.state(), group);
    var specs = Candidates.needing(d.state(), members, candidates);
    var shunned = new TreeSet<HostId>();
    members.forEach(g -> shunned.addAll(g.shunned()));
    var running = Candidates.running(members);
    return Placement.best(
            specs,
            candidates.stream()
                .filter(c -> !shunned.contains(c.id()))
                .filter(c -> only.isEmpty() || only.get().equals(c.id()))
                .toList(),
            candidates,
            mostOf(running),
            Set.of())
        .filter(to -> running.stream().anyMatch(g -> !g.host().equals(Optional.of(to))))
        .map(to -> new Way(running, to));
  }

  /** The host that runs the most of these guests. */
  static Optional<HostId> mostOf(List<Guest> guests) {
    var counts = new TreeMap<HostId, Integer>();
    guests.forEach(g -> g.host().ifPresent(h -> counts.merge(h, 1, Integer::sum)));
    return counts.entrySet().stream()
        .max(
            Map.Entry.<HostId, Integer>comparingByValue()
                .thenComparing(Map.Entry::getKey, Comparator.reverseOrder()))
        .map(Map.Entry::getKey);
  }

  private static void mend(Deliberation d, List<Broken> broken, List<Guest> followers) {
    if (d.state().policy().aboutBrokenRules() == Policy.BrokenRules.MEND) {
      for (var b : broken) {
        for (var id : b.movable()) {
          if (begin(d, id, way(d, id), b.why())) {
            return;
          }
        }
      }
    }
    for (var guest : followers) {
      for (var rule : guest.spec().rules()) {
        if (rule instanceof Rule.Follows f) {
          var leader = d.state().guest(f.guest()).filter(BrokenRules::runs).flatMap(Guest::host);
          if (leader.isPresent()
              && begin(
                  d,
                  guest.id(),
                  way(d, d.state().group(guest.spec()), guest.id(), leader),
                  "it follows guest " + f.guest())) {
            return;
          }
        }
      }
    }
  }

  private static boolean begin(Deliberation d, GuestId id, Optional<Way> way, String why) {
    if (way.isEmpty() || failedLately(d, way.get().guests()).isPresent()) {
      return false;
    }
    var to = d.host(way.get().to());
    if (way.get().guests().size() == 1 && d.guest(id).phase() instanceof Running from) {
      var guest = d.guest(id);
      var op = d.begin(new Kind.MoveGuest(id, from.host(), to.id()), BY, "checking the target", 1);
      Migration.begin(d, guest, from, to, Optional.of(op), why);
    } else {
      GroupMoves.begin(d, id, way.get().guests(), to, BY, why, Optional.empty());
    }
    d.because("guest %s moves to host %s: %s".formatted(id, to.id(), why));
    return true;
  }

  private static Optional<Retries.Held> failedLately(Deliberation d, List<Guest> guests) {
    var ids = guests.stream().map(Guest::id).toList();
    return GroupChecks.failedLately(d, ids)
        .or(
            () ->
                Retries.of(
                    d,
                    o ->
                        o.by().equals(BY)
                            && o.kind() instanceof Kind.MoveGuest k
                            && ids.contains(k.guest())));
  }
}
