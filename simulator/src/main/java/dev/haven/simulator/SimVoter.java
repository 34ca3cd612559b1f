package dev.haven.simulator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.VoterClocks;
import dev.haven.core.lead.Watch;
import dev.haven.fencing.DeviceSpec;
import dev.haven.fencing.Fencer;
import dev.haven.fencing.PowerDevice;
import dev.haven.model.BootId;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.Time;
import dev.haven.model.wire.Heartbeat;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.orchestrator.power.FencingDevices;
import dev.haven.orchestrator.power.PowerCuts;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * One voter's process: what it has heard, what it has applied, and its leadership if it has one.
 */
final class SimVoter implements Watch.Voter {
  /** So begins the name of the device of a second power supply. */
  static final String SECOND = "second-";

  private static final String HOST = "host";
  final Machine machine;
  final World world;
  boolean up = true;

  /** Stopped for a while; it goes on where it was. */
  boolean stopped;

  /** By how much its wall clock is wrong. */
  Duration skew = Duration.ZERO;

  /** For how long, in nanoseconds, its own clock has stood still in all. */
  private long asleep;

  /** Since when its machine is suspended; 0 while it is not. */
  private long suspendedAt;

  Watch watch;
  ProofTimes proofTimes;
  VoterClocks clocks;
  SimQuestions questions;
  ClusterState state = ClusterState.EMPTY;
  @Nullable SimLeader leading;

  /** Its threads live in this. */
  final Time time;

  /** What cuts power, and what looks at it: as the voter's process has them. */
  PowerCuts cuts;

  PowerDevices looks;
  private boolean coming;

  SimVoter(World world, Machine machine) {
    this.world = world;
    this.machine = machine;
    this.watch = new Watch(machine.name, this, nanos());
    this.proofTimes = watch.proofTimes();
    this.clocks = watch.clocks();
    this.time = new Lived();
    this.cuts = cuts();
    this.looks = devices();
    this.questions = new SimQuestions(this);
  }

  private PowerDevices devices() {
    return new FencingDevices(new Fencer(this::open, time), Plain.SECRETS, time);
  }

  private PowerCuts cuts() {
    return new PowerCuts(this::state, () -> watch, devices(), time, new Cutting());
  }

  private PowerDevice open(DeviceSpec spec) {
    var host = world.host(new HostId(spec.settings().getOrDefault(HOST, "")));
    return host.device(supply(spec.name())).askedBy(spec.name(), time);
  }

  /** Of which power supply the device of that name is. */
  static int supply(String device) {
    return device.startsWith(SECOND) ? 1 : 0;
  }

  String name() {
    return machine.name;
  }

  @Override
  public ClusterState state() {
    return state;
  }

  @Override
  public List<String> voters() {
    return world.voterNames;
  }

  @Override
  public boolean leads() {
    return leading != null;
  }

  @Override
  public OptionalLong quorumRound() {
    return leading == null ? OptionalLong.empty() : OptionalLong.of(leading.majoritySeen);
  }

  /** A heartbeat has arrived. */
  void hears(Heartbeat beat, long now) {
    var found = watch.heard(beat, now, instant());
    if (leading != null) {
      found.ifPresent(leading::post);
    }
  }

  /** By its own wall clock. */
  Instant instant() {
    return world.clock.instant().plus(skew);
  }

  /** As {@link System#nanoTime} tells it there: it stands still while the machine is suspended. */
  long nanos() {
    return own(suspendedAt == 0 ? world.clock.nanos() : suspendedAt);
  }

  /** What its own clock showed at that time of the world, since it was last suspended. */
  long own(long then) {
    return then - asleep;
  }

  /** Its machine is suspended: the process is stopped, and its clock stands still. */
  void sleeps() {
    suspendedAt = world.clock.nanos();
    stopped = true;
  }

  void goesOn() {
    if (suspendedAt != 0) {
      asleep += world.clock.nanos() - suspendedAt;
      suspendedAt = 0;
    }
    stopped = false;
  }

  boolean runs() {
    return up && !stopped && machine.alive();
  }

  boolean reaches(SimVoter other) {
    return runs() && other.runs() && machine.reaches(other.machine, Machine.CONTROL);
  }

  /** Whether it takes heartbeats of this process: the one that was taken in last. */
  boolean knows(HostId host, BootId boot, ProcessId process) {
    var known = state.host(host);
    return known.isPresent()
        && known.get().boot().isPresent()
        && known.get().boot().get().equals(boot)
        && known.get().agent().isPresent()
        && known.get().agent().get().process().equals(process);
  }

  void kill() {
    up = false;
    goesOn();
    var was = leading;
    leading = null;
    if (was != null) {
      was.end("its voter died");
    }
  }

  void start() {
    if (up || !machine.power) {
      return;
    }
    up = true;
    watch = new Watch(machine.name, this, nanos());
    proofTimes = watch.proofTimes();
    clocks = watch.clocks();
    questions = new SimQuestions(this);
    cuts = cuts();
    looks = devices();
  }

  /** Its supervisor starts it again. */
  void restartAfter(double millis) {
    kill();
    if (!coming) {
      coming = true;
      world.clock.after(
          Duration.ofMillis((long) millis),
          () -> {
            coming = false;
            start();
          });
    }
  }

  /** Time as this process lives through it. */
  private final class Lived extends LivedTime {
    Lived() {
      super(world.time);
    }

    @Override
    void goOn() throws InterruptedException {
      while (up && machine.power && !runs()) {
        world.time.sleep(Duration.ofMillis(50));
      }
    }

    @Override
    public long nanos() {
      return SimVoter.this.nanos();
    }

    @Override
    public Instant instant() {
      return world.time.instant().plus(skew);
    }
  }

  private final class Cutting implements PowerCuts.Listener {
    @Override
    public void found(Event event) {
      if (leading != null) {
        leading.found(event);
      }
    }

    @Override
    public void note(String what) {}

    @Override
    public void warn(String what) {}

    @Override
    public void fault(String what, RuntimeException fault) {
      world.violation("a fault of ours: %s: %s".formatted(what, fault));
    }
  }

  /** Nothing is sealed here; a device is told of which host it is. */
  private enum Plain implements FencingDevices.Secrets {
    SECRETS;

    @Override
    public Map<String, String> open(HostId host, FencingDevice device) {
      return Map.of(HOST, host.value());
    }

    @Override
    public boolean plain(FencingDevice device) {
      return false;
    }
  }
}
