package dev.haven.orchestrator;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.lead.AgentTalk;
import dev.haven.core.lead.LeasedLists;
import dev.haven.core.lead.Leases;
import dev.haven.core.lead.LifeShows;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.Unconnected;
import dev.haven.core.lead.VoterClocks;
import dev.haven.model.BootId;
import dev.haven.model.Definition;
import dev.haven.model.DomainReport;
import dev.haven.model.GuestHealth;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.KnownKey;
import dev.haven.model.Time;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.HostAgents;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.orchestrator.power.PowerCuts;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does what was decided and committed: sends orders, cuts power. Blocking work runs on one virtual
 * thread a job and comes back as an event. Checks each proof once more right before the order that
 * rests on it leaves.
 */
final class WorldEffects implements Loop.Effects, HostAgents.Listener {
  private static final Logger log = LoggerFactory.getLogger(WorldEffects.class);

  private static final Duration TROUBLE_AT_MOST = Duration.ofMinutes(5);
  private static final Duration DEVICE_CHECK_EVERY = Duration.ofMinutes(1);
  private static final Duration DISK_CHECK_EVERY = Duration.ofMinutes(1);

  private static final Duration DEVICE_CHECK_WITHIN = Duration.ofSeconds(20);
  private final Supplier<ClusterState> state;
  private final Supplier<List<ToAgent.Voter>> voters;
  private final PowerDevices power;
  private final Consumer<Event> events;
  private final Function<Event, CompletableFuture<Decision>> ask;
  private final DiskLooks looks = new DiskLooks(this::agents, DiskLooks.WITHIN);
  private final java.util.Set<GuestId> looking = ConcurrentHashMap.newKeySet();
  private final PowerCuts cuts;
  private final Map<HostId, BootId> checkedUnder = new ConcurrentHashMap<>();
  private final Map<HostId, List<PowerDevices.Health>> health = new ConcurrentHashMap<>();
  private final Map<HostId, Instant> healthAt = new ConcurrentHashMap<>();
  private final Map<HostId, List<DomainReport>> reported = new ConcurrentHashMap<>();
  private volatile @org.jspecify.annotations.Nullable Parts parts;
  private volatile long leadingTerm;

  /** What needs these effects itself, and so comes later. */
  private record Parts(HostAgents agents, FailureDetector detector, AgentTalk talk) {}

  /**
   * @param voters where they are, at this moment
   * @param events tells the loop what happened
   * @param ask the same, and answers once it is committed
   */
  WorldEffects(
      Supplier<ClusterState> state,
      Supplier<List<ToAgent.Voter>> voters,
      PowerDevices power,
      Consumer<Event> events,
      Function<Event, CompletableFuture<Decision>> ask) {
    this.state = state;
    this.voters = voters;
    this.power = power;
    this.events = events;
    this.ask = ask;
    this.cuts = new PowerCuts(state, () -> detector().watch(), power, Time.SYSTEM, new Cutting());
  }

  private final class Cutting implements PowerCuts.Listener {
    @Override
    public void found(Event event) {
      events.accept(event);
    }

    @Override
    public void note(String what) {
      log.info(what);
    }

    @Override
    public void warn(String what) {
      log.warn(what);
    }

    @Override
    public void fault(String what, RuntimeException fault) {
      log.error(what, fault);
    }
  }

  private final class Links implements AgentTalk.Links {
    private final HostAgents agents;

    Links(HostAgents agents) {
      this.agents = agents;
    }

    @Override
    public boolean send(HostId host, BootId boot, long number, long term, Order order) {
      return agents.send(host, boot, number, term, state.get().generation(), order);
    }

    @Override
    public void tell(LeasedLists.Telling t) {
      agents.leased(t.host(), t.boot(), t.list());
    }

    @Override
    public void found(Event event) {
      if (event instanceof Event.OrderAnswered a
          && !(a.answer() instanceof Answer.Done
              || a.answer() instanceof Answer.Gone
              || a.answer() instanceof Answer.Migrated)) {
        log.info("host {} on {}: {}", a.host(), a.order().getClass().getSimpleName(), a.answer());
      }
      events.accept(event);
    }
  }

