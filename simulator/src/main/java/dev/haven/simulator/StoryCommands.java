package dev.haven.simulator;

import dev.haven.core.ha.Event;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;

/** The sentences of a {@link Story} in which people ask for something. */
final class StoryCommands {
  private final Simulation cluster;

  StoryCommands(Simulation cluster) {
    this.cluster = cluster;
  }

  /**
   * @return whether it is such a sentence
   */
  boolean asks(String verb, String[] args) {
    return aboutGuest(verb, args) || aboutCluster(verb, args);
  }

  /** About a guest. */
  private boolean aboutGuest(String verb, String[] args) {
    switch (verb) {
      case "create" ->
          cluster.command(
              new Command.CreateGuest(
                  Beginning.guestSpec(
                      args[0],
                      args.length > 1 ? Long.parseLong(args[1]) : 1024,
                      Arrays.stream(args).skip(2).toList()),
                  true));
      case "create-twice" -> createTwice(args[0]);
      case "start" -> cluster.command(new Command.StartGuest(new GuestId(args[0])));
      case "stop" ->
          cluster.command(
              new Command.StopGuest(
                  new GuestId(args[0]), args.length > 1 ? Story.time(args[1]) : Duration.ZERO));
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
                  args.length > 2 ? Story.time(args[2]) : Duration.ofSeconds(30)));
      case "remove" -> cluster.command(new Command.RemoveGuest(new GuestId(args[0])));
      default -> {
        return false;
      }
    }
    return true;
  }

  /** About hosts, and the whole cluster. */
  private boolean aboutCluster(String verb, String[] args) {
    switch (verb) {
      case "cordon" -> cluster.command(new Command.Cordon(new HostId(args[0])));
      case "uncordon" -> cluster.command(new Command.Uncordon(new HostId(args[0])));
      case "evacuate" -> cluster.command(new Command.Evacuate(new HostId(args[0])));
      case "test-watchdog" -> cluster.command(new Command.TestWatchdog(new HostId(args[0])));
      case "fence" -> cluster.command(new Command.Fence(new HostId(args[0])));
      case "confirm-dead" ->
          cluster.command(
              new Command.ConfirmDead(
                  new HostId(args[0]),
                  Command.ConfirmDead.sentence(new HostId(args[0])),
                  Optional.empty()));
      case "pause" ->
          cluster.command(
              new Command.Pause(
                  "work on the network",
                  args.length > 0 ? Optional.of(Story.time(args[0])) : Optional.empty()));
      case "resume" -> cluster.command(new Command.Resume());
      case "policy" -> cluster.command(new Command.SetPolicy(args[0], args[1]));
      case "cancel" ->
          cluster.command(
              new Command.CancelOperation(
                  args.length > 0
                      ? new OperationId(args[0])
                      : cluster.newestOperation().orElseThrow()));
      default -> {
        return false;
      }
    }
    return true;
  }

  /** The same request at two voters' leaders, or at one leader twice. */
  private void createTwice(String guest) {
    var leading = cluster.world.leader().orElseThrow().leading;
    for (int i = 0; i < 2 && leading != null; i++) {
      leading.post(
          new Event.CommandReceived(
              new RequestId("twice"),
              "admin",
              new Command.CreateGuest(Beginning.guestSpec(guest, 1024), true),
              Event.Outlook.NONE,
              cluster.world.clock.instant()));
    }
  }
}
