package dev.haven.simulator;

import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.orchestrator.ha.GuestPhase;
import dev.haven.orchestrator.ha.Operation;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Faults and commands drawn from a seed. Each cluster meets some dozens of them, one on top of the
 * other; then all faults end, and every guest that is wanted must run again.
 */
public final class RandomFaults {
  static final int FAULTS_PER_CLUSTER = 25;

  /** Clusters that went wrong, before nobody reads on. */
  private static final int ENOUGH = 10;

  private static final Duration SETTLES_WITHIN = Duration.ofMinutes(6);

  private RandomFaults() {}

  /**
   * What came of a run.
   *
   * @param faults that were injected
   * @param decisions that were made and checked
   * @param violations each with the seed of its cluster and what led to it; empty if all held
   * @param simulated time, of all clusters together
   */
  public record Report(
      int faults, long decisions, int clusters, List<String> violations, Duration simulated) {
    public Report {
      violations = List.copyOf(violations);
    }
  }

  /**
   * Injects that many faults into clusters of two to six hosts, one cluster after the other.
   *
   * @param seed of the first cluster; the others follow from it. A violation names the seed that
   *     gives it again at once
   * @param progress hears of each violation, and now and then how far it has come
   */
  public static Report run(int faults, long seed, PrintStream progress) {
    return run(faults, seed, ENOUGH, progress);
  }

  /** The same, until so many clusters went wrong. */
  public static Report run(int faults, long seed, int violationsAtMost, PrintStream progress) {
    int done = 0;
    int clusters = 0;
    long decisions = 0;
    var simulated = Duration.ZERO;
    var violations = new ArrayList<String>();
    var seeds = new SplittableRandom(seed);
    long next = seed;
    int told = 0;
    while (done < faults && violations.size() < violationsAtMost) {
      int some = Math.min(FAULTS_PER_CLUSTER, faults - done);
      var run = new Run(next);
      run.faults(some);
      done += some;
      clusters++;
      decisions += run.simulation.world.steps;
      simulated = simulated.plus(run.simulation.time());
      if (!run.violations.isEmpty()) {
        var text =
            "seed %d: %s%n%s"
                .formatted(
                    next,
                    String.join("; ", run.violations),
                    String.join(System.lineSeparator(), run.simulation.lastLines()));
        violations.add(text);
        progress.println(text);
      }
      if (done / 5_000 > told) {
        told = done / 5_000;
        progress.printf("%d faults, %d violations%n", done, violations.size());
      }
      next = seeds.nextLong() >>> 1;
    }
    return new Report(done, decisions, clusters, violations, simulated);
  }

  private static final class Run {
    final Simulation simulation;
    final List<String> violations = new ArrayList<>();
    private final World world;
    private final Clock clock;
    private int guests;

    Run(long seed) {
      int hosts = 2 + (int) Long.remainderUnsigned((seed * 0x9E3779B97F4A7C15L) >>> 7, 5);
      var names = new String[hosts];
      for (int i = 0; i < hosts; i++) {
        names[i] = String.valueOf((char) ('a' + i));
      }
      // two of three clusters rely on leases and watchdogs
      boolean watchdogs = Long.remainderUnsigned((seed * 0x9E3779B97F4A7C15L) >>> 17, 3) != 0;
      simulation = Simulation.of(seed, true, watchdogs, names);
      world = simulation.world;
      clock = world.clock;
      for (int i = 0; i < hosts * 2; i++) {
        create();
      }
      simulation.runUntil(Duration.ofMinutes(2), () -> simulation.unsettled().isEmpty());
    }

    private void create() {
      world.person.asks(
          new Command.CreateGuest(
              Simulation.guestSpec("guest-" + ++guests, 512 + 256L * clock.below(3)), true));
    }