  /** The parts that need these effects themselves. */
  void connect(HostAgents hostAgents, FailureDetector watching) {
    parts =
        new Parts(
            hostAgents, watching, new AgentTalk(watching.watch(), state, new Links(hostAgents)));
  }

  private Parts parts() {
    return java.util.Objects.requireNonNull(parts);
  }

  /** Whether the key's host is connected by another one. */
  boolean isReplaced(KnownKey key) {
    return key.role().equals("host")
        && agents().keyOf(new HostId(key.name())).filter(k -> !k.equals(key.key())).isPresent();
  }

  private HostAgents agents() {
    return parts().agents();
  }

  private FailureDetector detector() {
    return parts().detector();
  }

  private AgentTalk talk() {
    return parts().talk();
  }

  @Override
  public Event.Quorum quorum() {
    return detector().quorum();
  }

  @Override
  public void leading(long term) {
    detector().watch().elected(System.nanoTime());
    leadingTerm = term;
    talk().elected(term);
    Thread.ofVirtual().name("device-checks").start(() -> checkDevices(term));
    Thread.ofVirtual().name("agent-checks").start(() -> checkAgents(term));
    Thread.ofVirtual().name("disk-checks").start(() -> checkDisks(term));
  }

  @Override
  public void following() {
    leadingTerm = 0;
    detector().watch().deposed();
    cuts.dropAll();
    talk().deposed();
    reported.clear();
    agents().dismissAll();
  }

  @Override
  public void start(Action action, long term) {
    switch (action) {
      case Action.Send a -> talk().send(a, term, System.nanoTime());
      case Action.Start a -> onceDisksAreKnown(a, () -> start(a, term));
      case Action.Resume a -> talk().resume(a, term, System.nanoTime(), Instant.now());
      case Action.FenceHost a -> cuts.fence(a);
      case Action.DropFence a -> cuts.drop(a.host());
      case Action.TestWatchdog a -> agents().testWatchdog(a.host(), a.boot(), term);
      case Action.PowerOn a -> cuts.powerOn(a.host());
    }
  }

  private void start(Action.Start a, long term) {
    talk().start(a, term, System.nanoTime(), Instant.now());
  }

  /**
   * A guest of which some disk has not been looked at is not ordered to start before its host was
   * asked: at once, or 5 s later. What cannot be looked at then either holds nobody back.
   */
  private void onceDisksAreKnown(Action.Start a, Runnable order) {
    var definition = state.get().definition(a.guest());
    if (definition.resolved() || talk().starts(a)) {
      order.run();
      return;
    }
    if (!looking.add(a.guest())) {
      return; // it follows the answer
    }
    looks
        .resolve(definition, List.of(a.vacancy().holding().host()))
        .thenCompose(
            seen -> {
              if (!seen.resolved()) {
                log.warn(
                    "guest {}: host {} could not look at all of its disks; it starts all the same",
                    a.guest(),
                    a.vacancy().holding().host());
              }
              return ask.apply(new Event.DisksResolved(a.guest(), seen, Instant.now()));
            })
        .whenComplete(
            (_, failure) -> {
              looking.remove(a.guest());
              if (failure == null && starts(a)) {
                order.run();
              } // else whatever was decided meanwhile has orders of its own
            });
  }

  /** Whether it is still to start there, and nobody else may run it meanwhile. */
  private boolean starts(Action.Start a) {
    return state
        .get()
        .guest(a.guest())
        .filter(
            g ->
                g.phase() instanceof GuestPhase.Starting p
                    && p.holding().equals(a.vacancy().holding())
                    && g.tenure().hasOnly(p.holding()))
        .isPresent();
  }

  /** For the person who describes a guest. */
  CompletableFuture<Definition> lookAtDisks(Definition definition) {
    return looks.resolve(
        definition,
        state.get().hosts().stream().map(Host::id).filter(h -> agents().connected(h)).toList());
  }

