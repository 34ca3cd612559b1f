package dev.haven.core.ha;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Reply;
import java.util.Optional;

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
          case Command.TakeAuthority c -> Joining.takeAuthority(d, c);
          case Command.CreateToken c -> Joining.create(d, c);
          case Command.RevokeToken c -> Joining.revoke(d, c);
          case Command.UseToken c -> Joining.use(d, c);
          case Command.RevokeKey c -> Revocation.revoke(d, c);
          case Command.SetPolicy c -> HostCommands.setPolicy(d, c.setting(), c.value());
        };
    d.reply(reply);
    switch (reply) {
      case Reply.Accepted a -> {
        boolean changed = d.changed();
        d.change(new Change.RequestAnswered(e.request(), e.at(), a));
        d.tell(accepted(d, e, a, changed));
        d.because(a.message());
      }
      case Reply.Refused r -> d.because("refused: " + r.message());
    }
  }

  private static Fact accepted(
      Deliberation d, Event.CommandReceived e, Reply.Accepted reply, boolean changed) {
    var about = about(e.command());
    var target =
        reply
            .operation()
            .flatMap(d.state()::operation)
            .flatMap(
                op ->
                    switch (op.kind()) {
                      case Operation.Kind.MoveGuest k -> Optional.of(k.to());
                      case Operation.Kind.RelocateGuest k -> Optional.of(k.to());
                      case Operation.Kind.MoveGroup _,
                          Operation.Kind.MakeRoom _,
                          Operation.Kind.EvacuateHost _,
                          Operation.Kind.StartGuest _,
                          Operation.Kind.StopGuest _,
                          Operation.Kind.FenceHost _,
                          Operation.Kind.FenceStuck _,
                          Operation.Kind.TestFencing _ ->
                          Optional.empty();
                    });
    return new Fact.CommandAccepted(
        e.by(),
        e.command().getClass().getSimpleName(),
        changed || !d.decision().actions().isEmpty(),
        about.host().or(() -> target),
        about.guest(),
        e.command() instanceof Command.Pause
            ? d.state().pause().flatMap(Pause::until)
            : Optional.empty(),
        reply.operation(),
        reply.message());
  }

  private record About(Optional<HostId> host, Optional<GuestId> guest) {
    static final About NOTHING = new About(Optional.empty(), Optional.empty());

    static About host(HostId host) {
      return new About(Optional.of(host), Optional.empty());
    }

    static About guest(GuestId guest) {
      return new About(Optional.empty(), Optional.of(guest));
    }
  }

  private static About about(Command command) {
    return switch (command) {
      case Command.AddHost c -> About.host(c.host().id());
      case Command.RemoveHost c -> About.host(c.host());
      case Command.AcceptHost c -> About.host(c.host());
      case Command.Cordon c -> About.host(c.host());
      case Command.Uncordon c -> About.host(c.host());
      case Command.Evacuate c -> About.host(c.host());
      case Command.Fence c -> About.host(c.host());
      case Command.TestFencing c -> About.host(c.host());
      case Command.ConfirmDead c -> About.host(c.host());
      case Command.TestWatchdog c -> About.host(c.host());
      case Command.TrustSoftdog c -> About.host(c.host());
      case Command.CreateGuest c -> About.guest(c.guest().id());
      case Command.EditGuest c -> About.guest(c.guest().id());
      case Command.StartGuest c -> About.guest(c.guest());
      case Command.StopGuest c -> About.guest(c.guest());
      case Command.RemoveGuest c -> About.guest(c.guest());
      case Command.Migrate c -> About.guest(c.guest());
      case Command.Relocate c -> About.guest(c.guest());
      case Command.UseToken c -> c.host().map(h -> About.host(h.id())).orElse(About.NOTHING);
      case Command.Pause _,
          Command.Resume _,
          Command.CancelOperation _,
          Command.TakeAuthority _,
          Command.CreateToken _,
          Command.RevokeToken _,
          Command.RevokeKey _,
          Command.SetPolicy _ ->
          About.NOTHING;
    };
  }
}
