package dev.haven.simulator;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Failbacks;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Holding;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Operation;
import dev.haven.core.obey.Refusals;
import dev.haven.core.placement.Candidate;
import dev.haven.core.placement.Placement;
import dev.haven.model.Capacity;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Policy;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A cluster in simulated time that begins as somebody describes it, with all its guests running,
 * and tells what becomes of it. Time in which nothing happens costs nothing; see {@link Calm}.
 */
public final class Stage {
  private static final Duration STEP = Duration.ofMillis(100);

  /** A leader is elected, every agent has joined it and reported. */
  private static final Duration BEGINS = Duration.ofSeconds(25);

  /** A guest that is away for less than this while it migrates was paused, not lost. */
  private static final long MIGRATION_PAUSE_NANOS = 500_000_000L;

  private final World world;
  private final Simulation simulation;
  private final Map<GuestId, Availability> availability = new TreeMap<>();
  private final Map<HostId, Seen> seen = new HashMap<>();
  private @Nullable Audience audience;
  private long began;

  /**
   * A host at the beginning.
   *
   * @param power whether it is on, and its agent part of the cluster
   */
  public record HostAtFirst(
      HostSpec spec, Capacity capacity, boolean power, boolean cordoned, Watchdog watchdog) {}

  /** What resets a host whose agent does not feed it. */
  public enum Watchdog {
    NONE,
    /** Armed, and never seen to reset its host: nobody relies on it. */
    UNTESTED,
    /** Armed, and seen to reset its host: its bound is a proof. */
    TESTED
  }

  /**
   * A guest at the beginning.
   *
   * @param wanted whether it runs
   * @param host where; placed as Haven would if empty
   */
  public record GuestAtFirst(GuestSpec spec, boolean wanted, Optional<HostId> host) {}

  /** Hears what happens; times count from the beginning. */
  public interface Audience {
    /** A line of the log. */
    void line(Duration at, String kind, String message);

    /** An entry that was committed. */
    void applied(Duration at, Entry entry, ClusterState before, ClusterState after);
  }

  /** How long and how often a guest was away although it was wanted. */
  public static final class Availability {
    private final Set<HostId> serving = new HashSet<>();
    private long downSince = -1;
    private boolean migrating;
    private Duration outage = Duration.ZERO;
    private int outages;

    public Duration outage() {
      return outage;
    }

    public int outages() {
      return outages;
    }
  }

  /** What was last seen of a host. */
  private static final class Seen {
    long version = -1;
    boolean reachable;
    Set<GuestId> serves = Set.of();
  }

  private Stage(long seed) {
    world = new World(seed);
    simulation = new Simulation(world);
  }

  /**
   * A settled cluster.
   *
   * @param voters names of hosts, or of witnesses that run no guests
   */
  public static Stage of(
      long seed,
      Policy policy,
      List<HostAtFirst> hosts,
      List<GuestAtFirst> guests,
      List<String> voters) {
    return of(seed, true, policy, hosts, guests, voters);
  }

  /**
   * @param sparing whether to leave out the heartbeats of hosts that are well
   */
  static Stage of(
      long seed,
      boolean sparing,
      Policy policy,
      List<HostAtFirst> hosts,
      List<GuestAtFirst> guests,
      List<String> voters) {
    var stage = new Stage(seed);
    stage.build(sparing, policy, hosts, guests, voters);
    return stage;
  }

