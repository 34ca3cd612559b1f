package dev.haven.core.ha;

import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;

/** What people ask for. A refusal changes nothing and says what, where and the way out. */
final class Commands {
  private Commands() {}

  static void received(Deliberation d, Event.CommandReceived e) {
    var before = d.state().answer(e.request());
    if (before.isPresent()) {
      d.reply(before.get()).because("answered before");
      return;
    }
    Reply reply =
        switch (e.command()) {
          case Command.AddHost c -> HostCommands.addHost(d, c);
          case Command.RemoveHost c -> HostCommands.removeHost(d, c);
          case Command.AcceptHost c -> HostCommands.acceptHost(d, c, e.by());
          case Command.Cordon c -> HostCommands.cordon(d, c.host(), true);
          case Command.Uncordon c -> HostCommands.cordon(d, c.host(), false);
          case Command.Evacuate c -> Evacuation.begin(d, c.host(), e.by());
          case Command.Fence c -> OrderedFence.begin(d, c.host(), e);
          case Command.TestFencing c ->
              d.state().host(c.host()).isEmpty()
                  ? Replies.unknownHost(d, c.host())
                  : FencingTrial.begin(d, c.host(), c.level(), e);
          case Command.ConfirmDead c -> HostCommands.confirmDead(d, c, e);
          case Command.CreateGuest c -> GuestCommands.createGuest(d, c, e);
          case Command.EditGuest c -> GuestCommands.editGuest(d, c, e);
          case Command.StartGuest c -> GuestStart.begin(d, c.guest(), e.by());
          case Command.StopGuest c -> GuestStop.begin(d, c, e.by());
          case Command.RemoveGuest c -> GuestCommands.removeGuest(d, c.guest());
          case Command.Migrate c -> GuestMove.begin(d, c, e.by());
          case Command.Relocate c -> Relocation.begin(d, c, e.by());
          case Command.Pause c -> HostCommands.pause(d, c, e.by());
          case Command.Resume _ -> HostCommands.resume(d, e.by());
          case Command.TestWatchdog c -> HostCommands.testWatchdog(d, c.host(), e.quorum());
          case Command.TrustSoftdog c -> HostCommands.trustSoftdog(d, c.host(), c.trusted());
          case Command.CancelOperation c -> Operations.cancel(d, c.operation());
          case Command.SetPolicy c -> HostCommands.setPolicy(d, c.setting(), c.value());
        };
    d.reply(reply);
    switch (reply) {
      case Reply.Accepted a -> {
        d.change(new Change.RequestAnswered(e.request(), e.at(), a));
        d.note("command", e.by(), a.message());
        d.because(a.message());
      }
      case Reply.Refused r -> d.because("refused: " + r.message());
    }
  }
}
