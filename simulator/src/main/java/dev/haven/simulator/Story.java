package dev.haven.simulator;

import dev.haven.model.Amounts;
import dev.haven.model.DomainState;
import dev.haven.model.wire.GoingDown;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * Plays a story, one sentence a line: what the cluster is, what happens to it, what is expected.
 * Random faults are such sentences too, so that what went wrong can be told again.
 */
final class Story {
  private long seed = 1;
  private Simulation cluster = Simulation.of(seed, "a", "b", "c");
  private Consumer<String> log = _ -> {};
  private boolean begun;

  /**
   * @return the log
   * @throws AssertionError if something that it expects is not so
   */
  static String play(List<String> lines) {
    var log = new StringBuilder();
    var story = play(lines, line -> log.append(line).append('\n'));
    if (!story.violations().isEmpty()) {
      throw new AssertionError(String.join("\n", story.violations()));
    }
    return log.toString();
  }

  /**
   * The same for somebody who listens.
   *
   * @throws AssertionError if a sentence cannot be, or what it expects is not so
   */
  static Simulation play(List<String> lines, Consumer<String> log) {
    var story = new Story();
    story.log = log;
    try {
      lines.forEach(story::happens);
    } finally {
      story.cluster.end();
    }
    return story.cluster;
  }

  Simulation cluster() {
    return cluster;
  }

  /**
   * One sentence; nothing if it is empty or a comment.
   *
   * @throws AssertionError if it cannot be, or what it expects is not so
   */
  void happens(String line) {
    var words = line.replaceFirst("#.*", "").strip().split("\\s+");
    if (!words[0].isEmpty()) {
      try {
        happens(words[0], Arrays.copyOfRange(words, 1, words.length));
      } catch (AssertionError | RuntimeException e) {
        throw new AssertionError(line + ": " + e.getMessage(), e);
      }
    }
  }

  private void happens(String verb, String[] args) {
    if (!begun && !verb.startsWith("hosts") && !verb.equals("guest") && !verb.equals("seed")) {
      begun = true;
      cluster.runFor(Duration.ofSeconds(2));
      cluster.listen(log);
    }
    boolean known =
        begins(verb, args)
            || passes(verb, args)
            || host(verb, args)
            || network(verb, args)
            || voter(verb, args)
            || inside(verb, args)
            || new StoryCommands(cluster).asks(verb, args)
            || expects(verb, args);
    if (!known) {
      throw new IllegalArgumentException("no such verb: " + verb);
    }
  }

  /** What the cluster is. */
  private boolean begins(String verb, String[] args) {
    switch (verb) {
      case "seed" -> seed = Long.parseLong(args[0]);
      case "hosts" -> cluster = Simulation.of(seed, args);
      case "hosts-without-device" -> cluster = Beginning.of(seed, false, false, args);
      case "hosts-with-watchdog" -> cluster = Beginning.of(seed, true, true, args);
      case "hosts-with-watchdog-alone" -> cluster = Beginning.of(seed, false, true, args);
      case "hosts-with-softdog" -> {
        cluster = Beginning.of(seed, true, true, args);
        cluster.world.hosts.values().forEach(h -> h.watchdogIsSoft = true);
      }
      case "hosts-with-untested-watchdog" -> cluster = Beginning.of(seed, true, true, false, args);
      case "guest" -> cluster.guest(args[0], places(args));
      default -> {
        return false;
      }
    }
    return true;
  }