  private void build(
      boolean sparing,
      Policy policy,
      List<HostAtFirst> hosts,
      List<GuestAtFirst> guests,
      List<String> voters) {
    var state = ClusterState.EMPTY.with(policy);
    var candidates = new TreeMap<HostId, Candidate>();
    for (var h : hosts) {
      var host = addMachine(h.spec(), h.capacity(), h.watchdog());
      var id = h.spec().id();
      state = state.apply(new Change.HostDescribed(identified(h.spec())));
      if (h.cordoned()) {
        state = state.apply(new Change.HostCordoned(id, true));
      }
      var agent = host.agent;
      if (h.power() && agent != null) {
        var hello = host.hello(agent.process);
        state =
            state
                .apply(
                    new Change.AgentSeated(
                        id,
                        host.boot(),
                        new Host.Agent(hello.process(), hello.heartbeatKey(), hello.agentVersion()),
                        hello.capacity()))
                .apply(new Change.HostStateChanged(id, new HostState.Online()));
        candidates.put(
            id,
            new Candidate(
                h.spec(), h.capacity(), h.cordoned() ? "is cordoned" : "", 0, 0, false, List::of));
      } else {
        host.powerOff();
      }
    }
    for (var name : voters) {
      var host = world.hosts.get(new HostId(name));
      var machine = host == null ? new Machine(name) : host.machine;
      if (host == null) {
        world.machines.add(machine);
      }
      var voter = new SimVoter(world, machine);
      voter.up = machine.power;
      world.voters.add(voter);
      world.voterNames.add(name);
    }
    for (var guest : inOrder(guests)) {
      state = place(state, guest, candidates);
    }
    world.committed = state;
    world.voters.forEach(v -> v.state = world.committed);
    if (sparing) {
      world.calm.spare();
    }
    world.start();
    world.clock.run(BEGINS);
    began = world.clock.nanos();
    world.eachStep = this::watch;
    world.witness = this::applied;
    watch();
    world.listen(this::line);
  }

  /** Its devices are known to be its own. */
  private static HostSpec identified(HostSpec spec) {
    return spec.uuid().isPresent()
        ? spec
        : new HostSpec(
            spec.id(),
            Optional.of(SimHost.uuid(spec.id())),
            spec.migrationUri(),
            spec.networks(),
            spec.fencing(),
            spec.labels(),
            spec.failureDomain(),
            spec.memoryReserveMib(),
            spec.cpuOvercommit());
  }

  private SimHost addMachine(HostSpec spec, Capacity capacity, Watchdog watchdog) {
    var machine = new Machine(spec.id().value());
    if (spec.networks().size() < 2) {
      machine.oneNetwork = true;
      machine.port[Machine.MIGRATION] = false;
    }
    world.machines.add(machine);
    var host = new SimHost(world, machine, !spec.fencing().isEmpty(), watchdog, capacity);
    world.hosts.put(host.id, host);
    return host;
  }

  /** Those with a host first, then as Haven would start them. */
  private static List<GuestAtFirst> inOrder(List<GuestAtFirst> guests) {
    return guests.stream()
        .sorted(
            Comparator.comparing((GuestAtFirst g) -> g.host().isEmpty())
                .thenComparing(g -> -g.spec().priority())
                .thenComparing(g -> -g.spec().memoryMib())
                .thenComparing(g -> g.spec().id()))
        .toList();
  }

  private ClusterState place(
      ClusterState state, GuestAtFirst guest, Map<HostId, Candidate> candidates) {
    var spec = guest.spec();
    var id = spec.id();
    var next = state.apply(new Change.GuestDescribed(spec, guest.wanted()));
    availability.put(id, new Availability());
    var to =
        !guest.wanted()
            ? Optional.<HostId>empty()
            : guest
                .host()
                .or(
                    () ->
                        Placement.best(
                            spec, candidates.values(), Optional.empty(), Set.<HostId>of()));
    if (to.isEmpty() || !candidates.containsKey(to.get())) {
      return next;
    }
    var host = world.host(to.get());
    candidates.computeIfPresent(to.get(), (_, c) -> c.with(spec));
    var epoch = Epoch.NONE.next();
    try {
      var _ = host.book.admit(id, epoch, false, Refusals.Here.YES);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // no disk fails before the story begins
    }
    host.domains.put(id, new SimDomain(epoch, DomainState.RUNNING));
    var holding = new Holding(host.id, host.boot(), epoch);
    return next.apply(new Change.GuestPlaced(id, holding))
        .apply(new Change.PhaseChanged(id, new GuestPhase.Running(holding)));
  }

  /** Who hears what happens from now on. */
  public void plays(Audience to) {
    audience = to;
  }

