package dev.haven.simulator;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.lead.HeardTable;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.VoterClocks;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * One voter's process: what it has heard, what it has applied, and its leadership if it has one.
 */
final class SimVoter {
  final Machine machine;
  final World world;
  boolean up = true;

  /** Stopped for a while; it goes on where it was. */
  boolean stopped;

  /** By how much its wall clock is wrong. */
  Duration skew = Duration.ZERO;

  HeardTable table;
  ProofTimes proofTimes;
  VoterClocks clocks = new VoterClocks();
  ClusterState state = ClusterState.EMPTY;
  @Nullable Leading leading;
  private boolean coming;

  SimVoter(World world, Machine machine) {
    this.world = world;
    this.machine = machine;
    this.table = new HeardTable(machine.name, world.clock.nanos());
    this.proofTimes = new ProofTimes(machine.name);
  }

  String name() {
    return machine.name;
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
    table = new HeardTable(machine.name, world.clock.nanos());
    proofTimes = new ProofTimes(machine.name);
    clocks = new VoterClocks();
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
