package dev.haven.simulator;

import dev.haven.agent.guest.DomainEvent;
import dev.haven.agent.guest.GuestKeeper;
import dev.haven.core.lease.Handover;
import dev.haven.core.obey.Refusals;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.GoingDown;
import dev.haven.model.wire.Watchdog;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.helpers.NOPLogger;

/** A host by the truth: its machine, its libvirt, its agent's process and its power device. */
final class SimHost {
  static final Duration WATCHDOG = Duration.ofSeconds(10);
  static final Capacity CAPACITY = new Capacity(9216, 16, "simulated");

  final HostId id;
  final Machine machine;
  final SimDisk disk;

  /** As the running process of its agent has it, or the last one had. */
  Refusals book;

  final Map<GuestId, SimDomain> domains = new TreeMap<>();

  /** Guests whose processes run on here although libvirt knows nothing of them any more. */
  final Set<GuestId> strays = new TreeSet<>();

  final World world;
  int boots = 1;
  boolean libvirtUp = true;
  boolean startsFail;

  /** A start takes up to more than the minute that the agent waits for it. */
  boolean startsSlow;

  /** libvirt does not say in time whether a guest was started here. */
  boolean startsUnclear;

  /** QEMU hangs in the kernel here: it runs on and cannot be ended, but with the power. */
  boolean destroysHang;

  /** How it is being shut down; null if it stays up. */
  @Nullable GoingDown goingDown;

  final SimDevice device;
  final boolean hasDevice;
  Capacity capacity;

  /** How often guests will not start here, by name; {@code *} for any of them. */
  final Map<String, Integer> startFailures = new HashMap<>();

  /** Grows whenever something of its domains or its power is different. */
  long version;

  /** When one of its domains was last different. */
  long changedAt;

  /** What {@link Calm} keeps about it. */
  final Calm.Pulse pulse = new Calm.Pulse();

  /** It has a watchdog, which resets it when nobody feeds it. */
  final boolean hasWatchdog;

  /** The watchdog was seen to reset this host. */
  boolean watchdogSeen;

  /** It resets nothing, and nobody knows. */
  boolean watchdogIsDud;

  /** It is the kernel's own timer: a kernel that hangs does not obey it. */
  boolean watchdogIsSoft;

  /** Else the end of each process of its agent feeds it. */
  boolean keepsWatchdogOpen = true;

  /** Until then what the leader sends to its agent stays in a buffer; and the other way round. */
  long stalledIn;

  long stalledOut;

  /** Until then libvirt tells its agent up to 20 s late what happens to guests. */
  long lateUntil;

  /** Pausing a guest here waits for its disks, in vain. */
  boolean drainsHang;

  /** Of its second power supply, if it has one; it runs as long as one of them has power. */
  @Nullable SimDevice secondDevice;

  /** The power supplies that a device has switched off. */
  final boolean[] outletOff = new boolean[2];

  long fedAt;

  /** What is in /run: lost with the power. */
  @Nullable Handover run;

  @Nullable SimAgent agent;
  private @Nullable BootId boot;
  private int bootNumber;
  private final List<Runnable> libvirtBack = new ArrayList<>();
  private int processes;
  private boolean agentComing;
  private boolean heldDown;

  /**
   * @param hasWatchdog one that has reset this host before
   */
  SimHost(World world, Machine machine, boolean hasDevice, boolean hasWatchdog) {
    this(
        world,
        machine,
        hasDevice,
        hasWatchdog ? Stage.Watchdog.TESTED : Stage.Watchdog.NONE,
        CAPACITY);
  }

  SimHost(
      World world, Machine machine, boolean hasDevice, Stage.Watchdog watchdog, Capacity capacity) {
    this.capacity = capacity;
    this.world = world;
    this.disk = new SimDisk(world.clock);
    this.book = disk.open();
    this.machine = machine;
    this.hasDevice = hasDevice;
    this.hasWatchdog = watchdog != Stage.Watchdog.NONE;
    this.watchdogSeen = watchdog == Stage.Watchdog.TESTED;
    this.id = new HostId(machine.name);
    this.device = new SimDevice(world, this, 0);
    startAgent();
  }

  SimDevice device(int supply) {
    return supply == 0 ? device : java.util.Objects.requireNonNull(secondDevice);
  }

  private void powerIs(boolean off) {
    device.powerIs(off);
    if (secondDevice != null) {
      secondDevice.powerIs(off);
    }
  }

