package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Placement;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Room for guests that fit nowhere: less important ones leave a host, live, for hosts where they
 * fit too; or, where the policy says so, they are stopped and wait.
 */
final class MakingRoom {
  /** Hosts that are looked at, those with the most free memory first. */
  private static final int HOSTS = 16;

  /** Guests of one host that may have to leave. */
  private static final int LEAVING = 16;

  private static final Duration GRACE = Duration.ofSeconds(30);

  private MakingRoom() {}

  /** Guests that stay together, of which all run on one host. */
  private record Leaver(List<Guest> guests, int priority, long memoryMib) {
    List<GuestSpec> specs() {
      return guests.stream().map(Guest::spec).toList();
    }

    Set<GuestId> ids() {
      var ids = new TreeSet<GuestId>();
      guests.forEach(g -> ids.add(g.id()));
      return ids;
    }
  }

  /**
   * Who leaves a host.
   *
   * @param to where they go; those that are stopped have none
   */
  private record Plan(HostId host, Map<Leaver, Optional<HostId>> to) {
    /** Stopping costs more than any migration. */
    long cost() {
      long cost = 0;
      for (var e : to.entrySet()) {
        cost += e.getKey().memoryMib() * (e.getValue().isPresent() ? 1 : 1_000);
      }
      return cost;
    }
  }

  /** The operation that makes room for one of these guests. */
  static Optional<Kind.MakeRoom> under(ClusterState state, Collection<Guest> waiting) {
    for (var op : state.operations()) {
      if (op.running()
          && op.kind() instanceof Kind.MakeRoom k
          && waiting.stream().anyMatch(g -> g.id().equals(k.guest()))) {
        return Optional.of(k);
      }
    }
    return Optional.empty();
  }

  /**
   * Begins to make room for guests that must have one host.
   *
   * @param only that host, if it is given
   * @return why they wait; empty if no room can be made
   */
  static Optional<String> begin(Deliberation d, List<Guest> waiting, Optional<HostId> only) {
    var named = waiting.getFirst().id();
    return failedLately(d, named).isPresent()
        ? Optional.empty()
        : best(d, waiting.stream().map(Guest::spec).toList(), only)
            .map(plan -> carryOut(d, named, plan));
  }

  /** Whether room could be made for a guest that is described so, with those of its group. */
  static boolean couldBeMade(Deliberation d, GuestSpec guest) {
    var specs = new ArrayList<GuestSpec>();
    specs.add(guest);
    var held = new ArrayList<Guest>();
    for (var id : d.state().group(guest)) {
      if (!id.equals(guest.id())) {
        var other = d.guest(id);
        if (other.phase() instanceof Waiting) {
          specs.add(other.spec());
        } else {
          held.add(other);
        }
      }
    }
    var anchor = Candidates.anchor(d.state(), held);
    return (held.isEmpty() || anchor.isPresent()) && best(d, specs, anchor).isPresent();
  }

  private static Optional<Plan> best(Deliberation d, List<GuestSpec> specs, Optional<HostId> only) {
    var policy = d.state().policy().aboutRoom();
    if (policy == Policy.MakeRoom.OFF) {
      return Optional.empty();
    }
    var ids = new TreeSet<GuestId>();
    specs.forEach(g -> ids.add(g.id()));
    int importance = specs.stream().mapToInt(GuestSpec::priority).max().orElse(0);
    var hosts = new TreeMap<HostId, Candidate>();
    Candidates.candidates(d.state(), ids).forEach(c -> hosts.put(c.id(), c));
    var order =
        hosts.values().stream()
            .filter(c -> c.unable().isEmpty())
            .filter(c -> only.isEmpty() || only.get().equals(c.id()))
            .sorted(
                Comparator.comparingLong(Candidate::freeMib)
                    .reversed()
                    .thenComparing(Candidate::id))
            .limit(HOSTS)
            .toList();
    @Nullable Plan best = null;
    for (var host : order) {
      var plan = plan(d, specs, importance, host, hosts, policy);
      if (plan != null && (best == null || plan.cost() < best.cost())) {
        best = plan;
      }
    }
    return Optional.ofNullable(best);
  }

  /** Whether room was made for it in vain lately. */
  static Optional<Retries.Held> failedLately(Deliberation d, GuestId guest) {
    return Retries.of(d, o -> o.kind() instanceof Kind.MakeRoom k && k.guest().equals(guest));
  }

  private static @Nullable Plan plan(
      Deliberation d,
      List<GuestSpec> specs,
      int importance,
      Candidate host,
      TreeMap<HostId, Candidate> hosts,
      Policy.MakeRoom policy) {
    var leavers = leavers(d, host.id(), importance);
    var all = new TreeSet<GuestId>();
    leavers.forEach(l -> all.addAll(l.ids()));
    if (leavers.isEmpty() || !Placement.fits(specs, host.without(all), hosts.values())) {
      return null;
    }
    var others = new TreeMap<>(hosts);
    var plan = new LinkedHashMap<Leaver, Optional<HostId>>();
    var gone = new TreeSet<GuestId>();
    for (var leaver : leavers) {
      if (Placement.fits(specs, host.without(gone), hosts.values())) {
        break;
      }
      var to =
          Placement.best(
              leaver.specs(),
              others.values().stream().filter(c -> !c.id().equals(host.id())).toList(),
              others.values(),
              Optional.empty(),
              Set.of());
      if (to.isEmpty() && policy != Policy.MakeRoom.STOP) {
        continue;
      }
      to.ifPresent(h -> others.computeIfPresent(h, (_, c) -> c.with(leaver.specs())));
      plan.put(leaver, to);
      gone.addAll(leaver.ids());
    }
    if (!Placement.fits(specs, host.without(gone), hosts.values())) {
      return null;
    }
    // the most important that need not leave after all stay
    var kept = new ArrayList<>(plan.keySet());
    java.util.Collections.reverse(kept);
    for (var leaver : kept) {
      var without = new TreeSet<>(gone);
      without.removeAll(leaver.ids());
      if (Placement.fits(specs, host.without(without), hosts.values())) {
        plan.remove(leaver);
        gone.removeAll(leaver.ids());
      }
    }
    return new Plan(host.id(), plan);
  }

