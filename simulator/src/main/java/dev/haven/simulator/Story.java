package dev.haven.simulator;

import dev.haven.core.ha.Event;
import dev.haven.model.Amounts;
import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.wire.GoingDown;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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
    switch (verb) {
      case "seed" -> seed = Long.parseLong(args[0]);
      case "hosts" -> cluster = Simulation.of(seed, args);
      case "hosts-without-device" -> cluster = Simulation.of(seed, false, false, args);
      case "hosts-with-watchdog" -> cluster = Simulation.of(seed, true, true, args);
      case "hosts-with-watchdog-alone" -> cluster = Simulation.of(seed, false, true, args);
      case "hosts-with-softdog" -> {
        cluster = Simulation.of(seed, true, true, args);
        cluster.world.hosts.values().forEach(h -> h.watchdogIsSoft = true);
      }
      case "hosts-with-untested-watchdog" -> cluster = Simulation.of(seed, true, true, false, args);
      case "guest" -> cluster.guest(args[0], places(args));
      case "run" -> cluster.runFor(time(args[0]));
      case "at" -> {
        var left = time(args[0]).minus(cluster.time());
        if (left.isPositive()) {
          cluster.runFor(left);
        }
      }
      case "until-settled" -> cluster.runUntil(time(args[0]), () -> cluster.unsettled().isEmpty());
      case "chaos" -> cluster.chaos(Theme.valueOf(args[0].toUpperCase(Locale.ROOT)).chaos);
      case "all-ends-well" -> {
        var wrong = cluster.endsWell(time(args[0]));
        if (!wrong.isEmpty()) {
          throw new AssertionError(String.join("; ", wrong));
        }
      }
      case "power-loss" -> cluster.powerLoss(args[0]);
      case "power-on" -> cluster.powerOn(args[0]);
      case "hang" -> cluster.hang(args[0]);
      case "unhang" -> cluster.unhang(args[0]);
      case "cut-off" -> cluster.cutOff(args[0]);
      case "reconnect" -> cluster.reconnect(args[0]);
      case "cut" -> cluster.cut(args[0], network(args[1]));
      case "deaf" -> cluster.deaf(args[0]);
      case "mute" -> cluster.mute(args[0]);
      case "network-lost" -> cluster.networkDown(network(args[0]));
      case "side" -> cluster.side(Integer.parseInt(args[0]), Integer.parseInt(args[1]), rest(args));
      case "port-back" -> cluster.portBack(args[0]);
      case "whole" -> cluster.whole();
      case "beats-lost" -> cluster.beatsLost(Double.parseDouble(args[0]));
      case "voter-dies" -> cluster.voterDies(args[0], time(args[1]));
      case "voter-stops" -> cluster.voterStops(args[0], true);
      case "voter-goes-on" -> cluster.voterStops(args[0], false);
      case "clock-jumps" -> cluster.clockJumps(args[0], time(args[1]));
      case "page-cache" -> cluster.pageCache(args[0]);
      case "cordon" -> cluster.command(new Command.Cordon(new HostId(args[0])));
      case "test-watchdog" -> cluster.command(new Command.TestWatchdog(new HostId(args[0])));
      case "pause" ->
          cluster.command(
              new Command.Pause(
                  "work on the network",
                  args.length > 0 ? Optional.of(time(args[0])) : Optional.empty()));
      case "resume" -> cluster.command(new Command.Resume());
      case "policy" -> cluster.command(new Command.SetPolicy(args[0], args[1]));
      case "second-supply" -> cluster.secondSupply(args[0], device(args[1]));
      case "disks-full" -> cluster.disksFull(true);
      case "disks-have-room" -> cluster.disksFull(false);
      case "agents-disk-fails" -> cluster.agentsDiskFails(args[0], true);
      case "agents-disk-works" -> cluster.agentsDiskFails(args[0], false);
      case "stall-in" -> cluster.stall(args[0], true, time(args[1]));
      case "stall-out" -> cluster.stall(args[0], false, time(args[1]));
      case "drains-hang" -> cluster.drains(args[0], false);
      case "drains-end" -> cluster.drains(args[0], true);
      case "look-at" -> cluster.lookAt(args[0]);
      case "device" -> cluster.device(device(args[1]), args[0]);
      case "stranger" -> cluster.stranger(args[0], true);
      case "clone" -> cluster.stranger(args[0], false);
      case "agent-stops" -> cluster.agentStops(args[0]);
      case "agent-goes-on" -> cluster.agentGoesOn(args[0]);
      case "agent-dies" -> cluster.agentDies(args[0], time(args[1]));
      case "libvirt-down" -> cluster.libvirtDown(args[0]);
      case "libvirt-up" -> cluster.libvirtUp(args[0]);
      case "leader-dies" -> cluster.voterDies(cluster.leader().orElseThrow(), time(args[0]));
      case "voters-die" -> cluster.votersDie(time(args[0]));
      case "network-down" -> cluster.networkDown();
      case "network-up" -> cluster.networkUp();
      case "elect" -> cluster.elect();
      case "guest-becomes" ->
          cluster.guestBecomes(
              args[0], DomainState.valueOf(args[1].toUpperCase(Locale.ROOT).replace('-', '_')));
      case "guest-hangs" -> cluster.guestHangs(args[0]);
      case "starts-fail" -> cluster.startsFailOn(args[0], true);
      case "starts-work" -> cluster.startsFailOn(args[0], false);
      case "starts-slow" -> cluster.startsSlow(args[0], true);
      case "starts-quick" -> cluster.startsSlow(args[0], false);
      case "run-emptied" -> cluster.runEmptied(args[0]);
      case "libvirt-late" -> cluster.libvirtIsLate(args[0], time(args[1]));
      case "qemu-lost" -> cluster.qemuLost(args[0], args[1], true);
      case "qemu-found" -> cluster.qemuLost(args[0], args[1], false);
      case "starts-unclear" -> cluster.startsUnclear(args[0], true);
      case "starts-clear" -> cluster.startsUnclear(args[0], false);
      case "destroys-hang" -> cluster.destroysHang(args[0], true);
      case "destroys-work" -> cluster.destroysHang(args[0], false);
      case "shutdown" -> cluster.goesDown(args[0], GoingDown.POWER_OFF);
      case "reboot" -> cluster.goesDown(args[0], GoingDown.REBOOT);
      case "migrate" ->
          cluster.command(
              new Command.Migrate(
                  new GuestId(args[0]),
                  args.length > 1 ? Optional.of(new HostId(args[1])) : Optional.empty()));
      case "migrate-group" ->
          cluster.command(
              new Command.Migrate(
                  new GuestId(args[0]),
                  args.length > 1 ? Optional.of(new HostId(args[1])) : Optional.empty(),
                  true));
      case "relocate" ->
          cluster.command(
              new Command.Relocate(
                  new GuestId(args[0]),
                  args.length > 1 ? Optional.of(new HostId(args[1])) : Optional.empty(),
                  args.length > 2 ? time(args[2]) : Duration.ofSeconds(30)));
      case "stop" ->
          cluster.command(
              new Command.StopGuest(
                  new GuestId(args[0]), args.length > 1 ? time(args[1]) : Duration.ZERO));
      case "start" -> cluster.command(new Command.StartGuest(new GuestId(args[0])));
      case "remove" -> cluster.command(new Command.RemoveGuest(new GuestId(args[0])));
      case "create" ->
          cluster.command(
              new Command.CreateGuest(
                  Simulation.guestSpec(
                      args[0],
                      args.length > 1 ? Long.parseLong(args[1]) : 1024,
                      Arrays.stream(args).skip(2).toList()),
                  true));
      case "evacuate" -> cluster.command(new Command.Evacuate(new HostId(args[0])));
      case "uncordon" -> cluster.command(new Command.Uncordon(new HostId(args[0])));
      case "fence" -> cluster.command(new Command.Fence(new HostId(args[0])));
      case "confirm-dead" ->
          cluster.command(
              new Command.ConfirmDead(
                  new HostId(args[0]),
                  Command.ConfirmDead.sentence(new HostId(args[0])),
                  Optional.empty()));
      case "cancel" ->
          cluster.command(
              new Command.CancelOperation(
                  args.length > 0
                      ? new OperationId(args[0])
                      : cluster.newestOperation().orElseThrow()));
      case "create-twice" -> createTwice(args[0]);
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
      default -> throw new IllegalArgumentException("no such verb: " + verb);
    }
  }

  /** The same request at two voters' leaders, or at one leader twice. */
  private void createTwice(String guest) {
    var leading = cluster.world.leader().orElseThrow().leading;
    for (int i = 0; i < 2 && leading != null; i++) {
      leading.post(
          new Event.CommandReceived(
              new RequestId("twice"),
              "admin",
              new Command.CreateGuest(Simulation.guestSpec(guest, 1024), true),
              Event.Outlook.NONE,
              cluster.world.clock.instant()));
    }
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

  private static Duration time(String words) {
    if (words.startsWith("-")) {
      return time(words.substring(1)).negated();
    }
    return Amounts.durationWithUnit(words)
        .orElseThrow(() -> new IllegalArgumentException(words + " is no time"));
  }
}