  BootId boot() {
    if (boot == null || bootNumber != boots) {
      boot = new BootId(id + "-boot-" + boots);
      bootNumber = boots;
    }
    return boot;
  }

  void startAgent() {
    agentComing = false;
    heldDown = false;
    if (machine.power && agent == null) {
      processes++;
      book = disk.open();
      agent = new SimAgent(this, new ProcessId(id + "-agent-" + processes));
    }
  }

  /** How long a message waits that is stalled until this time. */
  double stallMillis(long until) {
    return Math.max(0, until - world.clock.nanos()) / 1e6;
  }

  /** Its process ends; its supervisor starts another one. */
  void killAgent(double backAfterMillis) {
    if (agent != null) {
      agent = null;
      if (!keepsWatchdogOpen && fedAt != 0) {
        fedAt = world.clock.nanos();
      }
    }
    if (!agentComing) {
      agentComing = true;
      int boot = boots;
      world.clock.afterMillis(
          backAfterMillis,
          () -> {
            if (boot == boots && machine.power) {
              startAgent();
            }
          });
    }
  }

  boolean agentRuns() {
    return agent != null && !agent.stopped && machine.alive();
  }

  void powerOff() {
    if (!machine.power) {
      return;
    }
    version++;
    goingDown = null;
    machine.power = false;
    machine.hung = false;
    powerIs(true);
    agent = null;
    agentComing = false;
    domains.clear();
    strays.clear();
    libvirtBack.clear();
    world.voterOn(machine).ifPresent(SimVoter::kill);
  }

  /**
   * Somebody shuts it down in an orderly way: its agent says so, its guests are shut down, and then
   * it is off.
   */
  void goesDown(GoingDown how) {
    if (!machine.alive() || goingDown != null) {
      return;
    }
    goingDown = how;
    changed();
    int boot = boots;
    domains.forEach(
        (guest, domain) -> {
          if (domain.state == DomainState.RUNNING && !domain.job()) {
            // libvirt does not always say who ended it
            var end = world.clock.happens(0.5) ? DomainState.OFF_BY_HOST : DomainState.OFF_SHUTDOWN;
            world.clock.afterMillis(
                world.clock.between(200, 4_000),
                () -> {
                  if (boots == boot && domains.get(guest) == domain && domain.executes()) {
                    ends(guest, end);
                  }
                });
          }
        });
    world.clock.afterMillis(
        6_000,
        () -> {
          if (boots == boot && machine.power) {
            world.log("truth", "host " + id + " has shut down");
            powerOff();
            if (how == GoingDown.REBOOT) {
              world.clock.afterMillis(world.clock.between(20_000, 60_000), this::powerOn);
            }
          }
        });
  }

  void powerOn() {
    if (machine.power) {
      return;
    }
    version++;
    machine.power = true;
    outletOff[0] = false;
    outletOff[1] = false;
    powerIs(false);
    device.isReset();
    if (secondDevice != null) {
      secondDevice.isReset();
    }
    boots++;
    run = null;
    fedAt = 0;
    libvirtUp = true;
    domains.clear();
    int boot = boots;
    world.clock.afterMillis(
        world.clock.between(500, 3_000),
        () -> {
          if (boot == boots && machine.power) {
            startAgent();
          }
        });
    world
        .voterOn(machine)
        .ifPresent(v -> world.clock.afterMillis(world.clock.between(500, 3_000), v::start));
  }

  /** The watchdog's own step: armed since the first feeding of this boot. */
  void watch(long now) {
    if (hasWatchdog
        && !watchdogIsDud
        && machine.power
        && fedAt != 0
        && !(watchdogIsSoft && machine.hung)
        && now - fedAt > WATCHDOG.toNanos()) {
      world.log("truth", "the watchdog resets host " + id);
      world.resets.add(new World.Reset(now, id));
      watchdogSeen = true;
      powerOff();
      world.clock.afterMillis(2_000, this::powerOn);
    }
  }

  void libvirtDown() {
    libvirtUp = false;
    changed();
  }

  void libvirtBack() {
    if (libvirtUp) {
      return;
    }
    libvirtUp = true;
    var jobs = List.copyOf(libvirtBack);
    libvirtBack.clear();
    jobs.forEach(Runnable::run);
    changed();
  }

  /** libvirt tells its agent by itself. */
  void tells(DomainEvent event) {
    var process = agent;
    if (process != null) {
      process.later(lateMillis(1), () -> process.heard(event));
    }
  }