  private void line(String line) {
    if (audience != null) {
      var message = line.substring(line.indexOf(" s  ") + 4);
      int kind = message.indexOf(' ');
      audience.line(time(), message.substring(0, kind), message.substring(kind).strip());
    }
  }

  private void applied(Entry entry, ClusterState before, ClusterState after) {
    for (var change : entry.changes()) {
      switch (change) {
        case Change.GuestDescribed c -> // a new one
            availability.computeIfAbsent(c.spec().id(), _ -> new Availability());
        case Change.GuestWanted c when !c.wanted() -> endOutage(c.guest()); // meant to be off
        case Change.OfGuest _,
            Change.OfHost _,
            Change.OfOperation _,
            Change.OfTrust _,
            Change.OfCluster _ -> {}
      }
    }
    if (audience != null) {
      audience.applied(time(), entry, before, after);
    }
  }

  // time

  /** Since the beginning. */
  public Duration time() {
    return Duration.ofNanos(world.clock.nanos() - began);
  }

  /** Lets time pass. */
  public void runUntil(Duration time) {
    while (time().compareTo(time) < 0) {
      var left = time.minus(time());
      if (quiet()) {
        world.skip(left);
      } else {
        world.clock.run(left.compareTo(STEP) < 0 ? left : STEP);
      }
    }
  }

  private boolean quiet() {
    if (!world.calm.quiet()) {
      return false;
    }
    world.calm.survey(world.clock.nanos()); // something may have happened since the last step
    return world.calm.quiet();
  }

  /** What is not over yet, one line each; empty once all has settled. */
  public List<String> unfinished() {
    var left = new ArrayList<String>();
    var leader = world.leader();
    if (leader.isEmpty()) {
      left.add("there is no leader");
    }
    var state = world.committed;
    for (var host : world.calm.restless()) {
      switch (state.host(host.id).map(Host::state).orElse(null)) {
        case HostState.Online _ -> {
          if (!host.agentRuns() || !host.machine.connected()) {
            left.add("host %s is about to be missed".formatted(host.id));
          } else if (host.agent != null && host.agent.rules.starving()) {
            left.add("host %s is about to be reset".formatted(host.id));
          }
        }
        case HostState.Suspect _ -> left.add("host %s is silent".formatted(host.id));
        case HostState.Fencing _ -> left.add("host %s is being fenced".formatted(host.id));
        case HostState.Expected _, HostState.Fenced _ -> {
          if (world.calm.canJoin(host) || (host.machine.power && host.comesUp())) {
            left.add("host %s is on and not taken in".formatted(host.id));
          }
        }
        case null -> {}
      }
    }
    boolean idle = leader.filter(l -> l.leading != null && l.leading.idle()).isPresent();
    for (var id : state.unsettled()) {
      state
          .guest(id)
          .filter(g -> !(idle && g.phase() instanceof GuestPhase.Waiting))
          .ifPresent(g -> left.add("guest %s: %s".formatted(id, g.phase())));
    }
    if (!idle) {
      for (var operation : state.operations()) {
        if (operation.state() == Operation.State.RUNNING) {
          left.add("%s: %s".formatted(operation.id(), operation.detail()));
        }
      }
    }
    if (world.hangUnnoticed > 0) {
      left.add("a guest hangs, and its host's agent has not found out yet");
    }
    if (left.isEmpty()) {
      Failbacks.of(state)
          .forEach(
              d ->
                  left.add(
                      "guest %s goes back to host %s in %d s"
                          .formatted(
                              d.guest(),
                              d.to(),
                              Math.max(
                                  0,
                                  Duration.between(world.clock.instant(), d.notBefore())
                                      .toSeconds()))));
    }
    if (world.person.waits()) {
      left.add("a command has no answer");
    }
    for (var host : world.hosts.values()) {
      if (host.agentRuns() && world.clock.nanos() - host.changedAt < 1_000_000_000L) {
        left.add("guests of host %s change".formatted(host.id));
      }
    }
    return left;
  }

