package dev.haven.orchestrator.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Hosts a, b and c each have a voter; the agents of two of them are gone. */
class NeededVotersTest {
  private static final HostId C = new HostId("c");
  private static final Set<String> ALL = Set.of("a", "b", "c");

  private ClusterState state = Hosts.online(true, Hosts.A, Hosts.B, C);

  private Decision happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(
                Entry.FORMAT, state.version(), Hosts.AT, decision.changes(), decision.notes()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    return decision;
  }

  private Decision agentGone(HostId host, Set<String> voters, Set<String> heard) {
    return happens(
        new Event.HostSilent(
            host,
            Hosts.BOOT,
            new Event.Silence(
                Duration.ofMinutes(1),
                2,
                Event.Echo.ANSWERS,
                Event.Power.ON,
                true,
                "its agent is gone",
                false,
                new Event.Quorum(voters, heard)),
            Hosts.AT));
  }

  private boolean isCut(HostId host) {
    return state.host(host).orElseThrow().state() instanceof HostState.Fencing;
  }

  private void isProvenOff(HostId host) {
    state =
        state.apply(
            new Change.HostStateChanged(
                host, new HostState.Fenced(Hosts.BOOT, Hosts.off(host, Hosts.BOOT))));
  }

  @Test
  void theLastVoterThatIsNeededForTheProofIsNotCutUntilAnotherIsBack() {
    agentGone(Hosts.A, ALL, ALL);
    assertThat(isCut(Hosts.A)).isTrue();
    agentGone(Hosts.B, ALL, ALL);
    assertThat(isCut(Hosts.B)).as("its voter must commit the proof that a is off").isFalse();
    assertThat(state.alarm("fencing-b").orElseThrow().message())
        .contains("its voter is needed to commit the proof")
        .contains("haven fence b --confirm-dead");
    isProvenOff(Hosts.A);
    agentGone(Hosts.B, ALL, ALL);
    assertThat(isCut(Hosts.B)).as("a's voter was heard a moment ago, but is off").isFalse();
    state =
        state.apply(
            new Change.HostStateChanged(
                Hosts.A, new HostState.Online(java.util.Optional.of(Hosts.AT))));
    agentGone(Hosts.B, ALL, ALL);
    assertThat(isCut(Hosts.B)).as("a is back").isTrue();
  }

  @Test
  void aHostWhoseVoterIsNotHeardOrThatHasNoneIsCut() {
    agentGone(Hosts.A, ALL, Set.of("b", "c"));
    assertThat(isCut(Hosts.A)).isTrue();
    agentGone(Hosts.B, Set.of("a", "c", "witness"), Set.of("c", "witness"));
    assertThat(isCut(Hosts.B)).isTrue();
  }

  @Test
  void ofTwoVotersTheOneThatIsLeftGoesOnAloneByTheProof() {
    agentGone(Hosts.A, Set.of("a", "b"), Set.of("a", "b"));
    assertThat(isCut(Hosts.A)).isTrue();
  }

  @Test
  void aNewLeaderDoesNotCutTwoOfThreeVotersAtOnce() {
    for (var host : Set.of(Hosts.A, Hosts.B)) {
      state =
          state.apply(
              new Change.HostStateChanged(
                  host, new HostState.Fencing(1, HostState.Cause.AGENT_GONE, Hosts.AT, "")));
    }
    var decision = happens(new Event.LeaderElected(2, 1, new Event.Quorum(ALL, ALL), Hosts.AT));
    assertThat(decision.actions().stream().filter(Action.FenceHost.class::isInstance)).hasSize(1);
    assertThat(isCut(Hosts.A)).isTrue();
    assertThat(isCut(Hosts.B)).isFalse();
    assertThat(state.alarm("fencing-b")).isPresent();
  }

  @Test
  void ofTwoVotersThatAPersonHasCutTheSecondWaitsForTheProofOfTheFirst() {
    for (var host : Set.of(Hosts.A, Hosts.B)) {
      state =
          state.apply(
              new Change.HostStateChanged(
                  host, new HostState.Fencing(1, HostState.Cause.OPERATOR, Hosts.AT, "")));
    }
    var decision = happens(new Event.LeaderElected(2, 1, new Event.Quorum(ALL, ALL), Hosts.AT));
    assertThat(
            decision.actions().stream()
                .filter(Action.FenceHost.class::isInstance)
                .map(Action.FenceHost.class::cast)
                .map(a -> a.host() + " after " + a.after().toSeconds() + " s"))
        .containsExactlyInAnyOrder("a after 0 s", "b after 60 s");
  }
}