    void faults(int count) {
      world.chaos = true;
      for (int i = 0; i < count && world.violations.isEmpty(); i++) {
        fault();
        // often the next one comes while this one is being dealt with
        simulation.runFor(
            Duration.ofMillis(
                (long) (clock.happens(0.5) ? clock.between(0, 1_500) : clock.between(0, 15_000))));
      }
      settle();
      violations.addAll(world.violations);
    }

    private void settle() {
      if (!world.violations.isEmpty()) {
        return;
      }
      simulation.heal();
      simulation.runFor(Duration.ofSeconds(90));
      for (var operation : simulation.state().operations()) {
        if (operation.running() && operation.kind() instanceof Operation.Kind.EvacuateHost) {
          world.person.asks(new Command.CancelOperation(operation.id()));
        }
      }
      simulation.runFor(Duration.ofSeconds(5));
      for (var host : simulation.state().hosts()) {
        world.person.asks(new Command.Uncordon(host.id()));
      }
      for (var guest : simulation.state().guests()) {
        if (guest.phase() instanceof GuestPhase.Failed) {
          world.person.asks(new Command.StartGuest(guest.id()));
        }
      }
      boolean settled =
          simulation.runUntil(
              SETTLES_WITHIN,
              () -> !world.violations.isEmpty() || simulation.unsettled().isEmpty());
      if (!settled) {
        violations.add(
            "not settled %s after the last fault ended: %s"
                .formatted(SETTLES_WITHIN, simulation.unsettled()));
      }
      for (var request : world.person.acknowledged) {
        if (simulation.state().answer(request).isEmpty()) {
          violations.add("acknowledged and lost: " + request);
        }
      }
    }

    private void fault() {
      var host = clock.oneOf(List.copyOf(world.hosts.values()));
      if (clock.happens(0.4)) {
        host = inTheMiddle(host);
      }
      var name = host.id.value();
      switch (clock.below(28)) {
        case 0, 1 -> {
          if (world.hosts.values().stream().filter(h -> h.machine.power).count() > 1
              && !lies(host)) {
            simulation.powerLoss(name);
            if (clock.happens(0.3)) {
              simulation.fencingDeviceHangs(name);
            }
            after(5_000, 60_000, () -> simulation.fencingDeviceWorks(name).powerOn(name));
          }
        }
        case 2, 3 -> {
          if (!lies(host)) {
            simulation.hang(name);
            after(500, 60_000, () -> simulation.unhang(name));
          }
        }
        case 4, 5 -> {
          if (!lies(host)) {
            simulation.cutOff(name);
            after(200, 60_000, () -> simulation.reconnect(name));
          }
        }
        case 6 -> {
          simulation.cut(name, clock.below(2));
          after(200, 60_000, () -> simulation.reconnect(name));
        }
        case 7 -> {
          if (world.hosts.values().stream().noneMatch(this::lies)) {
            partition();
          }
        }
        case 8 -> {
          world.log("happens", "heartbeats are lost");
          world.loss = clock.between(0.05, 0.6);
          after(1_000, 20_000, () -> world.loss = 0);
        }
        case 9, 10 -> simulation.agentDies(name, millis(200, 3_000));
        case 11, 12 -> {
          simulation.agentStops(name);
          after(200, 45_000, () -> simulation.agentGoesOn(name));
        }
        case 13, 14 -> {
          simulation.libvirtDown(name);
          after(200, 15_000, () -> simulation.libvirtUp(name));
        }
        case 15 -> simulation.voterDies(clock.oneOf(world.voters).name(), millis(500, 8_000));
        case 16 -> {
          var voter = clock.oneOf(world.voters);
          world.log("happens", "the voter on " + voter.name() + " is stopped");
          voter.stopped = true;
          after(100, 8_000, () -> voter.stopped = false);
        }
        case 17 -> {
          world.log("happens", "an election");
          world.elect();
        }
        case 18, 19 -> device(host);
        case 20 -> guestFails();
        case 21 -> {
          simulation.startsFailOn(name, true);
          after(1_000, 15_000, () -> simulation.startsFailOn(name, false));
        }
        case 22 -> {
          world.log("happens", "all voters die");
          var back = millis(1_000, 70_000);
          world.voters.forEach(v -> v.restartAfter((double) back.toMillis()));
        }
        case 23 -> {
          world.log("happens", "the control network is down");
          world.machines.forEach(m -> m.port[Machine.CONTROL] = false);
          if (clock.happens(0.5)) {
            world.machines.forEach(m -> m.port[Machine.MIGRATION] = false);
          }
          for (var machine : world.machines) { // port by port
            after(
                20_000,
                70_000,
                () -> {
                  machine.port[Machine.CONTROL] = true;
                  machine.port[Machine.MIGRATION] = true;
                });
          }
        }
        case 24,
            25 -> { // the power cord of a host whose device dies with it, or a whole rack's switch
          if (!lies(host)) {
            simulation.fencingDeviceHangs(name);
            if (clock.happens(0.5)) {
              simulation.powerLoss(name);
            } else {
              simulation.cutOff(name);
            }
            after(
                30_000,
                120_000,
                () -> simulation.reconnect(name).fencingDeviceWorks(name).powerOn(name));
          }
        }
        case 26 -> staleLeader();
        default -> {}
      }
      // people work meanwhile
      if (clock.happens(0.6)) {
        command(host.id);
      }
    }

