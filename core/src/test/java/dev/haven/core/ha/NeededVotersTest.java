package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Reply;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;
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
                Entry.FORMAT, state.version(), Hosts.AT, decision.changes(), decision.facts()));
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
                new Event.Quorum(voters, heard),
                false,
                Duration.ZERO,
                Optional.empty()),
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
  void aFenceThatFailsIsNotTriedAgainWhileItsVoterHasBecomeNeeded() {
    agentGone(Hosts.A, ALL, ALL);
    assertThat(isCut(Hosts.A)).isTrue();
    var failed =
        happens(
            new Event.FencingFailed(
                Hosts.A,
                Hosts.BOOT,
                1,
                "its BMC does not answer",
                OptionalInt.empty(),
                new Event.Quorum(ALL, Set.of("a", "b")),
                Hosts.AT));
    assertThat(failed.actions()).noneMatch(Action.FenceHost.class::isInstance);
    assertThat(isCut(Hosts.A)).isFalse();
    assertThat(state.alarm("fencing-a").orElseThrow().message())
        .contains("its voter is needed to commit the proof");
    agentGone(Hosts.A, ALL, ALL);
    assertThat(isCut(Hosts.A)).as("c's voter is back").isTrue();
  }

  @Test
  void ofTwoVotersTheOneThatIsLeftGoesOnAloneByTheProof() {
    agentGone(Hosts.A, Set.of("a", "b"), Set.of("a", "b"));
    assertThat(isCut(Hosts.A)).isTrue();
  }

  private Reply ordered(Command command, Set<String> heard) {
    return happens(
            new Event.CommandReceived(
                new RequestId("r" + state.version()),
                "admin",
                command,
                Event.Outlook.NONE,
                new Event.Quorum(ALL, heard),
                Optional.empty(),
                Hosts.AT))
        .reply()
        .orElseThrow();
  }

  @Test
  void anOperatorWhoFencesTwoOfThreeVotersAtOnceKeepsTheQuorum() {
    assertThat(ordered(new Command.Fence(Hosts.A), ALL)).isInstanceOf(Reply.Accepted.class);
    assertThat(ordered(new Command.Fence(Hosts.B), ALL))
        .isInstanceOfSatisfying(
            Reply.Refused.class,
            no ->
                assertThat(no.message())
                    .contains("its voter is needed to commit the proof")
                    .contains("of 3 voters a are off, being cut or not heard")
                    .contains("haven voter list"));
    assertThat(isCut(Hosts.B)).isFalse();
    assertThat(ordered(new Command.Fence(Hosts.A), ALL))
        .as("it is being cut as it is")
        .isInstanceOf(Reply.Accepted.class);
    state =
        state.apply(
            new Change.HostStateChanged(Hosts.A, new HostState.Online(Optional.of(Hosts.AT))));
    assertThat(ordered(new Command.Fence(Hosts.B), ALL))
        .as("a is back")
        .isInstanceOf(Reply.Accepted.class);
  }

  @Test
  void noOperatorFencesAHostWhoseVoterIsNeededBecauseAnotherOneIsNotHeard() {
    assertThat(ordered(new Command.Fence(Hosts.B), Set.of("b", "c")))
        .isInstanceOf(Reply.Refused.class);
    assertThat(ordered(new Command.Fence(Hosts.A), Set.of("b", "c")))
        .as("the one that is not heard")
        .isInstanceOf(Reply.Accepted.class);
  }

  @Test
  void noDeviceAndNoWatchdogIsTriedOnAHostWhoseVoterIsNeeded() {
    for (var host : Set.of(Hosts.A, Hosts.B)) {
      state = state.apply(new Change.HostCordoned(host, true));
    }
    var dog =
        new dev.haven.model.wire.Watchdog(
            dev.haven.model.wire.Watchdog.Kind.HARDWARE,
            "iTCO_wdt",
            Duration.ofSeconds(10),
            false,
            false,
            Optional.empty(),
            Optional.empty());
    happens(new Event.WatchdogReported(Hosts.B, Hosts.BOOT, Optional.of(dog), Hosts.AT));
    assertThat(ordered(new Command.TestFencing(Hosts.A, 1), ALL))
        .isInstanceOf(Reply.Accepted.class);
    assertThat(ordered(new Command.TestFencing(Hosts.B, 1), ALL)).isInstanceOf(Reply.Refused.class);
    assertThat(ordered(new Command.TestWatchdog(Hosts.B), ALL)).isInstanceOf(Reply.Refused.class);
    assertThat(isCut(Hosts.B)).isFalse();
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
