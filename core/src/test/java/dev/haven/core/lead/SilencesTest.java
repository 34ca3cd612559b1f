package dev.haven.core.lead;

import static dev.haven.core.lead.WatchRig.A;
import static dev.haven.core.lead.WatchRig.B;
import static dev.haven.core.lead.WatchRig.BOOT;
import static dev.haven.core.lead.WatchRig.C;
import static dev.haven.core.lead.WatchRig.at;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HostState;
import dev.haven.model.wire.LeaseLength;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Who is asked about a silence, what the leader hears of it, and when its bound has run out. */
class SilencesTest {
  private static final Duration BOUND = LeaseLength.LONG.bound(Duration.ofSeconds(10));

  private final WatchRig rig = new WatchRig();

  private static void nothingAnswers(Inquiry inquiry, double seconds) {
    inquiry.echo(at(seconds), false);
    inquiry.power(at(seconds), Event.Power.UNREACHABLE, "bmc does not answer", List.of());
  }

  @Test
  void aHostThatIsHeardAgainIsAskedNoMore() {
    var inquiry = rig.fallsSilent();
    assertThat(rig.look(0.8).begun()).as("it is being asked already").isEmpty();
    rig.hears(A, 0.9);
    rig.look(1);
    assertThat(inquiry.over()).isTrue();
    assertThat(rig.look(2).begun()).as("a silence of its own").hasSize(1);
  }

  @Test
  void aVoterThatLeadsNoMoreAsksNoDevicesAndTellsNobody() {
    var inquiry = rig.fallsSilent();
    rig.watch.deposed();
    assertThat(inquiry.over()).isTrue();
    nothingAnswers(rig.look(1).begun().getFirst(), 1);
    rig.leads = false;
    assertThat(rig.look(1.1).events()).isEmpty();
    assertThat(rig.look(1.1).devices()).isEmpty();
  }

  @Test
  void aHostThatWasRemovedOrProvenOffIsAskedNoMore() {
    var inquiry = rig.fallsSilent();
    var hosts = rig.state.hosts();
    rig.state = rig.state.apply(new Change.HostRemoved(A));
    rig.watch.look(List.of(), at(0.8), Instant.EPOCH);
    assertThat(inquiry.over()).isTrue();
    assertThat(hosts).hasSize(1);
  }

  @Test
  void aHostThatIsExpectedIsSilentAsItShould() {
    var inquiry = rig.fallsSilent();
    rig.is(A, new HostState.Expected());
    assertThat(rig.look(5)).isEqualTo(new Watch.Findings(List.of(), List.of(), List.of()));
    assertThat(inquiry.over()).isTrue();
  }

  @Test
  void theSilenceOfASuspectGoesOnBeingToldAndThatOfOneBeingFencedDoesNot() {
    var inquiry = rig.fallsSilent();
    nothingAnswers(inquiry, 0.8);
    assertThat(rig.told(1)).isPresent();
    assertThat(rig.told(1.2)).as("the same, a moment later").isEmpty();
    rig.isSuspect(A);
    assertThat(rig.told(1.3)).isPresent();
    rig.isFencing(A);
    assertThat(rig.told(1.6)).isEmpty();
    assertThat(inquiry.over()).as("its kernel is asked all along").isFalse();
    rig.hears(A, 1.7);
    rig.look(1.8);
    assertThat(inquiry.over()).isFalse();
  }

  @Test
  void aHostWithTwoNetworksIsJudgedByThoseOverWhichItWasHeard() {
    rig.watch.heard(rig.heartbeat(A, BOOT, "migration", 0), at(0), Instant.EPOCH);
    var inquiry = rig.fallsSilent();
    nothingAnswers(inquiry, 0.8);
    assertThat(rig.told(1).orElseThrow().networks()).isEqualTo(2);
  }

  @Test
  void theVotersThatAreHeardAreToldWithASilence() {
    rig.voters = List.of("v", "w", "x");
    rig.says("w", 0, -1);
    rig.look(-1); // it hears a quorum from here on
    var inquiry = rig.fallsSilentAlsoAt("w");
    nothingAnswers(inquiry, 0.8);
    rig.says("w", 1, 1);
    var quorum = rig.told(1).orElseThrow().quorum();
    assertThat(quorum.voters()).containsExactlyInAnyOrder("v", "w", "x");
    assertThat(quorum.heard()).containsExactlyInAnyOrder("v", "w");
    assertThat(rig.watch.quorum(at(1))).isEqualTo(quorum);
  }

  @Test
  void aHostWhoseKernelAnswersIsNotFencedByALeaderThatItsAgentMayNotHaveFound() {
    rig.watch.elected(at(27));
    var inquiry = rig.fallsSilent();
    inquiry.echo(at(29), true);
    inquiry.power(at(29), Event.Power.ON, "bmc says on", List.of());
    assertThat(rig.told(29.5)).as("not yet long enough to be fenced for it").isPresent();
    assertThat(rig.told(30)).as("its agent may be about to ask this leader").isEmpty();
    assertThat(rig.told(56.9)).isEmpty();
    assertThat(rig.told(57)).isPresent();
  }

  @Test
  void aHostOfWhichNothingAnswersIsToldToANewLeaderAtOnce() {
    rig.watch.elected(at(29));
    var inquiry = rig.fallsSilent();
    nothingAnswers(inquiry, 29);
    assertThat(rig.told(31)).isPresent();
  }

  // the bound

