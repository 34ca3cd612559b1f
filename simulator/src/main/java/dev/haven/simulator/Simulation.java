package dev.haven.simulator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Operation;
import dev.haven.model.AgentPing;
import dev.haven.model.DomainState;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.OperationId;
import dev.haven.model.RuleText;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.GoingDown;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * A cluster in simulated time: the production decisions among simulated hosts, networks, power
 * devices and voters. The same seed gives the same course, to the nanosecond.
 *
 * <pre>{@code
 * var cluster = Simulation.of(seed, "a", "b", "c").guest("web", on("a"));
 * cluster.cutOff("a").fencingDeviceHangs().runFor(minutes(5)).expect("web", on("a"));
 * cluster.fencingDeviceWorks().runFor(minutes(1)).expect("web", on("b", "c"));
 * }</pre>
 *
 * <p>The first three hosts carry a voter each; where there are fewer, witnesses make up three. What
 * must always hold is checked all the time; {@link #violations} tells what did not.
 */
public final class Simulation {
  private static final Duration SETUP = Duration.ofMinutes(2);

  private int strangers;
  final World world;

  /** Hosts by name. */
  public record Place(Set<String> hosts) {
    public Place {
      hosts = new TreeSet<>(hosts);
    }
  }

  private Simulation(long seed) {
    this(new World(seed));
  }

  Simulation(World world) {
    this.world = world;
  }

  /** A healthy cluster of these hosts, all online, without a guest. */
  public static Simulation of(long seed, String... hosts) {
    return of(seed, true, false, hosts);
  }

  static Simulation of(long seed, boolean devices, boolean watchdogs, String... hosts) {
    return of(seed, devices, watchdogs, watchdogs, hosts);
  }

  /**
   * @param tested whether each watchdog has once been seen to reset its host
   */
  static Simulation of(
      long seed, boolean devices, boolean watchdogs, boolean tested, String... hosts) {
    var s = new Simulation(seed);
    for (var name : hosts) {
      var machine = new Machine(name);
      s.world.machines.add(machine);
      var host = new SimHost(s.world, machine, devices, watchdogs);
      host.watchdogSeen = tested;
      host.watchdogIsDud = watchdogs && !tested;
      s.world.hosts.put(new HostId(name), host);
    }
    for (int i = hosts.length; i < 3; i++) {
      s.world.machines.add(new Machine("witness-" + (i - hosts.length + 1)));
    }
    for (var machine : s.world.machines.subList(0, 3)) {
      s.world.voters.add(new SimVoter(s.world, machine));
      s.world.voterNames.add(machine.name);
    }
    s.world.start();
    int number = 1;
    for (var host : s.world.hosts.values()) {
      s.ask(new Command.AddHost(spec(host, number++, devices)));
    }
    s.runUntil(
        SETUP,
        () ->
            s.world.committed.hosts().size() == hosts.length
                && s.world.committed.hosts().stream().allMatch(h -> h.online()));
    return s;
  }

  private static HostSpec spec(SimHost host, int number, boolean device) {
    return new HostSpec(
        host.id,
        Optional.of(host.uuid()),
        "qemu+tcp://" + host.id + "/system",
        List.of(
            new Network("control", "10.0.1." + number, List.of(Network.Role.CONTROL)),
            new Network("migration", "10.0.2." + number, List.of(Network.Role.MIGRATION))),
        device
            ? List.of(List.of(new FencingDevice("bmc-" + host.id, "ipmi", Map.of())))
            : List.of(),
        Map.of(),
        Optional.empty(),
        HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
        HostSpec.DEFAULT_CPU_OVERCOMMIT);
  }

  static GuestSpec guestSpec(String name, long memoryMib) {
    return guestSpec(name, memoryMib, List.of());
  }

  /**
   * @param more labels ({@code app=shop}) and rules ({@code together:app=shop})
   */
  static GuestSpec guestSpec(String name, long memoryMib, List<String> more) {
    var labels = new TreeMap<String, String>();
    for (var word : more) {
      if (!word.contains(":")) {
        labels.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
      }
    }
    return new GuestSpec(
        new GuestId(name),
        "uuid-" + name,
        memoryMib,
        1,
        0,
        "<domain/>",
        labels,
        more.stream().filter(w -> w.contains(":")).map(RuleText::parse).toList(),
        GuestSpec.Restart.ANYWHERE,
        GuestSpec.DEFAULT_START_ATTEMPTS,
        Optional.empty(),
        Optional.of(new HealthCheck(Optional.of(AgentPing.DEFAULT), true)));
  }

  public static Place on(String... hosts) {
    return new Place(Set.of(hosts));
  }

  public static Duration seconds(long n) {
    return Duration.ofSeconds(n);
  }

  public static Duration minutes(long n) {
    return Duration.ofMinutes(n);
  }

  /** Creates a guest of 1 GiB and waits until it runs there. */
  public Simulation guest(String name, Place place) {
    return guest(name, 1024, place);
  }

  Simulation guest(String name, long memoryMib, Place place) {
    var others =
        world.hosts.keySet().stream().filter(h -> !place.hosts().contains(h.value())).toList();
    others.forEach(h -> ask(new Command.Cordon(h)));
    ask(new Command.CreateGuest(guestSpec(name, memoryMib), true));
    runUntil(SETUP, () -> place(name).filter(h -> place.hosts().contains(h)).isPresent());
    others.forEach(h -> ask(new Command.Uncordon(h)));
    return this;
  }

  /** Hears every line of the log from now on. */
  public Simulation listen(Consumer<String> line) {
    world.listen(line);
    return this;
  }

  /** Sends a command and waits for its answer. */
  public Reply ask(Command command) {
    var reply = new ArrayList<Reply>();
    world.person.asks(command, reply::add);
    runUntil(SETUP, () -> !reply.isEmpty());
    if (reply.isEmpty()) {
      throw new IllegalStateException("no answer to " + command + " within " + SETUP);
    }
    return reply.getFirst();
  }

  public Simulation runFor(Duration time) {
    world.clock.run(time);
    return this;
  }

  /** Lets time pass until this is so, at most so long. */
  public boolean runUntil(Duration atMost, BooleanSupplier so) {
    long end = world.clock.nanos() + atMost.toNanos();
    while (!so.getAsBoolean()) {
      if (world.clock.nanos() >= end) {
        return false;
      }
      world.clock.run(Duration.ofMillis(100));
    }
    return true;
  }

  /** Simulated time since the beginning. */
  public Duration time() {
    return Duration.ofNanos(world.clock.nanos());
  }

  public ClusterState state() {
    return world.committed;
  }

  public List<String> violations() {
    return List.copyOf(world.violations);
  }

  /** Where the guest executes by the truth; empty if nowhere. */
  public Optional<String> place(String guest) {
    return world.hosts.keySet().stream()
        .filter(h -> world.runs(new GuestId(guest), h))
        .map(HostId::value)
        .findFirst();
  }

  /**
   * The guest must run there by the truth, and nothing may have been violated.
   *
   * @throws AssertionError if the guest does not run on one of these hosts
   */
  public Simulation expect(String guest, Place place) {
    check(
        place(guest).filter(place.hosts()::contains).isPresent(),
        "guest %s runs on %s, not on %s"
            .formatted(guest, place(guest).orElse("no host"), place.hosts()));
    return this;
  }

  /**
   * The guest must not run by the truth; the copy of a hung host does not count.
   *
   * @throws AssertionError if the guest runs anywhere
   */
  public Simulation expectNowhere(String guest) {
    check(place(guest).isEmpty(), "guest %s runs on %s".formatted(guest, place(guest).orElse("")));
    return this;
  }

  private void check(boolean so, String otherwise) {
    if (!so || !world.violations.isEmpty()) {
      throw new AssertionError(
          String.join("; ", world.violations)
              + (so ? "" : otherwise)
              + "\n"
              + String.join("\n", world.lastLines()));
    }
  }

  private SimHost host(String name) {
    return world.host(new HostId(name));
  }

  // what happens

  public Simulation powerLoss(String host) {
    world.log("happens", "host " + host + " loses power");
    host(host).powerOff();
    return this;
  }

  public Simulation powerOn(String host) {
    world.log("happens", "host " + host + " is switched on");
    host(host).powerOn();
    return this;
  }

  /** Its kernel answers nobody any more; its guests run on. */
  public Simulation hang(String host) {
    world.log("happens", "host " + host + " hangs");
    host(host).machine.hung = true;
    return this;
  }

  public Simulation unhang(String host) {
    var h = host(host);
    if (h.machine.hung) {
      world.log("happens", "host " + host + " goes on");
      h.machine.hung = false;
      if (h.agent != null) {
        h.agent.goOn();
      }
    }
    return this;
  }

  /** Both its ports are down. */
  public Simulation cutOff(String host) {
    world.log("happens", "host " + host + " is cut off");
    host(host).machine.port[Machine.CONTROL] = false;
    host(host).machine.port[Machine.MIGRATION] = false;
    return this;
  }

  public Simulation cut(String host, int network) {
    world.log(
        "happens",
        "host " + host + " loses its " + (network == 0 ? "control" : "migration") + " port");
    host(host).machine.port[network] = false;
    return this;
  }

  public Simulation reconnect(String host) {
    world.log("happens", "host " + host + " is connected again");
    host(host).machine.port[Machine.CONTROL] = true;
    host(host).machine.port[Machine.MIGRATION] = true;
    host(host).machine.deaf = false;
    host(host).machine.mute = false;
    return this;
  }

  public Simulation device(PowerDeviceMode mode, String... hosts) {
    for (var name : hosts.length == 0 ? names() : List.of(hosts)) {
      world.log("happens", "the power device of host " + name + " " + mode.words);
      host(name).device.behaves(mode.device);
    }
    return this;
  }

  private List<String> names() {
    return world.hosts.keySet().stream().map(HostId::value).toList();
  }

  /** How a power device behaves. */
  public enum PowerDeviceMode {
    WORKS(DeviceMode.WORKS, "works"),
    HANGS(DeviceMode.HANGS, "hangs"),
    REFUSES(DeviceMode.REFUSES, "refuses to switch"),
    LIES(DeviceMode.LIES, "says off and switches nothing"),
    SLOW(DeviceMode.SLOW, "is slow"),
    ASKS_FIRST(DeviceMode.ASKS_FIRST, "sends no order to what says off already"),
    NAMELESS(DeviceMode.NAMELESS, "tells no identity"),
    FORGETS(DeviceMode.FORGETS, "is reset and says off for up to 30 s"),
    STALE(DeviceMode.STALE, "says how the power was up to 30 s ago"),
    WRONG_HOST(DeviceMode.WRONG_HOST, "is that of another host"),
    DIES(DeviceMode.DIES, "dies after the next order");

    private final DeviceMode device;
    private final String words;

    PowerDeviceMode(DeviceMode device, String words) {
      this.device = device;
      this.words = words;
    }
  }

  /** Of all hosts, if none is named. */
  public Simulation fencingDeviceHangs(String... hosts) {
    return device(PowerDeviceMode.HANGS, hosts);
  }

  /** Of all hosts, if none is named. */
  public Simulation fencingDeviceWorks(String... hosts) {
    return device(PowerDeviceMode.WORKS, hosts);
  }

  /**
   * Another machine with this host's key says hello as that host for half a minute.
   *
   * @param sameUuid whether its machine tells the host's own UUID
   */
  public Simulation stranger(String host, boolean sameUuid) {
    world.log(
        "happens",
        "a stranger with the key of host %s says hello%s"
            .formatted(host, sameUuid ? " and tells its UUID" : ""));
    var uuid = sameUuid ? host(host).uuid() : "uuid-of-another-machine";
    new Stranger(world, host(host), java.util.Optional.of(uuid), ++strangers, 46).asks();
    return this;
  }

  public Simulation agentStops(String host) {
    world.log("happens", "the agent of host " + host + " is stopped");
    var agent = host(host).agent;
    if (agent != null) {
      agent.stopped = true;
    }
    return this;
  }

  public Simulation agentGoesOn(String host) {
    var agent = host(host).agent;
    if (agent != null && agent.stopped) {
      world.log("happens", "the agent of host " + host + " goes on");
      agent.stopped = false;
      agent.goOn();
    }
    return this;
  }

  public Simulation agentDies(String host, Duration backAfter) {
    world.log("happens", "the agent of host " + host + " dies");
    host(host).killAgent((double) backAfter.toMillis());
    return this;
  }

  public Simulation libvirtDown(String host) {
    world.log("happens", "libvirt of host " + host + " is down");
    host(host).libvirtDown();
    return this;
  }

  public Simulation libvirtUp(String host) {
    if (!host(host).libvirtUp) {
      world.log("happens", "libvirt of host " + host + " is back");
      host(host).libvirtBack();
    }
    return this;
  }

  public Simulation voterDies(String voter, Duration backAfter) {
    world.log("happens", "the voter on " + voter + " dies");
    world.voters.stream()
        .filter(v -> v.name().equals(voter))
        .forEach(v -> v.restartAfter((double) backAfter.toMillis()));
    return this;
  }

  /** All at once. */
  public Simulation votersDie(Duration backAfter) {
    world.log("happens", "all voters die");
    world.voters.forEach(v -> v.restartAfter((double) backAfter.toMillis()));
    return this;
  }

  /** Every port of every machine. */
  public Simulation networkDown() {
    world.log("happens", "the network is down");
    ports(false);
    return this;
  }

  public Simulation networkUp() {
    world.log("happens", "the network is up");
    ports(true);
    return this;
  }

  private void ports(boolean up) {
    for (var machine : world.machines) {
      machine.port[Machine.CONTROL] = up;
      machine.port[Machine.MIGRATION] = up;
    }
  }

  /** The name of the voter that leads; empty if none does. */
  public Optional<String> leader() {
    return world.leader().map(SimVoter::name);
  }

  /** Another election, though the leader may be well. */
  public Simulation elect() {
    world.elect();
    return this;
  }

  /** The guest ends or is paused by itself. */
  public Simulation guestBecomes(String guest, DomainState state) {
    for (var host : world.hosts.values()) {
      var domain = host.domains.get(new GuestId(guest));
      if (domain != null && domain.state == DomainState.RUNNING && domain.leaving == null) {
        world.log("happens", "guest %s on host %s: %s".formatted(guest, host.id, state));
        world.judge.mayStop(new GuestId(guest));
        host.ends(new GuestId(guest), state);
      }
    }
    return this;
  }

  /** The guest does nothing useful any more; it may well go on writing. */
  public Simulation guestHangs(String guest) {
    for (var host : world.hosts.values()) {
      var domain = host.domains.get(new GuestId(guest));
      if (domain != null && domain.state == DomainState.RUNNING && domain.leaving == null) {
        world.log("happens", "guest %s on host %s hangs".formatted(guest, host.id));
        host.hangs(new GuestId(guest));
      }
    }
    return this;
  }

  /** Somebody shuts it down, or reboots it, in an orderly way. */
  public Simulation goesDown(String host, GoingDown how) {
    world.log(
        "happens",
        "host %s is %s".formatted(host, how == GoingDown.REBOOT ? "rebooted" : "shut down"));
    host(host).goesDown(how);
    return this;
  }

  /** Whether libvirt can end guests there: where it cannot, QEMU hangs in the kernel. */
  public Simulation destroysHang(String host, boolean hang) {
    world.log("happens", "guests %s be ended on host %s".formatted(hang ? "cannot" : "can", host));
    host(host).destroysHang = hang;
    return this;
  }

  /** Whether libvirt says in time what became of starts there. */
  public Simulation startsUnclear(String host, boolean unclear) {
    world.log(
        "happens", "starts on host %s are %s".formatted(host, unclear ? "unclear" : "clear again"));
    host(host).startsUnclear = unclear;
    return this;
  }

  /** Whether a start there takes a minute or more: longer than its agent waits. */
  public Simulation startsSlow(String host, boolean slow) {
    world.log(
        "happens",
        "starts on host %s %s".formatted(host, slow ? "take a minute" : "are quick again"));
    host(host).startsSlow = slow;
    return this;
  }

  /** What the processes of its agent hand on to each other in /run is lost. */
  public Simulation runEmptied(String host) {
    world.log("happens", "/run of host " + host + " is emptied");
    host(host).run = null;
    return this;
  }

  /** For so long the agent hears of what happens to guests only seconds later. */
  Simulation libvirtIsLate(String host, Duration time) {
    world.log(
        "happens", "libvirt of host %s tells late for %d ms".formatted(host, time.toMillis()));
    host(host).lateUntil = world.clock.nanos() + time.toNanos();
    return this;
  }

  /**
   * libvirt says that a guest is off there, and its process runs on; or somebody ends that process.
   */
  Simulation qemuLost(String guest, String host, boolean lost) {
    var id = new GuestId(guest);
    var domain = host(host).domains.get(id);
    boolean runs = domain != null && domain.state == DomainState.RUNNING && domain.leaving == null;
    if (lost ? runs : host(host).strays.contains(id)) {
      world.log(
          "happens",
          "the process of guest %s on host %s %s"
              .formatted(guest, host, lost ? "is lost to libvirt and runs on" : "is ended"));
      host(host).loses(id, lost);
    }
    return this;
  }

  public Simulation startsFailOn(String host, boolean fail) {
    world.log("happens", "guests " + (fail ? "do not" : "do") + " start on host " + host);
    host(host).startsFail = fail;
    return this;
  }

  /** Sends a command without waiting for its answer. */
  public Simulation command(Command command) {
    world.person.asks(command);
    return this;
  }

  Simulation deaf(String host) {
    world.log("happens", "nothing comes in at host " + host);
    host(host).machine.deaf = true;
    return this;
  }

  Simulation mute(String host) {
    world.log("happens", "nothing leaves host " + host);
    host(host).machine.mute = true;
    return this;
  }

  /** Every port of every machine in one network. */
  Simulation networkDown(int network) {
    world.log(
        "happens",
        "the " + (network == Machine.CONTROL ? "control" : "migration") + " network is down");
    world.machines.forEach(m -> m.port[network] = false);
    return this;
  }

  /** These machines reach only each other, and who has the same numbers. */
  Simulation side(int control, int migration, String... machines) {
    var all = List.of(machines);
    world.log(
        "happens", "%s are on side %d, %d".formatted(String.join(", ", all), control, migration));
    for (var machine : world.machines) {
      if (all.contains(machine.name)) {
        machine.side[Machine.CONTROL] = control;
        machine.side[Machine.MIGRATION] = migration;
      }
    }
    return this;
  }

  /** Of any machine, a witness too. */
  Simulation portBack(String machine) {
    world.machines.stream()
        .filter(m -> m.name.equals(machine))
        .forEach(
            m -> {
              m.port[Machine.CONTROL] = true;
              m.port[Machine.MIGRATION] = true;
            });
    return this;
  }

  Simulation whole() {
    world.log("happens", "the network is whole again");
    for (var machine : world.machines) {
      machine.side[Machine.CONTROL] = 0;
      machine.side[Machine.MIGRATION] = 0;
    }
    return this;
  }

  /** That share of all heartbeats. */
  Simulation beatsLost(double share) {
    world.log("happens", share > 0 ? "heartbeats are lost" : "no heartbeat is lost any more");
    world.loss = share;
    return this;
  }

  Simulation voterStops(String name, boolean stops) {
    for (var voter : world.voters) {
      if (voter.name().equals(name) && voter.stopped != stops) {
        world.log("happens", "the voter on " + name + (stops ? " is stopped" : " goes on"));
        voter.stopped = stops;
      }
    }
    return this;
  }

  /** The wall clock of a voter is that much ahead from now on. */
  Simulation clockJumps(String name, Duration ahead) {
    for (var voter : world.voters) {
      if (voter.name().equals(name)) {
        world.log("happens", "the clock of %s is %d s ahead".formatted(name, ahead.toSeconds()));
        voter.skew = ahead;
      }
    }
    return this;
  }

  /** A disk of this guest is written through the page cache: a pause of it proves nothing. */
  Simulation pageCache(String guest) {
    world.cached.add(new GuestId(guest));
    return this;
  }

  /** A second power supply with a device of its own; how that behaves from now on. */
  Simulation secondSupply(String name, PowerDeviceMode mode) {
    world.log(
        "happens", "the device of the second power supply of host " + name + " " + mode.words);
    var h = host(name);
    if (h.secondDevice == null) {
      h.secondDevice = new SimDevice(world, h, 1);
      world
          .committed
          .host(h.id)
          .ifPresent(
              known ->
                  ask(
                      new Command.AddHost(
                          known
                              .spec()
                              .with(
                                  List.of(
                                      List.of(
                                          new FencingDevice("bmc-" + name, "ipmi", Map.of()),
                                          new FencingDevice(
                                              SimVoter.SECOND + name, "ipmi", Map.of())))))));
    }
    h.secondDevice.behaves(mode.device);
    return this;
  }

  /** Of all voters: who leads goes on leading and granting leases, and commits nothing. */
  Simulation disksFull(boolean full) {
    world.log("happens", full ? "the disks of all voters are full" : "the voters' disks have room");
    world.disksFull = full;
    return this;
  }

  /** The disk on which this host's agent keeps its order book: what it writes is uncertain. */
  Simulation agentsDiskFails(String name, boolean fails) {
    world.log(
        "happens",
        "the disk of host %s's agent %s".formatted(name, fails ? "takes no note" : "works again"));
    host(name).disk.fails = fails;
    return this;
  }

  /**
   * For so long what is sent to this agent, or by it, stays in a buffer. What is sent after the
   * next such sentence may overtake it.
   */
  Simulation stall(String name, boolean in, Duration time) {
    world.log(
        "happens",
        "messages %s the agent of host %s linger for %d ms"
            .formatted(in ? "to" : "from", name, time.toMillis()));
    long until = world.clock.nanos() + time.toNanos();
    if (in) {
      host(name).stalledIn = until;
    } else {
      host(name).stalledOut = until;
    }
    return this;
  }

  /** Whether a guest there can be paused: its requests to the storage come to an end. */
  Simulation drains(String name, boolean end) {
    world.log("happens", "guests on host " + name + (end ? " can" : " cannot") + " be paused");
    host(name).drainsHang = !end;
    return this;
  }

  /** Somebody at the console: if nothing of a guest is there, they say that the host is dead. */
  Simulation lookAt(String name) {
    var id = new HostId(name);
    boolean empty =
        host(name).domains.values().stream().noneMatch(d -> d.state.active() || d.occupied());
    world.log("happens", "host %s is looked at: %s".formatted(name, empty ? "empty" : "in use"));
    return empty
        ? command(new Command.ConfirmDead(id, Command.ConfirmDead.sentence(id), Optional.empty()))
        : this;
  }

  /** Nothing happens any more: whoever waits is let go. */
  void end() {
    world.time.end();
  }

  Simulation chaos(Unreliability chaos) {
    world.chaos = chaos;
    return this;
  }

  /**
   * Ends all faults and lets people tidy up; then all that is wanted must run again.
   *
   * @return what is not so, one line each
   */
  List<String> endsWell(Duration within) {
    if (!world.violations.isEmpty()) {
      return violations();
    }
    heal();
    runFor(seconds(90));
    command(new Command.Resume());
    for (var operation : state().operations()) {
      if (operation.running() && operation.kind() instanceof Operation.Kind.EvacuateHost) {
        command(new Command.CancelOperation(operation.id()));
      }
    }
    runFor(seconds(5));
    for (var host : state().hosts()) {
      command(new Command.Uncordon(host.id()));
    }
    for (var guest : state().guests()) {
      if (guest.phase() instanceof GuestPhase.Failed) {
        command(new Command.StartGuest(guest.id()));
      }
    }
    doAsAlarmsSay();
    boolean settled = runUntil(within, () -> !world.violations.isEmpty() || unsettled().isEmpty());
    var wrong = new ArrayList<>(world.violations);
    if (!settled) {
      wrong.add("not settled %s after the last fault ended: %s".formatted(within, unsettled()));
    }
    for (var request : world.person.acknowledged) {
      if (state().answer(request).isEmpty()) {
        wrong.add("acknowledged and lost: " + request);
      }
    }
    return wrong;
  }

  /**
   * A host that beats though somebody said that it was off is switched off and on. An older copy is
   * destroyed by hand (a report that lingered for long may have raised that alarm), and what
   * failing or full storage has paused goes on.
   */
  private void doAsAlarmsSay() {
    for (var host : world.hosts.values()) {
      if (state().alarm("two-lives-" + host.id).isPresent()) {
        powerLoss(host.id.value());
        powerOn(host.id.value());
      }
      host.domains.forEach(
          (guest, domain) -> {
            var alarm = "two-copies-%s-on-%s".formatted(guest, host.id);
            if (domain.state == DomainState.PAUSED && state().alarm(alarm).isPresent()) {
              host.ends(guest, DomainState.OFF_DESTROYED);
            } else if ((domain.state == DomainState.PAUSED_IO_ERROR
                    && state().alarm("storage-" + guest).isPresent())
                || (domain.state == DomainState.PAUSED_NO_SPACE
                    && state().alarm("guest-" + guest).isPresent())) {
              domain.state = DomainState.RUNNING;
              world.executes(host, guest, domain, "resumed by hand");
              host.changed();
            }
          });
    }
  }

  /** Ends every fault, and lets somebody switch on what is off. */
  public Simulation heal() {
    world.log("happens", "all faults end");
    world.heal();
    return this;
  }

  /** What is not yet as it should be, one line each; empty once all has settled. */
  public List<String> unsettled() {
    var left = new ArrayList<String>();
    if (world.leader().isEmpty()) {
      left.add("there is no leader");
    }
    for (var host : state().hosts()) {
      if (!host.online()) {
        left.add("host %s is %s".formatted(host.id(), host.state()));
      }
    }
    for (var guest : state().guests()) {
      switch (guest.phase()) {
        case GuestPhase.Running p -> {
          if (!world.runs(guest.id(), p.host())) {
            left.add("guest %s does not run on host %s".formatted(guest.id(), p.host()));
          }
          if (!guest.wanted()) {
            left.add("guest %s runs and is not wanted".formatted(guest.id()));
          }
        }
        case GuestPhase.Stopped _, GuestPhase.Failed _ -> {
          for (var host : world.hosts.keySet()) {
            if (world.runs(guest.id(), host)) {
              left.add("guest %s is off but runs on host %s".formatted(guest.id(), host));
            }
          }
        }
        case GuestPhase.Waiting _,
            GuestPhase.Starting _,
            GuestPhase.Stopping _,
            GuestPhase.Vacating _,
            GuestPhase.Migrating _ ->
            left.add("guest %s is %s".formatted(guest.id(), guest.phase()));
      }
    }
    for (var host : world.hosts.values()) {
      host.domains.forEach(
          (guest, domain) -> {
            if (domain.state.active()
                && state().guest(guest).filter(g -> g.holders().containsKey(host.id)).isEmpty()) {
              left.add("guest %s is left on host %s: %s".formatted(guest, host.id, domain.state));
            }
          });
    }
    for (var operation : state().operations()) {
      if (operation.state() == Operation.State.RUNNING) {
        left.add("%s goes on: %s".formatted(operation.id(), operation));
      }
    }
    if (world.person.waits()) {
      left.add("a command has no answer");
    }
    return left;
  }

  /** The newest operation. */
  public Optional<OperationId> newestOperation() {
    return state().operations().stream().reduce((_, b) -> b).map(Operation::id);
  }

  /** The last lines of the log. */
  public List<String> lastLines() {
    return world.lastLines();
  }
}
