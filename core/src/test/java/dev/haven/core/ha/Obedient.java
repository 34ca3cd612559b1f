package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.Rule;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * A cluster whose agents obey each order at once, or fail where they are told to. All is decided by
 * {@link HaPolicy#decide} and applied by {@link ClusterState#apply}.
 */
final class Obedient {
  private static final BootId BOOT = new BootId("boot-1");

  ClusterState state = ClusterState.EMPTY;
  Instant at = Hosts.AT;

  /** Orders that were sent, in words. */
  final List<String> log = new ArrayList<>();

  /** "guest@host": starts that fail there. */
  final Set<String> startsFail = new HashSet<>();

  /** "guest@host": the target cannot take it. */
  final Set<String> checksFail = new HashSet<>();

  /** "guest@host": migrations to there that fail on the way. */
  final Set<String> movesFail = new HashSet<>();

  /**
   * "guest@host": so many other orders are obeyed before the target says whether it can take it.
   */
  final Map<String, Integer> checksLate = new HashMap<>();

  /** What happens while a guest is on its way. */
  final Map<String, Runnable> meanwhile = new HashMap<>();

  private final ArrayDeque<Action> actions = new ArrayDeque<>();
  private int request;

  Obedient host(String name, long memoryMib, int cpus, Map<String, String> labels) {
    var id = new HostId(name);
    var spec =
        new HostSpec(
            id,
            Optional.empty(),
            "qemu+tls://" + name + "/system",
            List.of(),
            List.of(),
            labels,
            Optional.empty(),
            0,
            4);
    state =
        state
            .apply(new Change.HostDescribed(spec))
            .apply(
                new Change.AgentSeated(
                    id,
                    BOOT,
                    new Host.Agent(new ProcessId("p-" + name), "a2V5", "1"),
                    new Capacity(memoryMib, cpus, "test")))
            .apply(new Change.HostStateChanged(id, new HostState.Online()));
    return this;
  }

  /** Online hosts with so much room for guests. */
  static Obedient hosts(long memoryMib, String... names) {
    var cluster = new Obedient();
    for (var name : names) {
      cluster.host(name, memoryMib, 16, Map.of());
    }
    return cluster;
  }

  static GuestSpec guest(
      String name, long memoryMib, int priority, Map<String, String> labels, Rule... rules) {
    return new GuestSpec(
        new GuestId(name),
        "uuid-" + name,
        memoryMib,
        1,
        priority,
        "<domain/>",
        labels,
        List.of(rules),
        GuestSpec.Restart.ANYWHERE,
        3);
  }

  /** One that is to run and does not yet; nothing is decided. */
  Obedient waiting(GuestSpec spec) {
    state = state.apply(new Change.GuestDescribed(spec, true));
    return this;
  }

  /** One that was given to that host, which has not answered yet. */
  Obedient starting(GuestSpec spec, String host) {
    state =
        state
            .apply(new Change.GuestDescribed(spec, true))
            .apply(
                new Change.GuestPlaced(
                    spec.id(), new Holding(new HostId(host), BOOT, new Epoch(1))));
    return this;
  }

  /** One that runs there. */
  Obedient running(GuestSpec spec, String host) {
    var on = new HostId(host);
    state =
        state
            .apply(new Change.GuestDescribed(spec, true))
            .apply(new Change.GuestPlaced(spec.id(), new Holding(on, BOOT, new Epoch(1))))
            .apply(
                new Change.PhaseChanged(
                    spec.id(), new GuestPhase.Running(new Holding(on, BOOT, new Epoch(1)))));
    return this;
  }

  Decision happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(Entry.FORMAT, state.version(), at, decision.changes(), decision.facts()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    actions.addAll(decision.actions());
    return decision;
  }

  Reply command(Command command) {
    return happens(
            new Event.CommandReceived(
                new RequestId("r" + request++), "admin", command, Event.Outlook.NONE, at))
        .reply()
        .orElseThrow();
  }

  /** The host is read off, by our own order. */
  Obedient dies(String name) {
    var id = new HostId(name);
    happens(
        new Event.HostSilent(
            id,
            BOOT,
            new Event.Silence(
                Duration.ofSeconds(1), 2, Event.Echo.SILENT, Event.Power.ALL_OFF, "test"),
            at));
    state =
        state.apply(
            new Change.HostStateChanged(
                id, new HostState.Fencing(1, HostState.Cause.OPERATOR, at, "")));
    happens(
        new Event.FencingConfirmed(
            id,
            BOOT,
            1,
            (Proof.PowerReadOff) Hosts.off(id, BOOT),
            List.of(),
            "",
            new TreeMap<>(),
            at));
    return this;
  }

  /** Lets all orders be obeyed, and a second pass, until nothing is left to do. */
  Obedient settle() {
    for (int round = 0; round < 200; round++) {
      long before = state.version();
      for (int orders = 0; !actions.isEmpty(); orders++) {
        assertThat(orders).as("orders without an end").isLessThan(500);
        obey(actions.remove());
      }
      at = at.plusSeconds(1);
      var decision = happens(new Event.Tick(at));
      if (decision.changes().isEmpty() && actions.isEmpty()) {
        return this;
      }
      assertThat(state.version()).isGreaterThan(before);
    }
    throw new AssertionError("it never comes to rest: " + log);
  }

  private void obey(Action action) {
    switch (action) {
      case Action.Start s -> {
        var host = s.vacancy().holding().host();
        log.add("start " + s.guest() + "@" + host);
        answer(
            host,
            new Order.StartGuest(s.guest(), s.vacancy().holding().epoch(), ""),
            startsFail.contains(s.guest() + "@" + host)
                ? new Answer.Gone("failed", Optional.of("qemu ended"))
                : new Answer.Done(""));
      }
      case Action.Resume r ->
          answer(
              r.vacancy().holding().host(),
              new Order.ResumeGuest(r.guest(), r.vacancy().holding().epoch(), r.arrived()),
              new Answer.Done(""));
      case Action.Send s when isLate(s) -> actions.add(s);
      case Action.Send s -> answer(s.host(), s.order(), answer(s));
      case Action.FenceHost _, Action.DropFence _, Action.TestWatchdog _, Action.PowerOn _ -> {}
    }
  }

  private boolean isLate(Action.Send s) {
    var where = s.order().exclusive() + "@" + s.host();
    if (!(s.order() instanceof Order.Precheck) || checksLate.getOrDefault(where, 0) == 0) {
      return false;
    }
    checksLate.merge(where, -1, Integer::sum);
    return true;
  }

  private Answer answer(Action.Send s) {
    var where = s.order().exclusive() + "@" + s.host();
    return switch (s.order()) {
      case Order.Precheck _ ->
          checksFail.contains(where) ? new Answer.Failed("no bridge br0") : new Answer.Done("");
      case Order.MigrateOut o -> {
        log.add("move " + o.guest() + "@" + o.target());
        Optional.ofNullable(meanwhile.remove(o.guest().value())).ifPresent(Runnable::run);
        yield movesFail.contains(o.guest() + "@" + o.target())
            ? new Answer.Failed("connection reset")
            : new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "gone");
      }
      case Order.StopGuest _ -> {
        log.add("stop " + where);
        yield new Answer.Gone("shut off", Optional.empty());
      }
      case Order.ConfirmGone _ -> new Answer.Gone("nothing there", Optional.empty());
      case Order.StartGuest _,
          Order.ResumeGuest _,
          Order.AbortMigration _,
          Order.PauseGuest _,
          Order.ForgetGuest _ ->
          new Answer.Done("");
    };
  }

  private void answer(HostId host, Order order, Answer answer) {
    if (state.host(host).filter(Host::online).isPresent()) {
      happens(new Event.OrderAnswered(host, BOOT, order, answer, at));
    }
  }

  Guest guest(String name) {
    return state.guest(new GuestId(name)).orElseThrow();
  }

  /** The host that runs it; "-" if none does. */
  String where(String name) {
    return guest(name).phase() instanceof GuestPhase.Running r ? r.host().value() : "-";
  }

  Optional<String> alarm(String id) {
    return state.alarm(id).map(Alarm::message);
  }
}
