package dev.haven.simulator;

import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Event;
import dev.haven.model.GuestId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Somebody with the CLI: asks again, under the same name, until there is an answer. */
final class Person {
  private static final long AGAIN_NANOS = 2_000_000_000L;

  private final World world;
  private final List<Request> open = new ArrayList<>();
  final List<RequestId> acknowledged = new ArrayList<>();
  private int requests;

  private static final class Request {
    final RequestId id;
    final Command command;
    final Consumer<Reply> answered;
    long sentAt = Long.MIN_VALUE;
    @Nullable Reply reply;

    Request(RequestId id, Command command, Consumer<Reply> answered) {
      this.id = id;
      this.command = command;
      this.answered = answered;
    }
  }

  Person(World world) {
    this.world = world;
  }

  void asks(Command command) {
    asks(command, _ -> {});
  }

  void asks(Command command, Consumer<Reply> answered) {
    if (command instanceof Command.StopGuest s) {
      world.judge.mayStop(s.guest());
    } else if (command instanceof Command.StartGuest s) {
      world.stopped.remove(s.guest());
    } else if (command instanceof Command.CreateGuest c) {
      world.stopped.remove(c.guest().id());
    }
    open.add(new Request(new RequestId("request-" + ++requests), command, answered));
    step();
  }

  boolean waits() {
    return !open.isEmpty();
  }

  /** Whether a command about this guest has no answer yet. */
  boolean waits(GuestId guest) {
    return open.stream().anyMatch(r -> guest.equals(about(r.command)));
  }

  private static @Nullable GuestId about(Command command) {
    return switch (command) {
      case Command.StartGuest c -> c.guest();
      case Command.StopGuest c -> c.guest();
      case Command.Migrate c -> c.guest();
      case Command.Relocate c -> c.guest();
      case Command.RemoveGuest c -> c.guest();
      case Command.CreateGuest c -> c.guest().id();
      case Command.EditGuest c -> c.guest().id();
      case Command.AddHost _,
          Command.RemoveHost _,
          Command.AcceptHost _,
          Command.Cordon _,
          Command.Uncordon _,
          Command.Evacuate _,
          Command.Fence _,
          Command.ConfirmDead _,
          Command.Pause _,
          Command.Resume _,
          Command.TestWatchdog _,
          Command.TrustSoftdog _,
          Command.TestFencing _,
          Command.CancelOperation _,
          Command.CreateToken _,
          Command.RevokeToken _,
          Command.RevokeKey _,
          Command.TakeAuthority _,
          Command.UseToken _,
          Command.SetPolicy _ ->
          null;
    };
  }

  void step() {
    long now = world.clock.nanos();
    for (var request : List.copyOf(open)) {
      if (request.sentAt != Long.MIN_VALUE && now - request.sentAt < AGAIN_NANOS) {
        continue;
      }
      var able = world.voters.stream().filter(v -> v.leading != null && v.runs()).toList();
      if (able.isEmpty()) {
        continue;
      }
      request.sentAt = now;
      var to = world.clock.oneOf(able).leading;
      if (to != null) {
        if (request.command instanceof Command.ConfirmDead c) {
          to.outlook(
              c.host(),
              outlook -> {
                var at = world.clock.instant();
                to.voter.proofTimes.commanded(to.voter.state, c, at, now);
                asks(to, request, outlook, at);
              });
        } else {
          asks(to, request, Event.Outlook.NONE, world.clock.instant());
        }
      }
    }
  }

  private void asks(SimLeader leader, Request request, Event.Outlook outlook, Instant at) {
    leader.ask(
        new Event.CommandReceived(
            request.id, "admin", request.command, outlook, leader.quorum(), Optional.empty(), at),
        decision -> answered(request, decision.flatMap(Decision::reply)));
  }

  private void answered(Request request, Optional<Reply> reply) {
    if (request.reply != null || reply.isEmpty()) {
      return;
    }
    request.reply = reply.get();
    open.remove(request);
    switch (request.reply) {
      case Reply.Accepted _ -> {
        acknowledged.add(request.id);
        if (request.command instanceof Command.StopGuest s) {
          world.stopped.add(s.guest());
        }
      }
      case Reply.Refused r -> world.log("refused", r.message());
    }
    request.answered.accept(request.reply);
  }
}
