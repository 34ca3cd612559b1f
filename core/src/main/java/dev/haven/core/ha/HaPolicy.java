package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;

/**
 * The judgement of the cluster: what follows from an event, in a state. Pure; see the package for
 * how its answers reach the world.
 *
 * <p>Here is only the switch: each event is judged in the class of its topic, and each kind of
 * operation has one of its own (see {@link Operations}). After that {@link Scheduler} looks at what
 * now waits: guests for a place, evacuations for their next move, operations for their end.
 */
public final class HaPolicy {
  private HaPolicy() {}

  public static Decision decide(ClusterState state, Event event) {
    return decide(state, event, Set.of());
  }

  /**
   * The same without some guests.
   *
   * @param leftOut nothing is decided about them, because an earlier try at that failed
   */
  public static Decision decide(ClusterState state, Event event, Set<GuestId> leftOut) {
    var d = new Deliberation(state, event.at(), leftOut);
    if (event instanceof Event.DecisionFailed e) { // and nothing else, which might fail again
      return OurFaults.undecided(d, e).decision();
    }
    switch (event) { // no default: a new kind of event does not compile until it is handled
      case Event.LeaderElected e -> leaderElected(d, e);
      case Event.AgentJoined e -> HostJoining.joined(d, e);
      case Event.HelloHeld e -> Newcomers.held(d, e);
      case Event.HostHeard e -> HostJoining.heard(d, e);
      case Event.HostSilent e -> Suspicion.silent(d, e);
      case Event.FencingConfirmed e -> Fencing.fencingConfirmed(d, e);
      case Event.FencingFailed e -> Fencing.fencingFailed(d, e);
      case Event.HostSwitchedOn e -> Fencing.switchedOn(d, e);
      case Event.HostPoisoned e -> Fencing.poisoned(d, e);
      case Event.FencedAlone e -> ProvenOff.fencedAlone(d, e);
      case Event.BoundRanOut e -> ProvenOff.boundRanOut(d, e);
      case Event.LeasesShortened e -> HostJoining.leasesShortened(d, e);
      case Event.WatchdogReported e -> HostJoining.watchdogReported(d, e);
      case Event.ProofContradicted e -> ProvenOff.contradicted(d, e);
      case Event.ProofUnchecked e -> ProvenOff.unchecked(d, e);
      case Event.DeviceChecked e -> HostChecks.deviceChecked(d, e);
      case Event.EchoChecked e -> HostChecks.echoChecked(d, e);
      case Event.AgentChecked e -> HostChecks.agentChecked(d, e);
      case Event.VoterStands e -> VoterTroubles.stands(d, e);
      case Event.DomainsReported e -> GuestReports.reported(d, e);
      case Event.OrderAnswered e -> GuestAnswers.answered(d, e);
      case Event.CommandReceived e -> Commands.received(d, e);
      case Event.DisksResolved e -> GuestAnswers.disksResolved(d, e);
      case Event.DecisionFailed _ -> {}
      case Event.GoOn _ -> ProvenOff.finish(d);
      case Event.OutcomeWasUnknown e -> takeUp(d, e);
      case Event.Tick e -> {
        ProvenOff.finish(d); // also where the entry that should have followed was lost
        Fencing.bootsAreOver(d);
        Suspicion.tick(d);
        FencingPause.tick(d);
        OurFaults.brokenEntry(d);
        Stuck.tick(d, e);
        Failbacks.begin(d);
        BrokenRules.watch(d);
        resend(d, true);
      }
    }
    if (d.changed()
        || event instanceof Event.Tick
        || event instanceof Event.GoOn
        || event instanceof Event.LeaderElected) {
      Scheduler.settle(d);
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
      case Event.OutcomeWasUnknown e -> Optional.of(e);
      case Event.AgentJoined _,
          Event.HelloHeld _,
          Event.HostHeard _,
          Event.HostSilent _,
          Event.FencedAlone _,
          Event.BoundRanOut _,
          Event.LeasesShortened _,
          Event.WatchdogReported _,
          Event.ProofContradicted _,
          Event.ProofUnchecked _,
          Event.DeviceChecked _,
          Event.EchoChecked _,
          Event.AgentChecked _,
          Event.VoterStands _,
          Event.DomainsReported _,
          Event.OrderAnswered _,
          Event.CommandReceived _,
          Event.DisksResolved _,
          Event.DecisionFailed _,
          Event.GoOn _,
          Event.Tick _ ->
          Optional.empty();
    };
  }

  private static Optional<Event> failed(
      HostId host, BootId boot, int attempt, String why, Instant at) {
    return Optional.of(
        new Event.FencingFailed(host, boot, attempt, "its proof was not committed: " + why, at));
  }

  private static void leaderElected(Deliberation d, Event.LeaderElected e) {
    d.tell(new Fact.LeaderElected(e.term()));
    if (e.generation() > d.state().generation()) {
      d.change(new Change.GenerationBegun(e.generation()));
      d.tell(new Fact.GenerationBegun(e.generation()));
    }
    Fencing.takeUp(d, e.quorum());
    ProvenOff.finish(d);
    resend(d, false);
    d.because("took over; everything under way is taken up again");
  }

  /**
   * An entry may have been applied without the actions that belong to it: a fence that nobody
   * carries out, or one that goes on though its host is well.
   */
  private static void takeUp(Deliberation d, Event.OutcomeWasUnknown e) {
    d.tell(new Fact.EntryTakenUp());
    Fencing.takeUp(d, e.quorum());
    for (var host : d.state().hosts()) {
      if (!(host.state() instanceof HostState.Fencing)) {
        d.act(new Action.DropFence(host.id()));
      }
    }
    ProvenOff.finish(d);
    resend(d, false);
    d.because("everything under way is taken up again");
  }

  /**
   * Sends again the orders that the state implies. @param quietly only those whose answer may have
   * been lost
   */
  private static void resend(Deliberation d, boolean quietly) {
    for (var id : d.state().unsettled()) {
      if (!d.leavesOut(id)) {
        GuestOrders.orders(d, d.guest(id));
      }
    }
    if (quietly) {
      d.because("nothing else to do");
    }
  }
}
