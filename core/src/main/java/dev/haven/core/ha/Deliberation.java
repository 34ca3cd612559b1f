package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Fact;
import dev.haven.model.api.FactWords;
import dev.haven.model.api.Reply;
import dev.haven.model.wire.Order;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A decision while it is being made: each change is seen by what is decided after it. Lives within
 * one call of {@link HaPolicy#decide}.
 */
final class Deliberation {
  /**
   * What one entry of the log may weigh: about so many bytes, so that it stays below what the log
   * takes with room to spare.
   */
  static final int FULL = 200_000;

  private final Instant at;
  private final Set<GuestId> leftOut;
  private int weight;
  private final List<Change> changes = new ArrayList<>();
  private final List<Action> actions = new ArrayList<>();
  private final List<Action.Resume> ahead = new ArrayList<>();
  private final List<Fact> facts = new ArrayList<>();
  private ClusterState state;
  private String reason = "";
  private Optional<Reply> reply = Optional.empty();

  /**
   * @param leftOut guests about which nothing is decided, as that went wrong
   */
  Deliberation(ClusterState state, Instant at, Set<GuestId> leftOut) {
    this.state = state;
    this.at = at;
    this.leftOut = leftOut;
  }

  /** Whether nothing may be decided about this guest now. */
  boolean leavesOut(GuestId guest) {
    return leftOut.contains(guest);
  }

  /** Whether what else there is belongs into an entry of its own. */
  boolean full() {
    return weight >= FULL;
  }

  /** About as many bytes as it takes in the log; text counts double, as it may be escaped. */
  private static int weigh(Change change) {
    return 300
        + switch (change) {
          case Change.HolderCleared c -> 2 * c.proof().evidence().length();
          case Change.AlarmRaised c -> 2 * c.alarm().message().length();
          case Change.PhaseChanged c ->
              300
                  + switch (c.phase()) {
                    case GuestPhase.Waiting p -> 2 * p.why().length();
                    case GuestPhase.Vacating p -> 2 * p.why().length();
                    case GuestPhase.Stopped p -> 2 * p.why().length();
                    case GuestPhase.Failed p -> 2 * p.why().length();
                    case GuestPhase.Migrating p -> 2 * p.why().length();
                    case GuestPhase.Starting _, GuestPhase.Running _, GuestPhase.Stopping _ -> 0;
                  };
          case Change.OperationChanged c -> c.operation().weight();
          case Change.OfHost _,
              Change.OfGuest _,
              Change.OfOperation _,
              Change.OfTrust _,
              Change.OfCluster _ ->
              300;
        };
  }

  ClusterState state() {
    return state;
  }

  Instant at() {
    return at;
  }

  /** The host, if this is the boot under which it joined; if not, that is the reason. */
  Optional<Host> joined(HostId host, BootId boot) {
    var known = state.host(host).filter(h -> h.boot().equals(Optional.of(boot)));
    if (known.isEmpty()) {
      because("not the boot that joined");
    }
    return known;
  }

  Deliberation change(Change change) {
    state = state.apply(change);
    changes.add(change);
    weight += weigh(change);
    return this;
  }

  Deliberation phase(GuestId guest, GuestPhase phase) {
    return change(new Change.PhaseChanged(guest, phase));
  }

  Deliberation host(HostId host, HostState next) {
    return change(new Change.HostStateChanged(host, next));
  }

  Deliberation act(Action action) {
    actions.add(action);
    return this;
  }

  /** The same, and it need not wait for the changes: see {@link Decision}. */
  Deliberation actAhead(Action.Resume action) {
    ahead.add(action);
    return act(action);
  }

  Deliberation send(Holding to, Order order) {
    return send(to.host(), to.boot(), order);
  }

  Deliberation send(HostId host, BootId boot, Order order) {
    return act(new Action.Send(host, boot, order));
  }

  /** Begins an operation. */
  OperationId begin(Operation.Kind kind, String by, String detail, int total) {
    var id = state.nextOperation();
    change(
        new Change.OperationBegun(
            new Operation(
                id, kind, at, by, Operation.State.RUNNING, detail, 0, total, Optional.empty())));
    return id;
  }

  /** An operation goes on. */
  void progress(Operation op, int done, String detail) {
    if (op.done() != done || !op.detail().equals(detail)) {
      change(new Change.OperationChanged(op.at(done, detail)));
    }
  }

  /** An operation is over. */
  void end(Operation op, Operation.State how, String detail) {
    change(new Change.OperationChanged(op.ended(how, detail, at)));
    tell(
        new Fact.OperationEnded(
            op.id(),
            switch (how) {
              case DONE -> Fact.Result.DONE;
              case FAILED -> Fact.Result.FAILED;
              case CANCELLED -> Fact.Result.CANCELLED;
              case RUNNING -> throw new IllegalArgumentException(op.id() + " does not end");
            },
            detail));
  }

  /** What the audit log says of it. */
  Deliberation tell(Fact fact) {
    facts.add(fact);
    weight += 100 + 2 * FactWords.of(fact).length();
    return this;
  }

  /** Raises an alarm unless it stands with the same words. */
  Deliberation alarm(
      String id, Alarm.Kind kind, Alarm.Level level, Object subject, String message) {
    return alarm(id, kind, level, subject, Optional.empty(), message);
  }

  /**
   * The same.
   *
   * @param detail why, where a program may want to know; empty where the message says all
   */
  Deliberation alarm(
      String id,
      Alarm.Kind kind,
      Alarm.Level level,
      Object subject,
      Optional<String> detail,
      String message) {
    var standing = state.alarm(id);
    if (standing
        .filter(a -> a.message().equals(message) && a.level() == level && a.kind() == kind)
        .isEmpty()) {
      var about = subject.toString();
      change(
          new Change.AlarmRaised(
              new Alarm(id, kind, level, about, message, standing.map(Alarm::since).orElse(at))));
      boolean critical = level == Alarm.Level.CRITICAL;
      tell(new Fact.AlarmRaised(id, critical, about, kind, detail, message));
    }
    return this;
  }

  Deliberation clearAlarm(String id) {
    if (state.alarm(id).isPresent()) {
      change(new Change.AlarmCleared(id));
    }
    return this;
  }

  Deliberation because(String why) {
    reason = reason.isEmpty() ? why : reason + "; " + why;
    return this;
  }

  Deliberation reply(Reply answer) {
    reply = Optional.of(answer);
    return this;
  }

  Guest guest(GuestId id) {
    return state
        .guest(id)
        .orElseThrow(() -> new IllegalStateException("guest " + id + " does not exist"));
  }

  Host host(HostId id) {
    return state
        .host(id)
        .orElseThrow(() -> new IllegalStateException("host " + id + " does not exist"));
  }

  boolean changed() {
    return !changes.isEmpty();
  }

  Decision decision() {
    return new Decision(changes, actions, ahead, facts, reason, reply, full());
  }
}
