package dev.haven.orchestrator.ha;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Instant;
import java.util.Optional;

/**
 * The judgement of the cluster: what follows from an event, in a state. Pure; see the package for
 * how its answers reach the world.
 *
 * <p>Each event is judged where it belongs ({@link HostPolicy}, {@link GuestPolicy}, {@link
 * MigrationPolicy}, {@link CommandPolicy}); after that {@link Settling} looks at what now waits:
 * guests for a place, evacuations for their next move, operations for their end.
 */
public final class HaPolicy {
  private HaPolicy() {}

  public static Decision decide(ClusterState state, Event event) {
    var d = new Deliberation(state, event.at());
    switch (event) { // no default: a new kind of event does not compile until it is handled
      case Event.LeaderElected e -> leaderElected(d, e);
      case Event.AgentJoined e -> HostPolicy.joined(d, e);
      case Event.HelloHeld e -> Newcomers.held(d, e);
      case Event.HostHeard e -> HostPolicy.heard(d, e);
      case Event.HostSilent e -> HostPolicy.silent(d, e);
      case Event.FencingConfirmed e -> HostPolicy.fencingConfirmed(d, e);
      case Event.FencingFailed e -> HostPolicy.fencingFailed(d, e);
      case Event.HostSwitchedOn e -> HostPolicy.switchedOn(d, e);
      case Event.HostPoisoned e -> HostPolicy.poisoned(d, e);
      case Event.FencedAlone e -> HostPolicy.fencedAlone(d, e);
      case Event.BoundRanOut e -> HostPolicy.boundRanOut(d, e);
      case Event.WatchdogReported e -> HostPolicy.watchdogReported(d, e);
      case Event.ProofContradicted e -> HostPolicy.contradicted(d, e);
      case Event.ProofUnchecked e -> HostPolicy.unchecked(d, e);
      case Event.DeviceChecked e -> HostPolicy.deviceChecked(d, e);
      case Event.AgentChecked e -> HostPolicy.agentChecked(d, e);
      case Event.DomainsReported e -> GuestPolicy.reported(d, e);
      case Event.OrderAnswered e -> GuestPolicy.answered(d, e);
      case Event.CommandReceived e -> CommandPolicy.received(d, e);
      case Event.DisksResolved e -> GuestPolicy.disksResolved(d, e);
      case Event.Tick e -> {
        HostPolicy.tick(d);
        Stuck.tick(d, e);
        Failbacks.begin(d);
        BrokenRules.watch(d);
        resend(d, true);
      }
    }
    if (d.changed() || event instanceof Event.Tick || event instanceof Event.LeaderElected) {
      Settling.settle(d);
    }
    return d.decision();
  }

  /**
   * What is to be told once more of an event of which nothing was committed, as the disks of the
   * voters are full, say; empty if somebody tells it again anyway. A fencing has ended then: it is
   * tried again, as its proof may have been overtaken meanwhile.
   */
  public static Optional<Event> again(Event event, String why) {
    return switch (event) {
      case Event.FencingConfirmed e -> failed(e.host(), e.boot(), e.attempt(), why, e.at());
      case Event.HostPoisoned e -> failed(e.host(), e.boot(), e.attempt(), why, e.at());
      case Event.FencingFailed e -> Optional.of(e);
      case Event.HostSwitchedOn e -> Optional.of(e);
      case Event.LeaderElected e -> Optional.of(e);
      default -> Optional.empty();
    };
  }

  private static Optional<Event> failed(
      HostId host, BootId boot, int attempt, String why, Instant at) {
    return Optional.of(
        new Event.FencingFailed(host, boot, attempt, "its proof was not committed: " + why, at));
  }

  private static void leaderElected(Deliberation d, Event.LeaderElected e) {
    d.note("phase", "cluster", "a new leader took over in term " + e.term());
    if (e.generation() > d.state().generation()) {
      d.change(new Change.GenerationBegun(e.generation()));
      d.note("phase", "cluster", "generation %d has begun".formatted(e.generation()));
    }
    for (var host : d.state().hosts()) {
      if (host.state() instanceof HostState.Fencing f) {
        host.boot().ifPresent(boot -> HostPolicy.takeUp(d, host.id(), boot, f));
      }
    }
    resend(d, false);
    d.because("took over; everything under way is taken up again");
  }

  /**
   * Sends again the orders that the state implies. @param quietly only those whose answer may have
   * been lost
   */
  private static void resend(Deliberation d, boolean quietly) {
    for (var id : d.state().unsettled()) {
      GuestPolicy.orders(d, d.guest(id));
    }
    if (quietly) {
      d.because("nothing else to do");
    }
  }
}