  /** What could not be looked at when it was described or started, once a minute. */
  private void checkDisks(long term) {
    while (leadingTerm == term) {
      try {
        Thread.sleep(DISK_CHECK_EVERY);
      } catch (InterruptedException e) {
        return;
      }
      var now = state.get();
      for (var guest : now.guests()) {
        var definition = now.definition(guest.id());
        if (definition.resolved() || leadingTerm != term) {
          continue;
        }
        var seen =
            guest.host().isPresent()
                ? looks.resolve(definition, List.of(guest.host().get()))
                : lookAtDisks(definition);
        seen.thenAccept(
                found -> {
                  if (!found.equals(definition)) {
                    events.accept(new Event.DisksResolved(guest.id(), found, Instant.now()));
                  }
                })
            .join();
      }
    }
  }

  /** On every voter, for each entry. */
  void applied(ClusterState before, ClusterState after) {
    var connected = parts;
    if (connected != null) { // what this voter's log has at its start names an earlier process
      connected.talk().applied(before, after);
      connected.detector().watch().proofTimes().applied(before, after, System.nanoTime());
    }
  }

  /**
   * Evidence of a host's death was gathered by this very process, from this time on.
   *
   * @param at the time in the proof that follows
   */
  void gathered(HostId host, BootId boot, Instant at, long began) {
    detector().watch().proofTimes().gathered(host, boot, at, began);
  }

  /** Tells every agent who votes now. */
  void votersChanged() {
    var now = voters.get();
    talk().hosts().forEach(host -> agents().voters(host, now));
  }

  @Override
  public ClusterState state() {
    return state.get();
  }

  @Override
  public long nanos() {
    return System.nanoTime();
  }

  @Override
  public Instant instant() {
    return Instant.now();
  }

  @Override
  public Leases leases() {
    return detector().watch().leases();
  }

  @Override
  public ProofTimes proofTimes() {
    return detector().watch().proofTimes();
  }

  @Override
  public VoterClocks clocks() {
    return detector().watch().clocks();
  }

  @Override
  public boolean outdated(Event event) {
    return detector().watch().outdated(event, System.nanoTime());
  }

  @Override
  public void failed(Event event, RuntimeException fault) {
    log.error("a decision on {} failed", event.getClass().getSimpleName(), fault);
  }

