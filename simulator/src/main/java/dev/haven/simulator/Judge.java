package dev.haven.simulator;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Guest;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Host;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.Rule;
import dev.haven.model.RuleText;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/**
 * What must hold of orders, leases and people's wishes, by the judge's own records: what was ever
 * delivered to a host, and what a leader counts against what the hosts really hold.
 */
final class Judge {
  private final World world;
  private final Map<HostId, Long> terms = new HashMap<>();
  private final Map<ProcessId, Long> leased = new HashMap<>();
  private final Map<HostId, Map<Exclusive, Epoch>> epochs = new HashMap<>();

  /** Since when each host is relied on without a break. */
  private final Map<HostId, Long> relied = new HashMap<>();

  /** Guests that somebody asked to stop, or that were ended from inside or by hand. */
  private final TreeSet<GuestId> mayStop = new TreeSet<>();

  Judge(World world) {
    this.world = world;
  }

  /** An order of this term has come to a host. */
  void met(SimHost host, long term) {
    terms.merge(host.id, term, Math::max);
  }

  /**
   * A host is about to do what it was ordered to do, unless it refuses it.
   *
   * @param before the epoch that it had obeyed by then
   * @param counts whether its epoch is a new one; else it is only asked about what was
   */
  record Look(SimHost host, Order order, Epoch epoch, Epoch before, boolean counts) {}

  Look begins(SimHost host, long term, Order order) {
    if (term < terms.getOrDefault(host.id, term)) {
      world.violation(
          "host %s obeys %s of term %d after one of term %d"
              .formatted(host.id, order, term, terms.get(host.id)));
    }
    var before = epochs.getOrDefault(host.id, Map.of()).getOrDefault(order.exclusive(), Epoch.NONE);
    return switch (order) {
      case Order.StartGuest o -> new Look(host, o, o.epoch(), before, true);
      case Order.ResumeGuest o -> new Look(host, o, o.epoch(), before, true);
      case Order.AbortMigration o -> new Look(host, o, o.epoch(), before, true);
      case Order.StopGuest o -> new Look(host, o, o.epoch(), before, true);
      case Order.ForgetGuest o -> new Look(host, o, o.epoch(), before, true);
      case Order.MigrateOut o ->
          host.book.moved(o.guest(), o.epoch(), o.targetEpoch())
              ? new Look(host, o, before, before, false)
              : new Look(host, o, o.epoch(), before, true);
      case Order.ConfirmGone o -> new Look(host, o, o.refuse(), before, false);
      case Order.Precheck o -> new Look(host, o, before, before, false);
      case Order.PauseGuest o -> new Look(host, o, before, before, false);
    };
  }

  void obeyed(Look look, Answer answer) {
    if (answer instanceof Answer.Refused || answer instanceof Answer.NotNoted) {
      return;
    }
    if (look.epoch().compareTo(look.before()) < 0) {
      world.violation(
          "host %s obeys %s of epoch %s after one of epoch %s"
              .formatted(look.host().id, look.order(), look.epoch(), look.before()));
    } else if (look.counts()) {
      epochs
          .computeIfAbsent(look.host().id, _ -> new HashMap<>())
          .merge(look.order().exclusive(), look.epoch(), (a, b) -> a.compareTo(b) > 0 ? a : b);
    }
  }

  /** An agent takes a lease from the leader of this term. */
  void takesLease(SimAgent agent, long term) {
    long last = leased.merge(agent.process, term, Math::max);
    if (term < last) {
      world.violation(
          "host %s takes a lease of term %d after one of term %d"
              .formatted(agent.host.id, term, last));
    }
  }

  /** Somebody asks for this guest's end, or it has ended by itself. */
  void mayStop(GuestId guest) {
    mayStop.add(guest);
  }

  void applied(Change change) {
    if (change instanceof Change.GuestPlaced c && !world.person.waits(c.guest())) {
      mayStop.remove(c.guest());
    } else if (change instanceof Change.GuestWanted c
        && !c.wanted()
        && !mayStop.contains(c.guest())) {
      world.violation("guest %s is to stay off, and nobody asked for that".formatted(c.guest()));
    }
  }

  /** A list that counts as unchanged is unchanged: by that, leases are not reckoned again. */
  void lists(ClusterState before, ClusterState after) {
    for (var host : after.hosts()) {
      if (after.leasedAsIn(before, host.id())
          && !after.leased(host.id()).equals(before.leased(host.id()))) {
        world.violation(
            "the leases of host %s name others than before, and nothing of it changed"
                .formatted(host.id()));
      }
    }
  }

  /** No order leaves a strict rule broken. What people edited or did by hand may. */
  void rules(Change change, ClusterState before, ClusterState after) {
    var moved =
        switch (change) {
          case Change.GuestPlaced c -> after.guest(c.guest());
          case Change.MigrationBegun c -> after.guest(c.guest());
          case Change.HolderCleared _,
              Change.HolderRestored _,
              Change.OfGuestItself _,
              Change.OfHost _,
              Change.OfOperation _,
              Change.OfTrust _,
              Change.OfCluster _ ->
              Optional.<Guest>empty();
        };
    if (moved.isEmpty()) {
      return;
    }
    var guest = moved.get();
    var to =
        guest.phase() instanceof GuestPhase.Migrating m
            ? m.target()
            : guest.host().orElse(new HostId("nowhere"));
    on(guest, to, after);
    for (var other : after.guests()) {
      if (!other.id().equals(guest.id()) && other.wanted()) {
        together(guest, to, other, before);
        apart(guest, to, other);
        follows(guest, to, other);
      }
    }
  }

