package dev.haven.simulator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Operation;
import dev.haven.model.Capacity;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
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

  final World world;
  private final HostHappenings hosts;
  private final NetworkHappenings networks;
  private final VoterHappenings voters;
  private final GuestHappenings guests;
  private final DeviceHappenings devices;

  /** Hosts by name. */
  public record Place(Set<String> hosts) {
    public Place {
      hosts = new TreeSet<>(hosts);
    }
  }

  Simulation(World world) {
    this.world = world;
    hosts = new HostHappenings(world);
    networks = new NetworkHappenings(world);
    voters = new VoterHappenings(world);
    guests = new GuestHappenings(world);
    devices = new DeviceHappenings(world, this);
  }

  /** A healthy cluster of these hosts, all online, without a guest. */
  public static Simulation of(long seed, String... hosts) {
    return Beginning.of(seed, true, false, false, hosts);
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
    ask(new Command.CreateGuest(Beginning.guestSpec(name, memoryMib), true));
    runUntil(SETUP, () -> place(name).filter(h -> place.hosts().contains(h)).isPresent());
    others.forEach(h -> ask(new Command.Uncordon(h)));
    return this;
  }

  /**
   * Creates so many small guests that may run on this host and on no other. It gets the room that
   * they need.
   */
  Simulation crowd(String name, int count) {
    var host = world.host(new HostId(name));
    var capacity = host.capacity;
    host.capacity =
        new Capacity(
            capacity.memoryMib() + count * 100L, capacity.cpus() + count, capacity.hypervisor());
    host.killAgent(200); // the next one says so
    runFor(seconds(5));
    for (int i = 1; i <= count; i++) {
      command(
          new Command.CreateGuest(
              Beginning.guestSpec("crowd-" + i, 16, List.of("on:" + name)), true));
    }
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

  // what happens

  HostHappenings hosts() {
    return hosts;
  }

  NetworkHappenings networks() {
    return networks;
  }

  VoterHappenings voters() {
    return voters;
  }

  GuestHappenings guests() {
    return guests;
  }

  DeviceHappenings devices() {
    return devices;
  }

  public Simulation powerLoss(String host) {
    hosts.powerLoss(host);
    return this;
  }

  public Simulation powerOn(String host) {
    hosts.powerOn(host);
    return this;
  }

  /** Both its ports are down. */
  public Simulation cutOff(String host) {
    networks.cutOff(host);
    return this;
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

    final DeviceMode device;
    final String words;

    PowerDeviceMode(DeviceMode device, String words) {
      this.device = device;
      this.words = words;
    }
  }

  /** Of all hosts, if none is named. */
  public Simulation fencingDeviceHangs(String... hosts) {
    devices.behave(PowerDeviceMode.HANGS, hosts);
    return this;
  }

  /** Of all hosts, if none is named. */
  public Simulation fencingDeviceWorks(String... hosts) {
    devices.behave(PowerDeviceMode.WORKS, hosts);
    return this;
  }

  /** The name of the voter that leads; empty if none does. */
  public Optional<String> leader() {
    return world.leader().map(SimVoter::name);
  }

  /** Sends a command without waiting for its answer. */
  public Simulation command(Command command) {
    world.person.asks(command);
    return this;
  }

  /** Nothing happens any more: threads that wait are let go. */
  void end() {
    world.time.end();
  }

  /** Ends every fault, and lets somebody switch on what is off. */
  public Simulation heal() {
    world.log("happens", "all faults end");
    world.heal();
    return this;
  }

  /** What is not yet as it should be, one line each; empty once all has settled. */
  public List<String> unsettled() {
    return new Aftermath(this).unsettled();
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