  // what is seen

  public ClusterState state() {
    return world.committed;
  }

  /** What must always hold and did not. */
  public List<String> violations() {
    return List.copyOf(world.violations);
  }

  /** Where each guest executes by the truth. */
  public Map<GuestId, HostId> places() {
    var places = new HashMap<GuestId, HostId>();
    for (var host : world.hosts.values()) {
      for (var guest : host.domains.keySet()) {
        if (world.runs(guest, host.id)) {
          places.put(guest, host.id);
        }
      }
    }
    return places;
  }

  /** Whether it executes where it can be reached over some network. */
  public boolean serves(GuestId guest) {
    var known = availability.get(guest);
    return known != null && !known.serving.isEmpty();
  }

  /** Tells when each host was reset by its own watchdog. */
  public void selfFenced(BiConsumer<Duration, HostId> to) {
    world.resets.forEach(r -> to.accept(Duration.ofNanos(r.at() - began), r.host()));
  }

  /** How the machine of a host is by the truth. */
  public String machine(HostId id) {
    var machine = world.host(id).machine;
    return !machine.power ? "off" : machine.hung ? "hung" : !machine.connected() ? "cut off" : "on";
  }

  /** Of every guest there ever was. */
  public Map<GuestId, Availability> availability() {
    world.committed.guests().forEach(g -> countTo(g.id()));
    return Map.copyOf(availability);
  }

  private void countTo(GuestId guest) {
    var known = availability.get(guest);
    if (known != null && known.downSince >= 0) {
      endOutage(guest);
      known.downSince = world.clock.nanos();
    }
  }

  private void watch() {
    for (var host : world.hosts.values()) {
      var last = seen.computeIfAbsent(host.id, _ -> new Seen());
      boolean reachable =
          host.machine.alive()
              && (host.machine.port[Machine.CONTROL] || host.machine.port[Machine.MIGRATION]);
      if (last.version != host.version || last.reachable != reachable) {
        last.version = host.version;
        last.reachable = reachable;
        watch(host, last);
      }
    }
  }

  private void watch(SimHost host, Seen last) {
    var serves = new HashSet<GuestId>();
    if (last.reachable) {
      host.domains.forEach(
          (guest, domain) -> {
            if (domain.executes()) {
              serves.add(guest);
            }
          });
    }
    var before = last.serves;
    last.serves = serves;
    for (var guest : before) {
      var known = availability.get(guest);
      if (known != null && !serves.contains(guest) && known.serving.remove(host.id)) {
        beginOutage(guest, known);
      }
    }
    for (var guest : serves) {
      var known = availability.get(guest);
      if (known != null && known.serving.add(host.id)) {
        endOutage(guest);
      }
    }
  }

  private void beginOutage(GuestId guest, Availability known) {
    var now = world.committed.guest(guest);
    if (known.serving.isEmpty() && now.filter(g -> g.wanted()).isPresent()) {
      known.downSince = world.clock.nanos();
      known.migrating = now.get().phase() instanceof GuestPhase.Migrating;
    }
  }

  private void endOutage(GuestId guest) {
    var known = availability.get(guest);
    if (known == null || known.downSince < 0) {
      return;
    }
    long nanos = world.clock.nanos() - known.downSince;
    known.downSince = -1;
    // one that was seen to go and to come at once has moved
    if (nanos > 0 && (!known.migrating || nanos >= MIGRATION_PAUSE_NANOS)) {
      known.outage = known.outage.plusNanos(nanos);
      known.outages++;
    }
  }

  // what happens

  /** What can happen to a host. */
  public enum HostEvent {
    POWER_OFF,
    POWER_ON,
    /** By its owner: its daemons stop, its guests are ended, its power goes off. */
    SHUTDOWN,
    /** The same, and half a minute later it is on again. */
    REBOOT,
    /** Its kernel answers nobody any more; what runs on it goes on. */
    HANG,
    UNHANG
  }

