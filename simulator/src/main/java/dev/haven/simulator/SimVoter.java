package dev.haven.simulator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.lead.PowerOns;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.VoterClocks;
import dev.haven.core.lead.Watch;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * One voter's process: what it has heard, what it has applied, and its leadership if it has one.
 */
final class SimVoter implements Watch.Voter {
  final Machine machine;
  final World world;
  boolean up = true;

  /** Stopped for a while; it goes on where it was. */
  boolean stopped;

  /** By how much its wall clock is wrong. */
  Duration skew = Duration.ZERO;

  Watch watch;
  ProofTimes proofTimes;
  VoterClocks clocks;
  Questions questions;
  PowerOns powerOns = new PowerOns();
  ClusterState state = ClusterState.EMPTY;
  @Nullable Leading leading;
  private boolean coming;

  SimVoter(World world, Machine machine) {
    this.world = world;
    this.machine = machine;
    this.watch = new Watch(machine.name, this, world.clock.nanos());
    this.proofTimes = watch.proofTimes();
    this.clocks = watch.clocks();
    this.questions = new Questions(this);
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
    stopped = false;
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
    watch = new Watch(machine.name, this, world.clock.nanos());
    proofTimes = watch.proofTimes();
    clocks = watch.clocks();
    questions = new Questions(this);
    powerOns = new PowerOns();
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
}