  private double lateMillis(double usual) {
    return world.clock.nanos() < lateUntil ? world.clock.between(usual, 20_000) : usual;
  }

  void whenLibvirtIsBack(Runnable job) {
    libvirtBack.add(job);
  }

  /** Something about its domains is different: its agent reports it. */
  void changed() {
    version++;
    changedAt = world.clock.nanos();
    var process = agent;
    if (process != null) {
      process.later(lateMillis(world.clock.between(5, 30)), process::changed);
    }
  }

  List<DomainReport> reports() {
    var all = new ArrayList<DomainReport>();
    domains.forEach((guest, domain) -> all.add(said(guest, domain)));
    return all;
  }

  /** A domain as its agent tells of it; that it runs is remembered. */
  DomainReport said(GuestId guest, SimDomain domain) {
    return GuestKeeper.said(book, domain.as(guest.value()), NOPLogger.NOP_LOGGER)
        .with(domain.health());
  }

  /** That of a machine which nobody has described. */
  static String uuid(HostId id) {
    return UUID.nameUUIDFromBytes(id.value().getBytes(StandardCharsets.UTF_8)).toString();
  }

  /** As its firmware tells it. */
  String uuid() {
    return world.committed.host(id).flatMap(h -> h.spec().uuid()).orElse(uuid(id));
  }

  FromAgent.Hello hello(ProcessId process) {
    return new FromAgent.Hello(
        FromAgent.VERSION,
        id,
        boot(),
        process,
        "a2V5",
        Optional.of(uuid()),
        capacity,
        "simulated",
        book.term(),
        agent == null ? Optional.empty() : agent.rules.watchdog(),
        libvirtUp,
        libvirtUp ? reports() : List.of(),
        Optional.ofNullable(goingDown));
  }

  /** The watchdog as its driver tells of it. */
  Optional<Watchdog> watchdog() {
    var kind = watchdogIsSoft ? Watchdog.Kind.SOFTDOG : Watchdog.Kind.HARDWARE;
    return hasWatchdog
        ? Optional.of(
            new Watchdog(
                kind,
                "simulated",
                WATCHDOG,
                watchdogSeen,
                false,
                Optional.empty(),
                Optional.empty()))
        : Optional.empty();
  }

  /** libvirt's call that lets a guest run has come to its end. */
  void comesUp(GuestId guest, SimDomain domain, String how) {
    domain.callsPending--;
    if (machine.power && domains.get(guest) == domain && domain.state == DomainState.PAUSED) {
      domain.state = DomainState.RUNNING;
      domain.pausedByMigration = false;
      domain.neverRan = false;
      world.executes(this, guest, domain, how);
      changed();
    }
  }

  /** Whether its agent is about to start. */
  boolean comesUp() {
    return agent == null && !heldDown;
  }

  /** Its process ends and no supervisor starts it again before {@link #startAgent}. */
  void stopAgent() {
    world.calm.bringUpToDate(this);
    agent = null;
    agentComing = true;
    heldDown = true;
  }

  /** Whether a start of this guest fails now; one failure less is left then. */
  boolean failsToStart(GuestId guest) {
    for (var name : List.of(guest.value(), "*")) {
      int left = startFailures.getOrDefault(name, 0);
      if (left > 0) {
        startFailures.put(name, left - 1);
        return true;
      }
    }
    return startsFail;
  }

  /** The guest hangs: its watchdog fires, or its agent misses pings until it counts as hung. */
  void hangs(GuestId guest) {
    var domain = domains.get(guest);
    int boot = boots;
    world.hangUnnoticed++;
    world.clock.afterMillis(
        world.clock.between(5_000, 40_000),
        () -> {
          world.hangUnnoticed--;
          if (domain != null && domains.get(guest) == domain && boot == boots && machine.power) {
            domain.foundHung = true;
            changed();
          }
        });
  }

  /** libvirt takes the guest for crashed and its process runs on; or that process ends. */
  void loses(GuestId guest, boolean lost) {
    if (lost) {
      strays.add(guest);
      ends(guest, DomainState.OFF_CRASHED);
    } else {
      strays.remove(guest);
      version++;
    }
  }

  /** The guest stops by itself. */
  void ends(GuestId guest, DomainState how) {
    var domain = domains.get(guest);
    if (domain == null || !machine.power) {
      return;
    }
    var leaving = domain.leaving;
    domain.leaving = null;
    domain.state = how;
    if (leaving != null) {
      leaving.cancel();
    }
    changed();
  }
}
