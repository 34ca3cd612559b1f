package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.lead.Leader.Step;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What a leader does with what its log says of an entry, and with faults of ours. */
class LeaderTest {
  private static final Instant AT = Instant.parse("2026-11-29T00:00:00Z");
  private static final HostId A = new HostId("a");

  private final Made world = new Made();
  private Decider decider = HaPolicy::decide;
  private final Leader leader = new Leader(world, (s, e, without) -> decider.decide(s, e, without));

  private Step.Propose elected() {
    world.leases.elected(0);
    return (Step.Propose) leader.take(leader.elected(7, 1));
  }

  private Step commit(Step.Propose p) {
    var outcome = world.state.apply(p.entry());
    world.state = outcome.state();
    return switch (outcome) {
      case ClusterState.Outcome.Applied _ -> leader.applied(p);
      case ClusterState.Outcome.Stale _ -> leader.stale(p);
      case ClusterState.Outcome.Broken b -> leader.broken(p, b.rule());
    };
  }

  /** All that is to be handled before anything else; nothing of it is committed. */
  private List<Event> allThatFollows(boolean refused) {
    var events = new ArrayList<Event>();
    for (var next = leader.next(); next.isPresent(); next = leader.next()) {
      events.add(next.get());
      if (leader.take(next.get()) instanceof Step.Propose p) {
        if (refused) {
          leader.refused(p, "no space is left");
        } else {
          commit(p);
        }
      }
    }
    return events;
  }

  @Test
  void whatWasRefusedIsDecidedAgainWithTheNextTick() {
    leader.refused(elected(), "no space is left");
    assertThat(leader.next()).isEmpty();
    leader.tick();
    assertThat(allThatFollows(true))
        .hasSize(2)
        .satisfies(
            e -> assertThat(e.getFirst()).isInstanceOf(Event.LeaderElected.class),
            e -> assertThat(e.getLast()).isInstanceOf(Event.Tick.class));
    leader.tick();
    assertThat(allThatFollows(false).getFirst())
        .as("again and again, until it is committed")
        .isInstanceOf(Event.LeaderElected.class);
    leader.tick();
    assertThat(allThatFollows(false)).hasSize(1);
  }

  @Test
  void anEntryOfWhichNobodyKnowsIsTakenUpOnce() {
    leader.unknown(elected(), "no quorum has answered");
    leader.tick();
    assertThat(allThatFollows(false)).anyMatch(Event.OutcomeWasUnknown.class::isInstance);
    leader.tick();
    assertThat(allThatFollows(false)).noneMatch(Event.OutcomeWasUnknown.class::isInstance);
  }

  @Test
  void aDecisionOnAStateThatHasChangedIsTakenAnewButNotForEver() {
    var p = elected();
    for (int i = 1; i < 100; i++) {
      p = (Step.Propose) leader.stale(p);
    }
    assertThat(leader.stale(p))
        .isInstanceOfSatisfying(
            Step.NotDecided.class, n -> assertThat(n.outcomeUnknown()).isTrue());
  }

  @Test
  void aTakeOverThatFailsByAFaultOfOursIsTriedAgain() {
    decider =
        (state, event, without) -> {
          if (event instanceof Event.LeaderElected) {
            throw new IllegalArgumentException("index -1");
          }
          return HaPolicy.decide(state, event, without);
        };
    world.leases.elected(0);
    assertThat(leader.take(leader.elected(7, 1)))
        .isInstanceOfSatisfying(
            Step.NotDecided.class,
            n ->
                assertThat(n.fault())
                    .hasValueSatisfying(f -> assertThat(f).hasMessage("index -1")));
    assertThat(world.faults).isNotEmpty();
    assertThat(allThatFollows(false)).allMatch(Event.DecisionFailed.class::isInstance);
    decider = HaPolicy::decide;
    leader.tick();
    assertThat(allThatFollows(false)).anyMatch(Event.LeaderElected.class::isInstance);
  }