  private void checkDevices(long term) {
    try {
      while (leadingTerm == term) {
        var hosts =
            state.get().hosts().stream().filter(h -> !h.spec().fencing().isEmpty()).toList();
        long round = System.nanoTime();
        for (var host : hosts) {
          // what cannot be fenced stays so for hours: its devices are looked at all the same
          while (leadingTerm == term
              && inTrouble()
              && System.nanoTime() - round < TROUBLE_AT_MOST.toNanos()) {
            Thread.sleep(Duration.ofSeconds(1));
          }
          if (leadingTerm != term) {
            return;
          }
          checkDevices(host);
          Thread.sleep(DEVICE_CHECK_EVERY.dividedBy(4L * hosts.size()));
        }
        do {
          Thread.sleep(Duration.ofSeconds(1));
          checkAfterBoot();
        } while (leadingTerm == term && System.nanoTime() - round < DEVICE_CHECK_EVERY.toNanos());
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Until its devices were seen to say on, the loss of a host's power takes longer to show. */
  private void checkAfterBoot() {
    for (var host : state.get().hosts()) {
      boolean booted =
          host.online()
              && !host.spec().fencing().isEmpty()
              && !host.boot().equals(Optional.ofNullable(checkedUnder.get(host.id())));
      if (booted && !inTrouble()) {
        checkDevices(host);
      }
    }
  }

  /** A fence, or the evidence before it, must not wait for what a check starts. */
  private boolean inTrouble() {
    return state.get().hosts().stream()
        .anyMatch(
            h -> h.state() instanceof HostState.Suspect || h.state() instanceof HostState.Fencing);
  }

  private void checkAgents(long term) {
    var unconnected = new Unconnected();
    try {
      while (leadingTerm == term) {
        Thread.sleep(Unconnected.EVERY);
        unconnected
            .look(
                state.get(),
                agents()::connected,
                detector().watch(),
                System.nanoTime(),
                Instant.now())
            .forEach(events);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Looks at the host's devices now; blocks for at most about 10 s. */
  void checkDevices(Host host) {
    try {
      var found =
          power.check(
              host.id(),
              host.spec(),
              PowerDevices.others(state.get(), host.id()),
              DEVICE_CHECK_WITHIN);
      long read = System.nanoTime();
      host.boot().ifPresent(boot -> checkedUnder.put(host.id(), boot));
      health.put(host.id(), found);
      healthAt.put(host.id(), Instant.now());
      if (found.stream().anyMatch(PowerDevices.Health::off)) {
        // only who beats after that shows that a device lied: the power may just have failed
        Thread.sleep(LifeShows.WITHIN);
      }
      for (var device : found) {
        boolean runs =
            state.get().host(host.id()).filter(Host::online).isPresent()
                && detector()
                    .watch()
                    .heardAtCheck(host.id(), device.off(), read, System.nanoTime());
        var checked =
            new Event.DeviceChecked(
                host.id(),
                device.device(),
                device.problem(),
                device.critical(),
                device.unidentified(),
                device.off(),
                runs,
                Instant.now());
        detector().watch().checked(checked, read);
        events.accept(checked);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.error("checking the devices of host {}", host.id(), e);
    }
  }

  /** What is wrong with how a host's devices are described. */
  List<String> mistakes(HostSpec spec) {
    return power.mistakes(spec);
  }

  /** The last check of a host's devices; empty before the first. */
  List<PowerDevices.Health> health(HostId host) {
    return health.getOrDefault(host, List.of());
  }

  Optional<Duration> healthAge(HostId host) {
    return Optional.ofNullable(healthAt.get(host)).map(at -> Duration.between(at, Instant.now()));
  }

  Optional<FromAgent.Progress> progress(GuestId guest) {
    return talk().progress(guest);
  }

  @Override
  public Optional<String> held(FromAgent.Hello hello) {
    return talk().held(hello, System.nanoTime(), Instant.now());
  }

  @Override
  public boolean knows(FromAgent.Hello hello) {
    return talk().knows(hello);
  }

  @Override
  public boolean isOnRecord(HostId host, BootId boot) {
    return state().host(host).flatMap(Host::boot).equals(Optional.of(boot));
  }

  @Override
  public void spokeOtherwise(HostId host, BootId boot, int version) {
    detector().watch().spokeOtherwise(host, boot, version, System.nanoTime());
  }

  @Override
  public void hello(FromAgent.Hello hello) {
    ask.apply(talk().greets(hello, System.nanoTime(), Instant.now()))
        .whenComplete(
            (decision, failure) -> {
              var host = hello.host();
              if (failure instanceof ReplicatedLog.NotLeader) {
                log.info("the hello of host {} was not decided: {}", host, failure.getMessage());
                // the connection ends with this voter's leadership: it says hello to the next
              } else if (failure != null) {
                agents().reject(host, "your hello was not decided: " + failure.getMessage());
              } else if (talk().decided(hello)) {
                agents().welcome(host, leadingTerm, state.get().generation());
                agents().voters(host, voters.get());
              } else {
                agents().reject(host, decision.reason());
              }
            });
  }

  /** How a guest does, as the agent of its host said last; empty on a voter that does not lead. */
  Optional<GuestHealth> guestHealth(HostId host, GuestId guest) {
    return reported.getOrDefault(host, List.of()).stream()
        .filter(d -> d.name().equals(guest.value()))
        .findFirst()
        .flatMap(DomainReport::health);
  }

  @Override
  public void said(HostId host, BootId boot, FromAgent frame) {
    switch (frame) {
      case FromAgent.Hello h -> hello(h);
      case FromAgent.DisksSeen s -> looks.said(host, s);
      case FromAgent.Domains d -> {
        reported.put(host, d.domains());
        talk().said(host, boot, d, Instant.now());
      }
      case FromAgent.AnswerFrame _, FromAgent.Progress _, FromAgent.Guarded _ ->
          talk().said(host, boot, frame, Instant.now());
    }
  }

  @Override
  public void left(HostId host, BootId boot) {
    log.info("the agent of host {} is disconnected", host);
    talk().left(host);
  }
}
