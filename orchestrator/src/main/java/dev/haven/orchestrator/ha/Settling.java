package dev.haven.orchestrator.ha;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.orchestrator.ha.GuestPhase.Failed;
import dev.haven.orchestrator.ha.GuestPhase.Migrating;
import dev.haven.orchestrator.ha.GuestPhase.Running;
import dev.haven.orchestrator.ha.GuestPhase.Starting;
import dev.haven.orchestrator.ha.GuestPhase.Step;
import dev.haven.orchestrator.ha.GuestPhase.Stopped;
import dev.haven.orchestrator.ha.GuestPhase.Stopping;
import dev.haven.orchestrator.ha.GuestPhase.Vacating;
import dev.haven.orchestrator.ha.GuestPhase.Waiting;
import dev.haven.orchestrator.ha.Operation.Kind;
import dev.haven.orchestrator.placement.Candidate;
import dev.haven.orchestrator.placement.Placement;
import dev.haven.orchestrator.placement.Verdict;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * What can be done now about all that waits. Looks at the state alone, so that any leader comes to
 * the same.
 */
final class Settling {
  /** For a guest that is stopped after a migration, or after another guest. */
  private static final Duration GRACE_LATER = Duration.ofSeconds(30);

  /** No guest is told to wait for longer. */
  private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);

  private Settling() {}

  static void settle(Deliberation d) {
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running()) {
        advance(d, op);
      }
    }
    place(d);
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running()) {
        conclude(d, op);
      }
    }
  }

  /**
   * Gives waiting guests a host, the important ones first, no more at once on a host than it can
   * start.
   */
  private static void place(Deliberation d) {
    var all =
        d.state().unsettled().stream()
            .map(d::guest)
            .filter(g -> g.phase() instanceof Waiting)
            .toList();
    var urgency = StartOrder.urgency(all);
    var waiting =
        all.stream()
            .sorted(
                Comparator.comparingInt((Guest g) -> -urgency.getOrDefault(g.id(), 0))
                    .thenComparing(
                        Comparator.comparingLong((Guest g) -> g.spec().memoryMib()).reversed())
                    .thenComparing(Guest::id))
            .toList();
    var relocated = relocated(d);
    for (var guest : waiting) {
      if (!guest.wanted()) {
        d.phase(guest.id(), new Stopped("stopped by its owner"));
        continue;
      }
      var voided = VoidedProofs.of(d.state(), guest);
      if (voided.isPresent()) {
        VoidedProofs.takeBack(d, guest.id(), voided.get().host(), voided.get().boot());
        continue;
      }
      if (guest.phase() instanceof Waiting w
          && w.notBefore().filter(t -> soon(d.at(), t)).isPresent()) {
        continue;
      }
      var first = StartOrder.waitsFor(d.state(), guest);
      if (first.isPresent()) {
        wait(d, guest, first.get().why());
        if (first.get().forGood()) {
          d.alarm(
              "guest-" + guest.id(),
              Alarm.Level.CRITICAL,
              guest.id(),
              "guest %s %s; to start it without waiting, take that rule away: haven guest edit %s"
                  .formatted(guest.id(), first.get().why(), guest.id()));
        }
        continue;
      }
      var blocked = Disks.blocked(d.state(), guest);
      if (blocked.isPresent()) {
        wait(d, guest, blocked.get());
        d.alarm("guest-" + guest.id(), Alarm.Level.CRITICAL, guest.id(), blocked.get());
        continue;
      }
      place(d, guest, Optional.ofNullable(relocated.get(guest.id())));
    }
  }

  /** Whether a time is still to come; one that is far off was set before the clock was set back. */
  private static boolean soon(Instant now, Instant time) {
    return now.isBefore(time) && !time.isAfter(now.plus(LONGEST_WAIT));
  }

  /** Where guests are to start that were stopped for it. */
  private static Map<GuestId, HostId> relocated(Deliberation d) {
    var to = new HashMap<GuestId, HostId>();
    for (var op : d.state().operations()) {
      if (op.running() && op.kind() instanceof Kind.RelocateGuest k) {
        to.put(k.guest(), k.to());
      }
    }
    return to;
  }

  /**
   * @param meant where it is to start if it fits there
   */
  private static void place(Deliberation d, Guest guest, Optional<HostId> meant) {
    var id = guest.id();
    var candidates = candidates(d.state(), id);
    int most = d.state().policy().startsPerHost();
    var free =
        candidates.stream()
            .filter(c -> c.unable().isEmpty() && d.state().load(c.id()).starting() < most)
            .toList();
    // those to be together with may be on a host that is busy: all count for the rules
    var shunned = new TreeSet<>(guest.shunned());
    guest.crashes().ifPresent(c -> shunned.addAll(c.left()));
    var target = meant.filter(h -> !shunned.contains(h) && d.state().load(h).starting() >= most);
    if (target.isPresent()
        && Placement.best(
                guest.spec(),
                candidates.stream().filter(c -> c.id().equals(target.get())).toList(),
                candidates,
                Optional.empty(),
                Set.of())
            .isPresent()) {
      wait(d, guest, "waits its turn: enough guests are starting on host " + target.get());
      return;
    }
    // where it ended it is started again, however empty others are: its caches are warm, its disks
    // are there
    var there =
        meant
            .or(() -> guest.crashes().filter(Crashes::again).map(Crashes::host))
            .filter(h -> !shunned.contains(h))
            .map(h -> free.stream().filter(f -> f.id().equals(h)).toList())
            .flatMap(f -> Placement.best(guest.spec(), f, candidates, Optional.empty(), Set.of()));
    var now =
        there.or(() -> Placement.best(guest.spec(), free, candidates, Optional.empty(), shunned));
    if (now.isEmpty()) {
      if (Placement.best(guest.spec(), candidates, Optional.empty(), Set.of()).isPresent()) {
        wait(d, guest, "waits its turn: enough guests are starting");
        return;
      }
      var why = whyNowhere(guest.spec(), candidates);
      wait(d, guest, why);
      d.alarm("guest-" + id, Alarm.Level.CRITICAL, id, why);
      return;
    }
    var host = d.host(now.get());
    var epoch = guest.epoch().next();
    d.change(new Change.GuestPlaced(id, host.id(), host.boot().orElseThrow(), epoch));
    d.note("decision", id, "start guest %s on host %s (epoch %s)".formatted(id, host.id(), epoch));
    d.clearAlarm("guest-" + id);
    GuestPolicy.orders(d, d.guest(id));
    d.because("start guest %s on host %s".formatted(id, host.id()));
  }

  private static void wait(Deliberation d, Guest guest, String why) {
    if (!guest.phase().equals(new Waiting(why))) {
      d.phase(guest.id(), new Waiting(why));
    }
  }

  /** One sentence that names the guest's size, the nearest host and the way out. */
  static String whyNowhere(GuestSpec guest, List<Candidate> candidates) {
    if (candidates.isEmpty()) {
      return "guest %s: the cluster has no host yet; add one: haven host add".formatted(guest.id());
    }
    var verdicts = Placement.rank(guest, candidates, Optional.empty(), Set.of());
    var roomiest =
        candidates.stream()
            .filter(c -> c.unable().isEmpty())
            .max(
                Comparator.comparingLong((Candidate c) -> Placement.usableMib(c) - c.reservedMib())
                    .thenComparing(Candidate::id));
    if (roomiest.isEmpty()) {
      return "guest %s: no host can take guests now (%s)".formatted(guest.id(), reasons(verdicts));
    }
    long free = Math.max(0, Placement.usableMib(roomiest.get()) - roomiest.get().reservedMib());
    if (free < Placement.reservedMib(guest)) {
      return "guest %s: %d MiB of memory fits on no host (most free: host %s, %d MiB); give it less, stop another, or add a host"
          .formatted(guest.id(), guest.memoryMib(), roomiest.get().id(), free);
    }
    return "guest %s fits on no host: %s".formatted(guest.id(), reasons(verdicts));
  }

  private static String reasons(List<Verdict> verdicts) {
    return String.join(
        "; ",
        verdicts.stream()
            .limit(5)
            .map(v -> "host %s: %s".formatted(v.host(), String.join(", ", v.reasons())))
            .toList());
  }

  /** All hosts as placement sees them, for a guest that is left out of account. */
  static List<Candidate> candidates(ClusterState state, GuestId without) {
    var candidates = new ArrayList<Candidate>(state.hosts().size());
    var known = state.guest(without);
    Set<HostId> places = known.isEmpty() ? Set.of() : ClusterState.places(known.get());
    for (var host : state.hosts()) {
      candidates.add(candidate(state, host, places.contains(host.id()) ? known : Optional.empty()));
    }
    return candidates;
  }

  /**
   * @param without a guest of this host to be left out of account
   */
  static Candidate candidate(ClusterState state, Host host, Optional<Guest> without) {
    var load = state.load(host.id());
    long reserved = load.reservedMib();
    int vcpus = load.vcpus();
    if (without.isPresent()) {
      reserved -= Placement.reservedMib(without.get().spec());
      vcpus -= without.get().spec().vcpus();
    }
    var unable =
        switch (host.state()) {
          case HostState.Online _ -> host.cordoned() ? "is cordoned" : "";
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
                .filter(g -> without.filter(w -> w.id().equals(g)).isEmpty())
                .map(g -> state.guest(g).orElseThrow().spec())
                .toList());
  }

  /** Takes the next steps of an operation. */
  private static void advance(Deliberation d, Operation op) {
    switch (op.kind()) {
      case Kind.EvacuateHost k -> evacuate(d, op, k);
      case Kind.FenceStuck k -> StuckFence.advance(d, op, k);
      case Kind.MoveGuest _,
          Kind.RelocateGuest _,
          Kind.StartGuest _,
          Kind.StopGuest _,
          Kind.FenceHost _,
          Kind.TestFencing _ -> {}
    }
    // a guest whose owner stopped it while it moved
    for (var id : List.copyOf(d.state().unsettled())) {
      var guest = d.guest(id);
      if (!guest.wanted() && guest.phase() instanceof Migrating m && m.step() == Step.CHECKING) {
        d.phase(id, m.back());
      }
    }
  }

  private static void evacuate(Deliberation d, Operation op, Kind.EvacuateHost k) {
    moveOff(d, op, k.host(), k.failures(), "host " + k.host() + " is evacuated");
  }

  /**
   * Moves the guests of a host elsewhere while they run, as many at once as may move.
   *
   * @param failures of guests that could not; they are not tried again
   */
  static void moveOff(
      Deliberation d, Operation op, HostId host, Map<GuestId, String> failures, String why) {
    var policy = d.state().policy();
    for (var id : byNeed(d, host)) {
      var guest = d.guest(id);
      if (failures.containsKey(id)
          || !guest.wanted()
          || !(guest.phase() instanceof Running from)
          || !from.host().equals(host)
          || !d.host(host).online()) {
        continue;
      }
      if (moving(d, host, true) >= policy.migrationsOut()) {
        return;
      }
      var candidates =
          candidates(d.state(), id).stream().filter(c -> !c.id().equals(host)).toList();
      var free =
          candidates.stream()
              .filter(c -> moving(d, c.id(), false) < policy.migrationsIn())
              .toList();
      var best = Placement.best(guest.spec(), free, candidates, Optional.empty(), guest.shunned());
      if (best.isPresent()) {
        MigrationPolicy.begin(d, guest, from, d.host(best.get()), Optional.of(op.id()), why);
      } else if (Placement.best(guest.spec(), candidates, Optional.empty(), Set.of()).isEmpty()) {
        var now = d.state().operation(op.id()).orElseThrow();
        d.change(
            new Change.OperationChanged(now.withFailure(id, whyNowhere(guest.spec(), candidates))));
        return; // decided anew with what was just learnt, by the caller's next round
      }
    }
  }

  private static List<GuestId> byNeed(Deliberation d, HostId host) {
    return d.state().load(host).guests().stream()
        .sorted(
            Comparator.comparingInt((GuestId g) -> -d.guest(g).spec().priority())
                .thenComparing(g -> -d.guest(g).spec().memoryMib())
                .thenComparing(g -> g))
        .toList();
  }

  private static long moving(Deliberation d, HostId host, boolean out) {
    return d.state().load(host).guests().stream()
        .filter(
            g ->
                d.guest(g).phase() instanceof Migrating m
                    && (out ? m.source() : m.target()).equals(host))
        .count();
  }

  /** Ends an operation whose aim is reached, or can no longer be. */
  private static void conclude(Deliberation d, Operation op) {
    switch (op.kind()) {
      case Kind.MoveGuest k -> {
        var guest = d.state().guest(k.guest());
        if (guest.isEmpty()) {
          end(d, op, Operation.State.FAILED, "the guest was removed");
        } else {
          switch (guest.get().phase()) {
            case Running p -> {
              if (p.host().equals(k.to())) {
                end(
                    d,
                    op,
                    Operation.State.DONE,
                    "guest %s runs on host %s".formatted(k.guest(), k.to()));
              } else {
                end(
                    d,
                    op,
                    Operation.State.FAILED,
                    "guest %s runs on host %s".formatted(k.guest(), p.host()));
              }
            }
            case Migrating m -> progress(d, op, m.step() == Step.ARRIVED ? 1 : 0, words(m.step()));
            case Starting _, Waiting _, Vacating _ ->
                end(
                    d,
                    op,
                    Operation.State.FAILED,
                    "guest %s was lost on the way and is started anew".formatted(k.guest()));
            case Stopping _, Stopped _, Failed _ ->
                end(
                    d,
                    op,
                    Operation.State.FAILED,
                    "guest %s is no longer running".formatted(k.guest()));
          }
        }
      }
      case Kind.RelocateGuest k -> concludeRelocation(d, op, k);
      case Kind.EvacuateHost k -> {
        var left =
            d.state().load(k.host()).guests().stream()
                .filter(g -> d.guest(g).holders().containsKey(k.host()))
                .toList();
        var stuck = left.stream().filter(k.failures()::containsKey).toList();
        if (left.isEmpty()) {
          end(d, op, Operation.State.DONE, "host %s is empty and cordoned".formatted(k.host()));
        } else if (stuck.size() == left.size()) {
          var first = stuck.getFirst();
          end(
              d,
              op,
              Operation.State.FAILED,
              "%d of %d guests could not leave host %s: guest %s: %s"
                  .formatted(stuck.size(), op.total(), k.host(), first, k.failures().get(first)));
        } else {
          progress(
              d,
              op,
              Math.max(0, op.total() - left.size()),
              "%d guests left on host %s".formatted(left.size(), k.host()));
        }
      }
      case Kind.StartGuest k -> {
        var guest = d.state().guest(k.guest());
        if (guest.isEmpty()) {
          end(d, op, Operation.State.FAILED, "the guest was removed");
        } else if (guest.get().phase() instanceof Running p) {
          end(
              d,
              op,
              Operation.State.DONE,
              "guest %s runs on host %s".formatted(k.guest(), p.host()));
        } else if (guest.get().phase() instanceof Failed f) {
          end(d, op, Operation.State.FAILED, f.why());
        } else if (!guest.get().wanted()) {
          end(d, op, Operation.State.CANCELLED, "guest %s was stopped".formatted(k.guest()));
        } else {
          progress(d, op, 0, guest.get().phase() instanceof Waiting w ? w.why() : "starting");
        }
      }
      case Kind.StopGuest k -> {
        var guest = d.state().guest(k.guest());
        if (guest.isEmpty() || guest.get().phase() instanceof Stopped) {
          end(d, op, Operation.State.DONE, "guest %s is off".formatted(k.guest()));
        } else if (guest.get().wanted()) {
          end(d, op, Operation.State.CANCELLED, "guest %s was started again".formatted(k.guest()));
        } else if (guest.get().phase() instanceof Running) {
          var first = StartOrder.stopsFirst(d.state(), k.guest());
          if (first.isPresent()) {
            progress(d, op, 0, "guest %s stops first".formatted(first.get()));
          } else {
            GuestPolicy.stop(d, guest.get(), GRACE_LATER);
          }
        }
      }
      case Kind.FenceStuck k -> StuckFence.conclude(d, op, k);
      case Kind.TestFencing k -> {
        if (d.state().host(k.host()).isEmpty()) {
          end(d, op, Operation.State.FAILED, "the host was removed");
        }
      }
      case Kind.FenceHost k -> {
        var host = d.state().host(k.host());
        if (host.isEmpty()) {
          end(d, op, Operation.State.FAILED, "the host was removed");
        } else {
          switch (host.get().state()) {
            case HostState.Fenced f ->
                end(
                    d,
                    op,
                    Operation.State.DONE,
                    "host %s is off: %s".formatted(k.host(), f.proof().evidence()));
            case HostState.Fencing f ->
                progress(
                    d,
                    op,
                    0,
                    "attempt %d%s"
                        .formatted(
                            f.attempt(),
                            f.lastFailure().isEmpty() ? "" : "; before: " + f.lastFailure()));
            case HostState.Online _ ->
                end(
                    d,
                    op,
                    Operation.State.FAILED,
                    "host %s is back under a newer boot".formatted(k.host()));
            case HostState.Suspect _, HostState.Expected _ -> {}
          }
        }
      }
    }
  }

  private static void concludeRelocation(Deliberation d, Operation op, Kind.RelocateGuest k) {
    var known = d.state().guest(k.guest());
    if (known.isEmpty()) {
      end(d, op, Operation.State.FAILED, "the guest was removed");
      return;
    }
    if (!known.get().wanted()) {
      end(d, op, Operation.State.CANCELLED, "guest %s was stopped".formatted(k.guest()));
      return;
    }
    switch (known.get().phase()) {
      case Running p ->
          end(
              d,
              op,
              p.host().equals(k.to()) ? Operation.State.DONE : Operation.State.FAILED,
              "guest %s runs on host %s".formatted(k.guest(), p.host()));
      case Stopping _, Vacating _ -> progress(d, op, 0, "stopping on host " + k.from());
      case Waiting w -> progress(d, op, 1, w.why());
      case Starting p -> progress(d, op, 1, "starting on host " + p.host());
      case Failed f -> end(d, op, Operation.State.FAILED, f.why());
      case Migrating _, Stopped _ -> {} // a wanted guest in a relocation is neither
    }
  }

  private static String words(Step step) {
    return switch (step) {
      case CHECKING -> "checking the target";
      case MOVING -> "moving";
      case ARRIVED -> "arrived, resuming";
      case UNDOING -> "undoing";
      case STAYING -> "staying";
    };
  }

  static void progress(Deliberation d, Operation op, int done, String detail) {
    if (op.done() != done || !op.detail().equals(detail)) {
      d.change(
          new Change.OperationChanged(
              new Operation(
                  op.id(),
                  op.kind(),
                  op.began(),
                  op.by(),
                  op.state(),
                  detail,
                  done,
                  op.total(),
                  op.ended())));
    }
  }

  static void end(Deliberation d, Operation op, Operation.State state, String detail) {
    d.change(
        new Change.OperationChanged(
            new Operation(
                op.id(),
                op.kind(),
                op.began(),
                op.by(),
                state,
                detail,
                state == Operation.State.DONE ? op.total() : op.done(),
                op.total(),
                Optional.of(d.at()))));
    d.note(
        "phase",
        op.id(),
        "%s %s: %s".formatted(op.id(), state.name().toLowerCase(java.util.Locale.ROOT), detail));
  }
}