    /** Begins something, and names a host that takes part in it: the fault comes in its middle. */
    private SimHost inTheMiddle(SimHost otherwise) {
      var running =
          simulation.state().guests().stream()
              .filter(g -> g.phase() instanceof GuestPhase.Running && !world.person.waits(g.id()))
              .toList();
      if (running.isEmpty()) {
        return otherwise;
      }
      var guest = clock.oneOf(running);
      switch (clock.below(6)) {
        case 0 -> {
          guest.host().ifPresent(h -> simulation.agentDies(h.value(), millis(100, 2_000)));
          simulation.guestBecomes(guest.id().value(), DomainState.OFF_CRASHED);
        }
        case 1 -> world.person.asks(new Command.StopGuest(guest.id(), Duration.ofSeconds(2)));
        case 2 -> guest.host().ifPresent(h -> world.person.asks(new Command.Evacuate(h)));
        default -> world.person.asks(new Command.Migrate(guest.id(), Optional.empty()));
      }
      simulation.runFor(millis(1, clock.happens(0.5) ? 100 : 4_000));
      if (clock.happens(0.3)) {
        return world
            .leader()
            .map(l -> l.machine.name)
            .map(HostId::new)
            .map(world.hosts::get)
            .orElse(otherwise);
      }
      if (simulation.state().guest(guest.id()).map(g -> g.phase()).orElse(guest.phase())
          instanceof GuestPhase.Migrating m) {
        return world.host(clock.happens(0.5) ? m.source() : m.target());
      }
      return guest.host().map(world::host).orElse(otherwise);
    }

    private boolean lies(SimHost host) {
      return host.device == PowerDevice.LIES;
    }

    /** The leader stands still, and goes on beside one host that hears nobody else. */
    private void staleLeader() {
      var leader = world.leader();
      var others =
          world.hosts.values().stream()
              .filter(h -> leader.filter(l -> l.machine == h.machine).isEmpty())
              .toList();
      if (leader.isEmpty() || world.hosts.values().stream().anyMatch(this::lies)) {
        return;
      }
      var voter = leader.get();
      var host = clock.oneOf(others);
      world.log("happens", "voter " + voter.name() + " is stopped, alone with host " + host.id);
      simulation.fencingDeviceHangs(host.id.value());
      for (var machine : List.of(voter.machine, host.machine)) {
        machine.side[0] = 2;
        machine.side[1] = 2;
      }
      voter.stopped = true;
      after(500, 50_000, () -> voter.stopped = false);
      after(
          50_000,
          120_000,
          () -> {
            world.log("happens", "voter " + voter.name() + " and host " + host.id + " are back");
            for (var machine : List.of(voter.machine, host.machine)) {
              machine.side[0] = 0;
              machine.side[1] = 0;
            }
            simulation.fencingDeviceWorks(host.id.value());
          });
    }

