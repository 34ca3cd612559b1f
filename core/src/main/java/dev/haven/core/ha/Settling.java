package dev.haven.core.ha;

import dev.haven.core.ha.GuestPhase.Failed;
import dev.haven.core.ha.GuestPhase.Migrating;
import dev.haven.core.ha.GuestPhase.Running;
import dev.haven.core.ha.GuestPhase.Starting;
import dev.haven.core.ha.GuestPhase.Step;
import dev.haven.core.ha.GuestPhase.Stopped;
import dev.haven.core.ha.GuestPhase.Stopping;
import dev.haven.core.ha.GuestPhase.Vacating;
import dev.haven.core.ha.GuestPhase.Waiting;
import dev.haven.core.ha.Operation.Kind;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Placement;
import dev.haven.core.placement.Verdict;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * What can be done now about all that waits. Looks at the state alone, so that any leader comes to
 * the same.
 */
final class Settling {
  /** For a guest that is stopped after a migration, or after another guest. */
  private static final Duration GRACE_LATER = Duration.ofSeconds(30);

  private Settling() {}

  static void settle(Deliberation d) {
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running() && !leftOut(d, op)) {
        advance(d, op);
      }
    }
    Placing.place(d);
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running() && !leftOut(d, op)) {
        conclude(d, op);
      }
    }
  }

  private static boolean leftOut(Deliberation d, Operation op) {
    return switch (op.kind()) {
      case Kind.MoveGuest k -> d.leavesOut(k.guest());
      case Kind.RelocateGuest k -> d.leavesOut(k.guest());
      case Kind.StartGuest k -> d.leavesOut(k.guest());
      case Kind.StopGuest k -> d.leavesOut(k.guest());
      default -> false;
    };
  }

  /** One sentence that names the guest's size, the nearest host and the way out. */
  static String whyNowhere(GuestSpec guest, List<Candidate> candidates) {
    return whyNowhere(List.of(guest), candidates);
  }

  /** The same for guests that must have one host. */
  static String whyNowhere(List<GuestSpec> guests, List<Candidate> candidates) {
    return whyNowhere(guests, candidates, candidates);
  }

  /**
   * The same where some hosts are out of the question.
   *
   * @param all hosts, for the rules that hang on where other guests are
   */
  static String whyNowhere(
      List<GuestSpec> guests, List<Candidate> candidates, List<Candidate> all) {
    boolean alone = guests.size() == 1;
    var who =
        alone
            ? "guest " + guests.getFirst().id()
            : "guests %s, which stay together"
                .formatted(GroupMoves.names(guests.stream().map(GuestSpec::id).toList()));
    if (candidates.isEmpty()) {
      return who + ": the cluster has no host yet; add one: haven host add";
    }
    var verdicts = Placement.rank(guests, candidates, all, Optional.empty(), Set.of());
    var roomiest =
        candidates.stream()
            .filter(c -> c.unable().isEmpty())
            .max(Comparator.comparingLong(Candidate::freeMib).thenComparing(Candidate::id));
    if (roomiest.isEmpty()) {
      return "%s: no host can take guests now (%s)".formatted(who, reasons(verdicts));
    }
    long free = Math.max(0, roomiest.get().freeMib());
    long need = guests.stream().mapToLong(Placement::reservedMib).sum();
    if (free < need) {
      long memory = guests.stream().mapToLong(GuestSpec::memoryMib).sum();
      return alone
          ? "%s: %d MiB of memory fits on no host (most free: host %s, %d MiB); give it less, stop another, or add a host"
              .formatted(who, memory, roomiest.get().id(), free)
          : "%s: %d MiB of memory fit on no host (most free: host %s, %d MiB: %d MiB short); give them less, stop another, or add a host"
              .formatted(who, memory, roomiest.get().id(), free, need - free);
    }
    return "%s%s on no host: %s".formatted(who, alone ? " fits" : ", fit", reasons(verdicts));
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
      for (var host : state.guest(id).map(ClusterState::places).orElse(Set.of())) {
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
      Placing.anchor(state, held)
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
      reserved -= Placement.reservedMib(spec);
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

  /** Takes the next steps of an operation. */
  private static void advance(Deliberation d, Operation op) {
    switch (op.kind()) {
      case Kind.EvacuateHost k -> evacuate(d, op, k);
      case Kind.FenceStuck k -> StuckFence.advance(d, op, k);
      case Kind.MoveGroup _ -> GroupMoves.advance(d, op);
      case Kind.MoveGuest _,
          Kind.MakeRoom _,
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
    var tried = new TreeSet<GuestId>();
    for (var id : Followers.last(d.state(), byNeed(d, host))) {
      var guest = d.guest(id);
      if (failures.containsKey(id)
          || !guest.wanted()
          || !(guest.phase() instanceof Running from)
          || !from.host().equals(host)
          || !d.host(host).online()
          || !tried.add(id)) {
        continue;
      }
      if (moving(d, host, true) >= policy.migrationsOut()) {
        return;
      }
      var group = d.state().group(guest.spec());
      tried.addAll(group);
      var members = group.stream().map(d::guest).toList();
      if (GroupMoves.underWay(d.state(), group).isPresent()
          || members.stream().anyMatch(g -> !settled(d, g) && !stuck(d, g, op, host))) {
        continue; // it moves once the others of its group run, or are off
      }
      var stays = Followers.waitsFor(d.state(), group, host);
      if (stays.isPresent() && !failures.containsKey(stays.get())) {
        continue; // it moves once the guest that it follows has moved
      }
      var all = Followers.without(d.state(), host, candidates(d.state(), group));
      var candidates = all.stream().filter(c -> !c.id().equals(host)).toList();
      var specs = needing(d.state(), members, candidates);
      var free =
          candidates.stream()
              .filter(c -> moving(d, c.id(), false) < policy.migrationsIn())
              .toList();
      var shunned = new TreeSet<HostId>();
      members.forEach(g -> shunned.addAll(g.shunned()));
      var best = Placement.best(specs, free, all, Optional.empty(), shunned);
      if (best.isPresent()) {
        if (members.size() == 1) {
          MigrationPolicy.begin(d, guest, from, d.host(best.get()), Optional.of(op.id()), why);
        } else {
          GroupMoves.begin(
              d, id, running(members), d.host(best.get()), op.by(), why, Optional.of(op.id()));
        }
      } else if (Placement.best(specs, candidates, all, Optional.empty(), Set.of()).isEmpty()) {
        for (var member : running(members)) {
          if (member.host().equals(Optional.of(host))) {
            var now = d.state().operation(op.id()).orElseThrow();
            d.change(
                new Change.OperationChanged(
                    now.withFailure(
                        member.id(),
                        stays
                            .map(f -> "it follows guest %s, which stays".formatted(f))
                            .orElseGet(() -> whyNowhere(specs, candidates, all)))));
          }
        }
        return; // decided anew with what was just learnt, by the caller's next round
      }
    }
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
    var anchor = Placing.anchor(state, held);
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

  /**
   * It cannot be ended there, and starts where its group is once the host is fenced: by itself, or
   * by the operator who was told to evacuate it first.
   */
  private static boolean stuck(Deliberation d, Guest guest, Operation op, HostId host) {
    return (op.kind() instanceof Kind.FenceStuck || Stuck.isTold(d, guest.id()))
        && guest.phase() instanceof Vacating v
        && v.host().equals(host);
  }

  static List<Guest> running(List<Guest> guests) {
    return guests.stream().filter(g -> g.phase() instanceof Running).toList();
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
      case Kind.MoveGroup k -> GroupMoves.conclude(d, op, k);
      case Kind.MakeRoom k -> MakingRoom.conclude(d, op, k);
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

  /** Stops a guest that is relocated, unless others have to stop before it. */
  static void relocate(Deliberation d, OperationId id) {
    var op = d.state().operation(id).orElseThrow();
    if (op.kind() instanceof Kind.RelocateGuest k
        && d.guest(k.guest()).phase() instanceof Running at) {
      stop(d, op, k, at);
    }
  }

  private static void stop(Deliberation d, Operation op, Kind.RelocateGuest k, Running at) {
    var first = StartOrder.leavesFirst(d.state(), k.guest());
    if (first.isPresent()) {
      progress(d, op, 0, "guest %s stops first".formatted(first.get()));
    } else {
      d.change(new Change.OperationChanged(op.with(k.stopping())));
      GuestPolicy.relocate(d, k.guest(), at, k.later().orElse(GRACE_LATER));
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
      case Running p -> {
        if (k.later().isPresent() && p.host().equals(k.from())) {
          stop(d, op, k, p);
          return;
        }
        end(
            d,
            op,
            p.host().equals(k.to()) ? Operation.State.DONE : Operation.State.FAILED,
            "guest %s runs on host %s".formatted(k.guest(), p.host()));
      }
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