  /** Time passes, until something. */
  private boolean passes(String verb, String[] args) {
    switch (verb) {
      case "run" -> cluster.runFor(time(args[0]));
      case "at" -> {
        var left = time(args[0]).minus(cluster.time());
        if (left.isPositive()) {
          cluster.runFor(left);
        }
      }
      case "crowd" -> cluster.crowd(args[0], Integer.parseInt(args[1]));
      case "until-settled" -> cluster.runUntil(time(args[0]), () -> cluster.unsettled().isEmpty());
      case "chaos" -> cluster.world.chaos = Theme.valueOf(args[0].toUpperCase(Locale.ROOT)).chaos;
      case "all-ends-well" -> {
        var wrong = new Aftermath(cluster).endsWell(time(args[0]));
        if (!wrong.isEmpty()) {
          throw new AssertionError(String.join("; ", wrong));
        }
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  /** What happens to a host. */
  private boolean host(String verb, String[] args) {
    switch (verb) {
      case "power-loss" -> cluster.hosts().powerLoss(args[0]);
      case "power-on" -> cluster.hosts().powerOn(args[0]);
      case "hang" -> cluster.hosts().hang(args[0]);
      case "unhang" -> cluster.hosts().unhang(args[0]);
      case "shutdown" -> cluster.hosts().goesDown(args[0], GoingDown.POWER_OFF);
      case "reboot" -> cluster.hosts().goesDown(args[0], GoingDown.REBOOT);
      case "agent-stops" -> cluster.hosts().agentStops(args[0]);
      case "agent-goes-on" -> cluster.hosts().agentGoesOn(args[0]);
      case "agent-dies" -> cluster.hosts().agentDies(args[0], time(args[1]));
      case "agents-disk-fails" -> cluster.hosts().agentsDiskFails(args[0], true);
      case "agents-disk-works" -> cluster.hosts().agentsDiskFails(args[0], false);
      case "libvirt-down" -> cluster.hosts().libvirtDown(args[0]);
      case "libvirt-up" -> cluster.hosts().libvirtUp(args[0]);
      case "starts-fail" -> cluster.hosts().startsFailOn(args[0], true);
      case "starts-work" -> cluster.hosts().startsFailOn(args[0], false);
      case "starts-slow" -> cluster.hosts().startsSlow(args[0], true);
      case "starts-quick" -> cluster.hosts().startsSlow(args[0], false);
      case "watchdog-not-kept" -> cluster.hosts().watchdogIsNotKept(args[0]);
      case "run-emptied" -> cluster.hosts().runEmptied(args[0]);
      case "libvirt-late" -> cluster.hosts().libvirtIsLate(args[0], time(args[1]));
      case "starts-unclear" -> cluster.hosts().startsUnclear(args[0], true);
      case "starts-clear" -> cluster.hosts().startsUnclear(args[0], false);
      case "destroys-hang" -> cluster.hosts().destroysHang(args[0], true);
      case "destroys-work" -> cluster.hosts().destroysHang(args[0], false);
      case "drains-hang" -> cluster.hosts().drains(args[0], false);
      case "drains-end" -> cluster.hosts().drains(args[0], true);
      case "look-at" -> cluster.hosts().lookAt(args[0]);
      case "stranger" -> cluster.hosts().stranger(args[0], true);
      case "clone" -> cluster.hosts().stranger(args[0], false);
      case "device" -> cluster.devices().behave(device(args[1]), args[0]);
      case "second-supply" -> cluster.devices().secondSupply(args[0], device(args[1]));
      default -> {
        return false;
      }
    }
    return true;
  }

  /** What happens to ports and networks. */
  private boolean network(String verb, String[] args) {
    switch (verb) {
      case "cut-off" -> cluster.networks().cutOff(args[0]);
      case "reconnect" -> cluster.networks().reconnect(args[0]);
      case "cut" -> cluster.networks().cut(args[0], network(args[1]));
      case "deaf" -> cluster.networks().deaf(args[0]);
      case "mute" -> cluster.networks().mute(args[0]);
      case "network-lost" -> cluster.networks().networkDown(network(args[0]));
      case "network-down" -> cluster.networks().networkDown();
      case "network-up" -> cluster.networks().networkUp();
      case "side" ->
          cluster.networks().side(Integer.parseInt(args[0]), Integer.parseInt(args[1]), rest(args));
      case "port-back" -> cluster.networks().portBack(args[0]);
      case "whole" -> cluster.networks().whole();
      case "beats-lost" -> cluster.networks().beatsLost(Double.parseDouble(args[0]));
      case "stall-in" -> cluster.networks().stall(args[0], true, time(args[1]));
      case "stall-out" -> cluster.networks().stall(args[0], false, time(args[1]));
      default -> {
        return false;
      }
    }
    return true;
  }

  /** What happens to voters. */
  private boolean voter(String verb, String[] args) {
    switch (verb) {
      case "voter-dies" -> cluster.voters().voterDies(args[0], time(args[1]));
      case "voter-stops" -> cluster.voters().voterStops(args[0], true);
      case "voter-goes-on" -> cluster.voters().voterStops(args[0], false);
      case "voter-sleeps" -> cluster.voters().voterSleeps(args[0], true);
      case "voter-wakes" -> cluster.voters().voterSleeps(args[0], false);
      case "leader-dies" ->
          cluster.voters().voterDies(cluster.leader().orElseThrow(), time(args[0]));
      case "voters-die" -> cluster.voters().votersDie(time(args[0]));
      case "clock-jumps" -> cluster.voters().clockJumps(args[0], time(args[1]));
      case "disks-full" -> cluster.voters().disksFull(true);
      case "disks-have-room" -> cluster.voters().disksFull(false);
      case "elect" -> cluster.voters().elect();
      default -> {
        return false;
      }
    }
    return true;
  }

  /** What happens to a guest by itself. */
  private boolean inside(String verb, String[] args) {
    switch (verb) {
      case "guest-becomes" ->
          cluster
              .guests()
              .guestBecomes(
                  args[0], DomainState.valueOf(args[1].toUpperCase(Locale.ROOT).replace('-', '_')));
      case "qemu-lost" -> cluster.guests().qemuLost(args[0], args[1], true);
      case "qemu-found" -> cluster.guests().qemuLost(args[0], args[1], false);
      case "guest-hangs" -> cluster.guests().guestHangs(args[0]);
      case "page-cache" -> cluster.guests().pageCache(args[0]);
      default -> {
        return false;
      }
    }
    return true;
  }

  /** What has to be so now. */
  private boolean expects(String verb, String[] args) {
    switch (verb) {
      case "expect" -> cluster.expect(args[0], places(args));
      case "expect-nowhere" -> cluster.expectNowhere(args[0]);
      case "expect-alarm" -> alarm(String.join(" ", args));
      case "expect-no-alarm" -> {
        if (!cluster.state().alarms().isEmpty()) {
          throw new AssertionError(cluster.state().alarms().toString());
        }
      }
      case "expect-settled" -> {
        if (!cluster.unsettled().isEmpty()) {
          throw new AssertionError(cluster.unsettled().toString());
        }
      }
      default -> {
        return false;
      }
    }
    return true;
  }

  private void alarm(String words) {
    if (cluster.state().alarms().stream().noneMatch(a -> a.message().contains(words))) {
      throw new AssertionError(
          "no alarm says so: " + cluster.state().alarms().stream().map(a -> a.message()).toList());
    }
  }

  private static Simulation.PowerDeviceMode device(String mode) {
    return Simulation.PowerDeviceMode.valueOf(mode.replace('-', '_').toUpperCase(Locale.ROOT));
  }

  private static int network(String name) {
    return switch (name) {
      case "control" -> Machine.CONTROL;
      case "migration" -> Machine.MIGRATION;
      default -> throw new IllegalArgumentException("no such network: " + name);
    };
  }

  private static String[] rest(String[] args) {
    return Arrays.copyOfRange(args, 2, args.length);
  }

  private static Simulation.Place places(String[] args) {
    return Simulation.on(Arrays.copyOfRange(args, 1, args.length));
  }

  static Duration time(String words) {
    if (words.startsWith("-")) {
      return time(words.substring(1)).negated();
    }
    return Amounts.durationWithUnit(words)
        .orElseThrow(() -> new IllegalArgumentException(words + " is no time"));
  }
}