  @Test
  void aFaultThatCannotBeToldWhileNothingCanBeWrittenHoldsNobodyUp() {
    decider =
        (state, event, without) -> {
          if (event instanceof Event.GoOn) {
            throw new IllegalArgumentException("index -1");
          }
          return HaPolicy.decide(state, event, without);
        };
    commit(elected());
    assertThat(leader.take(new Event.GoOn(AT))).isInstanceOf(Step.NotDecided.class);
    assertThat(allThatFollows(true)).hasSize(1).allMatch(Event.DecisionFailed.class::isInstance);
  }

  @Test
  void anActionThatFailsHoldsUpNoOtherAction() {
    var down = new Action.DropFence(A);
    var on = new Action.PowerOn(A);
    world.failsOn = Optional.of(down);
    decider =
        (_, _, _) ->
            new Decision(
                List.of(), List.of(down, on), List.of(), List.of(), "", Optional.empty(), false);
    leader.take(new Event.GoOn(AT));
    assertThat(world.started).containsExactly(on);
    assertThat(world.faults).hasSize(1);
  }

  @Test
  void aVerdictThatIsNotCommittedGivesTheHostItsLeasesBack() {
    world.leases.elected(0);
    var host =
        new HostSpec(
            A, Optional.empty(), "", List.of(), List.of(), Map.of(), Optional.empty(), 0, 1);
    world.state =
        world
            .state
            .apply(
                new dev.haven.core.ha.Entry(
                    dev.haven.core.ha.Entry.FORMAT,
                    0,
                    AT,
                    List.of(new Change.HostDescribed(host)),
                    List.of()))
            .state();
    var verdict =
        new Change.HostStateChanged(
            A,
            new dev.haven.core.ha.HostState.Fencing(
                1, dev.haven.core.ha.HostState.Cause.UNREACHABLE, AT, ""));
    decider =
        (_, _, _) ->
            new Decision(
                List.of(verdict), List.of(), List.of(), List.of(), "", Optional.empty(), false);
    var p = (Step.Propose) leader.take(new Event.GoOn(AT));
    assertThat(granted(2)).as("it is judged").isFalse();
    leader.unknown(p, "it may yet be applied");
    assertThat(granted(3)).isFalse();
    leader.refused((Step.Propose) leader.take(new Event.GoOn(AT)), "no space is left");
    assertThat(granted(4)).isTrue();
  }

  private boolean granted(long now) {
    return world
        .leases
        .grant(A, now - 1, java.util.OptionalLong.of(now), now, () -> world.state)
        .isPresent();
  }

  private static final class Made implements World {
    ClusterState state = ClusterState.EMPTY;
    final Leases leases = new Leases();
    final ProofTimes proofTimes = new ProofTimes("v");
    final VoterClocks clocks = new VoterClocks();
    final List<Action> started = new ArrayList<>();
    final List<RuntimeException> faults = new ArrayList<>();
    Optional<Action> failsOn = Optional.empty();

    @Override
    public ClusterState state() {
      return state;
    }

    @Override
    public long nanos() {
      return 1;
    }

    @Override
    public Instant instant() {
      return AT;
    }

    @Override
    public Event.Quorum quorum() {
      return new Event.Quorum(Set.of("v"), Set.of("v"));
    }

    @Override
    public Leases leases() {
      return leases;
    }

    @Override
    public ProofTimes proofTimes() {
      return proofTimes;
    }

    @Override
    public VoterClocks clocks() {
      return clocks;
    }

    @Override
    public boolean outdated(Event event) {
      return false;
    }

    @Override
    public void start(Action action, long term) {
      if (failsOn.equals(Optional.of(action))) {
        throw new IllegalStateException("no");
      }
      started.add(action);
    }

    @Override
    public void failed(Event event, RuntimeException fault) {
      faults.add(fault);
    }
  }
}