  /** Those that may leave a host, the least important first. */
  private static List<Leaver> leavers(Deliberation d, HostId host, int importance) {
    var all = new ArrayList<Leaver>();
    var seen = new TreeSet<GuestId>();
    for (var id : d.state().load(host).guests()) {
      if (!seen.add(id)) {
        continue;
      }
      var group = d.state().group(d.guest(id).spec());
      seen.addAll(group);
      var guests = group.stream().map(d::guest).toList();
      int priority = guests.stream().mapToInt(g -> g.spec().priority()).max().orElse(0);
      if (priority < importance
          && GroupChecks.underWay(d.state(), group).isEmpty()
          && GroupChecks.failedLately(d, group).isEmpty()
          && guests.stream()
              .allMatch(
                  g -> g.wanted() && g.phase() instanceof Running r && r.host().equals(host))) {
        all.add(
            new Leaver(
                guests, priority, guests.stream().mapToLong(g -> g.spec().memoryMib()).sum()));
      }
    }
    all.sort(
        Comparator.comparingInt(Leaver::priority)
            .thenComparing(Comparator.comparingLong(Leaver::memoryMib).reversed())
            .thenComparing(l -> l.guests().getFirst().id()));
    return all.size() > LEAVING ? all.subList(0, LEAVING) : all;
  }

  private static String carryOut(Deliberation d, GuestId named, Plan plan) {
    var leaving = new TreeSet<GuestId>();
    plan.to().keySet().forEach(l -> leaving.addAll(l.ids()));
    var op =
        d.begin(
            new Kind.MakeRoom(named, plan.host(), leaving),
            "placement",
            "guests %s leave host %s".formatted(GroupChecks.names(leaving), plan.host()),
            leaving.size());
    for (var e : plan.to().entrySet()) {
      var guests = e.getKey().guests();
      var why = "it makes room for guest " + named;
      if (e.getValue().isEmpty()) {
        for (var guest : guests) {
          if (guest.phase() instanceof Running from) {
            d.tell(new Fact.GuestStoppedForRoom(guest.id(), from.host(), named));
            GuestLife.relocate(d, guest.id(), from, GRACE);
          }
        }
      } else if (guests.size() > 1) {
        GroupMoves.begin(
            d,
            guests.getFirst().id(),
            guests,
            d.host(e.getValue().get()),
            "placement",
            why,
            Optional.of(op));
      } else if (guests.getFirst().phase() instanceof Running from) {
        Migration.begin(
            d, guests.getFirst(), from, d.host(e.getValue().get()), Optional.of(op), why);
      }
    }
    d.because("room is made for guest %s on host %s".formatted(named, plan.host()));
    return words(leaving, plan.host());
  }

  static String words(SortedSet<GuestId> leaving, HostId host) {
    return "waits until guests %s have left host %s, where it starts then"
        .formatted(GroupChecks.names(leaving), host);
  }

  /** Ends once the guest has its place, or nobody is leaving any more. */
  static void conclude(Deliberation d, Operation op, Kind.MakeRoom k) {
    var guest = d.state().guest(k.guest());
    if (guest.isEmpty() || !guest.get().wanted()) {
      d.end(op, Operation.State.CANCELLED, "the room is no longer needed");
      return;
    }
    if (!(guest.get().phase() instanceof Waiting)) {
      var at = guest.get().host();
      d.end(
          op,
          at.equals(Optional.of(k.host())) ? Operation.State.DONE : Operation.State.CANCELLED,
          at.map(h -> "guest %s starts on host %s".formatted(k.guest(), h))
              .orElse("the room is no longer needed"));
      return;
    }
    var there =
        k.leaving().stream().filter(id -> d.state().load(k.host()).guests().contains(id)).toList();
    boolean leaving =
        there.stream()
            .anyMatch(
                id ->
                    d.guest(id).phase() instanceof Migrating
                        || !(d.guest(id).phase() instanceof Running));
    var waiting =
        d.state().group(guest.get().spec()).stream()
            .filter(g -> d.guest(g).phase() instanceof Waiting)
            .collect(Collectors.toSet());
    var specs = waiting.stream().sorted().map(g -> d.guest(g).spec()).toList();
    var hosts = Candidates.candidates(d.state(), waiting);
    boolean fits =
        hosts.stream().anyMatch(c -> c.id().equals(k.host()) && Placement.fits(specs, c, hosts));
    if (leaving || fits) {
      d.progress(
          op,
          k.leaving().size() - there.size(),
          "%d of %d guests have left host %s"
              .formatted(k.leaving().size() - there.size(), k.leaving().size(), k.host()));
    } else {
      d.end(
          op,
          Operation.State.FAILED,
          "guest %s does not fit on host %s after all".formatted(k.guest(), k.host()));
    }
  }

  static Reply cancel(Deliberation d, Operation op, Kind.MakeRoom k) {
    GroupMoves.cancelGroups(d, op.id());
    for (var g : k.leaving()) {
      if (d.state().guest(g).isPresent()) {
        Migration.abort(d, g);
      }
    }
    return Replies.cancelled(d, op);
  }
}
