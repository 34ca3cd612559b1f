package dev.haven.simulator;

import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.orchestrator.ha.Event;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Reads a story, one sentence a line, and plays it. */
final class Story {
  private static final long SEED = 1;

  private Simulation cluster = Simulation.of(SEED, "a", "b", "c");
  private final StringBuilder log = new StringBuilder();
  private boolean begun;

  private Story() {}

  /**
   * @return the log
   * @throws AssertionError if something that it expects is not so
   */
  static String play(List<String> lines) {
    var story = new Story();
    for (var line : lines) {
      var words = line.replaceFirst("#.*", "").strip().split("\\s+");
      if (!words[0].isEmpty()) {
        try {
          story.happens(words[0], Arrays.copyOfRange(words, 1, words.length));
        } catch (AssertionError | RuntimeException e) {
          throw new AssertionError(line + ": " + e.getMessage(), e);
        }
      }
    }
    if (!story.cluster.violations().isEmpty()) {
      throw new AssertionError(String.join("\n", story.cluster.violations()));
    }
    return story.log.toString();
  }

  private void happens(String verb, String[] args) {
    if (!begun && !verb.startsWith("hosts") && !verb.equals("guest")) {
      begun = true;
      cluster.runFor(Duration.ofSeconds(2));
      cluster.listen(line -> log.append(line).append('\n'));
    }
    switch (verb) {
      case "hosts" -> cluster = Simulation.of(SEED, args);
      case "hosts-without-device" -> cluster = Simulation.of(SEED, false, false, args);
      case "hosts-with-watchdog" -> cluster = Simulation.of(SEED, true, true, args);
      case "guest" -> cluster.guest(args[0], places(args));
      case "run" -> cluster.runFor(time(args[0]));
      case "power-loss" -> cluster.powerLoss(args[0]);
      case "power-on" -> cluster.powerOn(args[0]);
      case "hang" -> cluster.hang(args[0]);
      case "unhang" -> cluster.unhang(args[0]);
      case "cut-off" -> cluster.cutOff(args[0]);
      case "reconnect" -> cluster.reconnect(args[0]);
      case "device" ->
          cluster.device(
              Simulation.PowerDeviceMode.valueOf(args[1].toUpperCase(Locale.ROOT)), args[0]);
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
      case "starts-fail" -> cluster.startsFailOn(args[0], true);
      case "starts-work" -> cluster.startsFailOn(args[0], false);
      case "migrate" ->
          cluster.command(
              new Command.Migrate(
                  new GuestId(args[0]),
                  args.length > 1 ? Optional.of(new HostId(args[1])) : Optional.empty()));
      case "stop" ->
          cluster.command(
              new Command.StopGuest(
                  new GuestId(args[0]), args.length > 1 ? time(args[1]) : Duration.ZERO));
      case "start" -> cluster.command(new Command.StartGuest(new GuestId(args[0])));
      case "remove" -> cluster.command(new Command.RemoveGuest(new GuestId(args[0])));
      case "create" ->
          cluster.command(
              new Command.CreateGuest(
                  Simulation.guestSpec(args[0], args.length > 1 ? Long.parseLong(args[1]) : 1024),
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
          cluster.command(new Command.CancelOperation(cluster.newestOperation().orElseThrow()));
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

  private static Simulation.Place places(String[] args) {
    return Simulation.on(Arrays.copyOfRange(args, 1, args.length));
  }

  private static Duration time(String words) {
    return words.endsWith("ms")
        ? Duration.ofMillis(Long.parseLong(words.substring(0, words.length() - 2)))
        : words.endsWith("m")
            ? Duration.ofMinutes(Long.parseLong(words.substring(0, words.length() - 1)))
            : Duration.ofSeconds(Long.parseLong(words.substring(0, words.length() - 1)));
  }
}