  /** It goes only to a host that each of its own rules allows. */
  private void on(Guest guest, HostId to, ClusterState after) {
    var labels = after.host(to).map(h -> h.spec().labels()).orElse(Map.of());
    for (var rule : guest.spec().rules()) {
      if (rule instanceof Rule.OnHosts r && r.strict()) {
        boolean meant =
            r.hosts().contains(to)
                || (!r.labels().isEmpty() && labels.entrySet().containsAll(r.labels().entrySet()));
        if (meant == r.avoid()) {
          world.violation(
              "guest %s goes to host %s against its rule %s"
                  .formatted(guest.id(), to, RuleText.of(r)));
        }
      }
    }
  }

  private void together(Guest guest, HostId to, Guest other, ClusterState before) {
    if (!(bound(guest, other, false) || bound(other, guest, false))) {
      return;
    }
    boolean parts =
        switch (other.phase()) {
          case GuestPhase.Running p -> !p.host().equals(to) && !parted(before, guest, other);
          case GuestPhase.Starting p -> !p.host().equals(to);
          case GuestPhase.Migrating p -> !p.target().equals(to) && !p.source().equals(to);
          case GuestPhase.Stopping _,
              GuestPhase.Vacating _,
              GuestPhase.Stopped _,
              GuestPhase.Waiting _,
              GuestPhase.Failed _ ->
              false;
        };
    if (parts) {
      world.violation(
          "guest %s goes to host %s, and must stay together with guest %s, which is %s"
              .formatted(guest.id(), to, other.id(), other.phase()));
    }
  }

  /** Wherever the other one may run, also while it leaves, it does not go. */
  private void apart(Guest guest, HostId to, Guest other) {
    if ((bound(guest, other, true) || bound(other, guest, true)) && at(other, to)) {
      world.violation(
          "guest %s goes to host %s, and must stay apart from guest %s, which is %s"
              .formatted(guest.id(), to, other.id(), other.phase()));
    }
  }

  private void follows(Guest guest, HostId to, Guest other) {
    boolean follows =
        guest.spec().rules().stream()
            .anyMatch(
                r -> r instanceof Rule.Follows f && f.strict() && f.guest().equals(other.id()));
    boolean onItsWay = other.phase() instanceof GuestPhase.Migrating m && m.target().equals(to);
    if (follows && other.host().isPresent() && !at(other, to) && !onItsWay) {
      world.violation(
          "guest %s goes to host %s, and follows guest %s, which is %s"
              .formatted(guest.id(), to, other.id(), other.phase()));
    }
  }

  /** Whether it may run there, also while it leaves or arrives. */
  private static boolean at(Guest guest, HostId host) {
    return guest.holders().containsKey(host);
  }

  private static boolean bound(Guest one, Guest other, boolean apart) {
    return one.spec().rules().stream()
        .anyMatch(
            r ->
                r instanceof Rule.WithGuests w
                    && w.strict()
                    && w.apart() == apart
                    && w.value().equals(other.spec().labels().get(w.label())));
  }

  /**
   * Whether they were on different hosts already: then either way mends nothing and breaks none.
   */
  private static boolean parted(ClusterState before, Guest one, Guest other) {
    var here = before.guest(one.id()).flatMap(Guest::host);
    return here.isPresent() && !here.equals(before.guest(other.id()).flatMap(Guest::host));
  }

  /** What the leader counts as over is over, on every host that it relies on. */
  void check() {
    var leading = world.leader().map(v -> v.leading).orElse(null);
    if (leading == null) {
      return;
    }
    long now = world.clock.nanos();
    for (var host : world.hosts.values()) {
      if (!host.machine.power) {
        continue;
      }
      long left = leading.leaseLeft(host.id).toNanos();
      var agent = host.agent;
      if (agent != null) {
        agent
            .table
            .held()
            .forEach(
                (guest, held) -> {
                  if (held.until() - now > left) {
                    world.violation(
                        "host %s holds a lease of guest %s for %d ms more, but its leader counts %d"
                            .formatted(
                                host.id,
                                guest,
                                (held.until() - now) / 1_000_000,
                                left / 1_000_000));
                  }
                });
      }
      var bound =
          world
              .committed
              .host(host.id)
              .filter(h -> h.boot().equals(Optional.of(host.boot())))
              .flatMap(Host::guard)
              .flatMap((Guard g) -> g.bound(host.id, host.boot()));
      if (bound.isEmpty()) {
        relied.remove(host.id);
        continue;
      }
      // one that has just said that it enforces its leases has as long as after its last one
      long since = relied.computeIfAbsent(host.id, _ -> now);
      if (Math.min(now - since, leading.sinceGrant(host.id)) >= bound.get().toNanos()) {
        nothingRuns(host);
      }
    }
  }

  private void nothingRuns(SimHost host) {
    for (var guest : host.strays) {
      world.violation(
          "host %s has had no lease for longer than its bound, and a process there runs guest %s"
              .formatted(host.id, guest));
    }
    host.domains.forEach(
        (guest, domain) -> {
          if (world.mayWrite(guest, domain)) {
            world.violation(
                "host %s has had no lease for longer than its bound, and has guest %s %s"
                    .formatted(host.id, guest, domain.state));
          }
        });
  }
}