  public void happens(HostEvent event, HostId id) {
    var name = id.value();
    switch (event) {
      case POWER_OFF -> simulation.powerLoss(name);
      case POWER_ON -> simulation.powerOn(name);
      case SHUTDOWN -> {
        say("host " + name + " is shut down by its owner");
        shutDown(id);
      }
      case REBOOT -> {
        say("host " + name + " is rebooted by its owner");
        shutDown(id);
        var host = world.host(id);
        world.clock.after(
            Duration.ofSeconds(35),
            () -> {
              if (!host.machine.power) {
                simulation.powerOn(name);
              }
            });
      }
      case HANG -> simulation.hosts().hang(name);
      case UNHANG -> simulation.hosts().unhang(name);
    }
  }

  private void shutDown(HostId id) {
    var host = world.host(id);
    int boot = host.boots;
    host.stopAgent();
    world.voterOn(host.machine).ifPresent(SimVoter::kill);
    world.clock.after(
        Duration.ofSeconds(3),
        () -> {
          if (host.boots == boot && host.machine.power) {
            world.log("truth", "the power of host " + id + " goes off");
            host.powerOff();
          }
        });
  }

  private void say(String what) {
    world.log("happens", what);
  }

  /** A host's ports. @param network 0 is the control network, 1 the migration network */
  public void port(HostId id, int network, boolean up) {
    var machine = world.host(id).machine;
    if (machine.oneNetwork && network == Machine.MIGRATION) {
      return;
    }
    say(
        "host %s %s its %s port"
            .formatted(id, up ? "has back" : "loses", network == 0 ? "control" : "migration"));
    machine.port[network] = up;
  }

  /** The programs of Haven, and the one that it drives. */
  public enum Daemon {
    AGENT,
    ORCHESTRATOR,
    LIBVIRTD
  }

  /** Stops a daemon, so that nobody starts it again, or starts it. */
  public void daemon(HostId id, Daemon daemon, boolean up) {
    var host = world.host(id);
    say(
        "%s on host %s is %s"
            .formatted(
                daemon.name().toLowerCase(java.util.Locale.ROOT), id, up ? "started" : "stopped"));
    switch (daemon) {
      case AGENT -> {
        if (up) {
          host.startAgent();
        } else {
          host.stopAgent();
        }
      }
      case ORCHESTRATOR ->
          world.voterOn(host.machine).ifPresent(up ? SimVoter::start : SimVoter::kill);
      case LIBVIRTD -> {
        if (up) {
          host.libvirtBack();
        } else {
          host.libvirtDown();
        }
      }
    }
  }

  public void device(HostId id, Simulation.PowerDeviceMode mode) {
    simulation.devices().behave(mode, id.value());
  }

  /** The next starts of a guest on a host fail. @param guest any, if empty */
  public void startsFail(HostId id, Optional<GuestId> guest, int times) {
    say(
        "the next %d starts of %s on host %s will fail"
            .formatted(times, guest.map(g -> "guest " + g).orElse("any guest"), id));
    world.host(id).startFailures.put(guest.map(GuestId::value).orElse("*"), times);
  }

  public void migrationsFail(GuestId guest, int times) {
    say("the next %d migrations of guest %s will fail".formatted(times, guest));
    world.migrationFailures.put(guest, times);
  }

  /** The guest ends, or is paused, by itself. */
  public void guestBecomes(GuestId guest, DomainState state) {
    simulation.guests().guestBecomes(guest.value(), state);
  }

  /** The guest does nothing useful any more. */
  public void guestHangs(GuestId guest) {
    simulation.guests().guestHangs(guest.value());
  }

  /** Somebody asks for this; asked again until there is an answer. */
  public void command(Command command, Consumer<Reply> answered) {
    world.person.asks(command, answered);
  }

  /** A new machine, switched on, of which the cluster does not know yet. */
  public void machine(HostAtFirst host) {
    if (!world.hosts.containsKey(host.spec().id())) {
      addMachine(host.spec(), host.capacity(), host.watchdog());
    }
  }

  public boolean hasHost(HostId id) {
    return world.hosts.containsKey(id);
  }
}