    private void partition() {
      world.log("happens", "the network falls apart");
      for (var machine : world.machines) {
        machine.side[0] = clock.below(2);
        machine.side[1] = clock.happens(0.7) ? machine.side[0] : clock.below(2);
      }
      after(
          500,
          40_000,
          () -> {
            world.log("happens", "the network is whole again");
            for (var machine : world.machines) {
              machine.side[0] = 0;
              machine.side[1] = 0;
            }
          });
    }

    private void device(SimHost host) {
      var name = host.id.value();
      switch (clock.below(4)) {
        case 0 -> simulation.device(Simulation.PowerDeviceMode.HANGS, name);
        case 1 -> simulation.device(Simulation.PowerDeviceMode.REFUSES, name);
        case 2 -> simulation.device(Simulation.PowerDeviceMode.SLOW, name);
        default -> {
          // a lie about a host that nobody hears is outside the promise
          boolean heard =
              host.machine.alive()
                  && host.machine.port[0]
                  && host.machine.port[1]
                  && world.machines.stream().allMatch(m -> m.side[0] == 0 && m.side[1] == 0);
          simulation.device(
              heard ? Simulation.PowerDeviceMode.LIES : Simulation.PowerDeviceMode.HANGS, name);
          if (heard && clock.happens(0.7)) {
            world.person.asks(new Command.Fence(host.id));
          }
        }
      }
      after(5_000, 40_000, () -> simulation.fencingDeviceWorks(name));
    }

    private void guestFails() {
      var all = List.copyOf(simulation.state().guests());
      if (all.isEmpty()) {
        return;
      }
      var guest = clock.oneOf(all).id().value();
      simulation.guestBecomes(
          guest,
          switch (clock.below(5)) {
            case 0 -> DomainState.OFF_SHUTDOWN;
            case 1 -> DomainState.PAUSED_IO_ERROR;
            default -> DomainState.OFF_CRASHED;
          });
    }

    private void command(HostId host) {
      var all =
          simulation.state().guests().stream()
              .map(g -> g.id())
              .filter(g -> !world.person.waits(g))
              .toList();
      if (all.isEmpty()) {
        return;
      }
      GuestId guest = clock.oneOf(all);
      switch (clock.below(12)) {
        case 0, 1, 2, 3 ->
            world.person.asks(
                new Command.Migrate(
                    guest, clock.happens(0.5) ? Optional.empty() : Optional.of(host)));
        case 4 ->
            world.person.asks(new Command.StopGuest(guest, Duration.ofSeconds(clock.below(10))));
        case 5, 6 -> world.person.asks(new Command.StartGuest(guest));
        case 7 -> world.person.asks(new Command.Evacuate(host));
        case 8 -> world.person.asks(new Command.Uncordon(host));
        case 9 ->
            simulation.state().operations().stream()
                .filter(Operation::running)
                .findFirst()
                .ifPresent(o -> world.person.asks(new Command.CancelOperation(o.id())));
        case 10 -> {
          var dead = world.host(host);
          if (!dead.machine.power) {
            world.person.asks(
                new Command.ConfirmDead(
                    host, Command.ConfirmDead.sentence(host), Optional.empty()));
          } else if (clock.happens(0.3)) {
            world.person.asks(new Command.Fence(host));
          }
        }
        default -> {
          if (guests < 30) {
            create();
          }
        }
      }
    }

    private Duration millis(int least, int most) {
      return Duration.ofMillis((long) clock.between(least, most));
    }

    private void after(int leastMillis, int mostMillis, Runnable what) {
      clock.after(millis(leastMillis, mostMillis), what);
    }
  }
}