  /** Host a has a watchdog that counts, and there are a third voter and a third host. */
  private Inquiry unreachable() {
    rig.voters = List.of("v");
    rig.add(B);
    rig.add(C);
    rig.guarded(A);
    rig.watch.leases().elected(at(-20));
    var inquiry = rig.fallsSilent();
    nothingAnswers(inquiry, 0.8);
    rig.isFencing(A);
    return inquiry;
  }

  @Test
  void theBoundOfAHostThatNobodyReachesIsToldOnceItHasRunOut() {
    unreachable();
    double end = BOUND.toSeconds();
    assertThat(rig.watch.boundLeft(rig.host(A), at(end - 1))).hasValue(Duration.ofSeconds(1));
    assertThat(rig.boundRanOut(end - 0.001)).isEmpty();
    var out = rig.boundRanOut(end).orElseThrow();
    assertThat(out.host()).isEqualTo(A);
    assertThat(out.boot()).isEqualTo(BOOT);
    assertThat(out.bound()).isEqualTo(BOUND);
    assertThat(out.contradiction()).isEmpty();
    assertThat(rig.boundRanOut(end + 0.2)).as("told a moment ago").isEmpty();
    rig.isSuspect(A);
    assertThat(rig.boundRanOut(end + 0.25)).isPresent();
  }

  @Test
  void theBoundOfAHostThatIsOnlineIsNotTold() {
    unreachable();
    rig.is(A, new HostState.Online());
    assertThat(rig.boundRanOut(BOUND.toSeconds() + 1)).isEmpty();
  }

  @Test
  void theBoundIsNotToldWhileTheKernelAnswers() {
    var inquiry = unreachable();
    inquiry.echo(at(40), true);
    assertThat(rig.boundRanOut(BOUND.toSeconds() + 1)).isEmpty();
  }

  @Test
  void anAnswerOfTheKernelWithinTheBoundContradictsIt() {
    var inquiry = unreachable();
    inquiry.echo(at(20), true);
    inquiry.echo(at(21), false);
    double end = BOUND.toSeconds();
    assertThat(rig.boundRanOut(end).orElseThrow().contradiction()).contains("kernel answered");
    assertThat(rig.boundRanOut(20 + end).orElseThrow().contradiction())
        .as("it was a whole bound ago")
        .isEmpty();
  }

  @Test
  void aHostWithoutATestedWatchdogHasNoBound() {
    var inquiry = rig.fallsSilent();
    rig.add(B);
    rig.add(C);
    nothingAnswers(inquiry, 0.8);
    rig.isFencing(A);
    assertThat(rig.watch.boundLeft(rig.host(A), at(100))).isEmpty();
    assertThat(rig.boundRanOut(100)).isEmpty();
  }

  @Test
  void betweenTwoHostsWithoutAThirdVoterTheBoundIsNoProof() {
    rig.voters = List.of("v", "w");
    assertThat(rig.watch.twoAlone()).isTrue();
    rig.add(B);
    rig.guarded(A);
    rig.hears(A, 0);
    assertThat(rig.watch.twoAlone()).isTrue();
    assertThat(rig.watch.boundLeft(rig.host(A), at(50))).isEmpty();
    rig.add(C);
    assertThat(rig.watch.twoAlone()).as("a third host").isFalse();
    assertThat(rig.watch.boundLeft(rig.host(A), at(50))).isPresent();
    rig.state = rig.state.apply(new Change.HostRemoved(C));
    rig.voters = List.of("v", "w", "x");
    assertThat(rig.watch.twoAlone()).as("a third voter").isFalse();
  }

  @Test
  void aBoundIsCountedFromTheLastSignAtAnyVoter() {
    unreachable();
    rig.voters = List.of("v", "w", "x");
    rig.says("w", 2, 30);
    assertThat(rig.watch.boundLeft(rig.host(A), at(30.5)))
        .hasValue(BOUND.minus(Duration.ofMillis(2_500)));
  }

  // signs of life

  @Test
  void aSignOfLifeIsAHeartbeatOrAnAnswerOfTheKernelAfterThatTime() {
    var inquiry = rig.fallsSilent();
    assertThat(rig.watch.signOfLifeSince(A, at(-0.001), at(1))).hasValue("its agent was heard");
    assertThat(rig.watch.signOfLifeSince(A, at(0), at(1))).isEmpty();
    inquiry.echo(at(2), true);
    assertThat(rig.watch.signOfLifeSince(A, at(2) - 1, at(3))).hasValue("its kernel answered");
    assertThat(rig.watch.signOfLifeSince(A, at(2), at(3))).isEmpty();
    assertThat(rig.watch.heardSince(A, at(0), at(3))).as("its agent is silent").isEmpty();
    assertThat(rig.watch.signOfLifeSince(B, at(0), at(3))).isEmpty();
  }

  @Test
  void aHostThatIsBeingAskedAboutIsNotInTheRoundOfThoseThatAreHeard() {
    rig.hears(A, 0);
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(0)).orElseThrow().id()).isEqualTo(A);
    rig.look(0.7);
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(0.7))).as("a heartbeat is late").isPresent();
    rig.look(1);
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(1))).isEmpty();
    rig.hears(A, 1.1);
    rig.look(1.2);
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(1.2))).isPresent();
    rig.isSuspect(A);
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(1.2))).isEmpty();
  }

  @Test
  void nothingIsGrantedBeforeAMajorityHasAnsweredARound() {
    assertThat(rig.quorumRound).isEqualTo(OptionalLong.empty());
    assertThat(rig.watch.grant(rig.heartbeat(A, BOOT, "control", 0), at(0))).isEmpty();
  }
}
