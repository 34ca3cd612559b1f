package dev.haven.core.lead;

import static dev.haven.core.lead.WatchRig.A;
import static dev.haven.core.lead.WatchRig.B;
import static dev.haven.core.lead.WatchRig.BOOT;
import static dev.haven.core.lead.WatchRig.OTHER_BOOT;
import static dev.haven.core.lead.WatchRig.at;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.api.Alarm;
import dev.haven.model.wire.WireVersions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** haven-agent of host a is upgraded before the voters, which do not understand it. */
class OtherVersionTest {
  private static final int NEWER = 99;

  private final WatchRig rig = new WatchRig();
  private final Unconnected unconnected = new Unconnected();
  private Inquiry inquiry = new Inquiry(rig.host(A), new EchoMemory(), 0);

  @BeforeEach
  void itsOldAgentHasEnded() {
    rig.add(A, List.of(List.of(new FencingDevice("bmc", "ipmi", Map.of()))));
    inquiry = rig.fallsSilent();
    rig.look(1);
    inquiry.power(at(1), Event.Power.ON, "bmc says on", List.of());
  }

  private void helloUnder(BootId boot, double seconds) {
    rig.watch.spokeOtherwise(A, boot, NEWER, at(seconds));
  }

  private void decide(Event event) {
    for (var change : HaPolicy.decide(rig.state, event).changes()) {
      rig.state = rig.state.apply(change);
    }
  }

  /** The leader looks at its hosts, once, and decides. */
  private void look(double seconds, boolean kernelAnswers) {
    inquiry.echo(at(seconds), kernelAnswers);
    rig.look(seconds).events().forEach(this::decide);
  }

  private void looksAtAgents(double seconds, boolean connected) {
    unconnected
        .look(rig.state, _ -> connected, rig.watch, at(seconds), Instant.EPOCH)
        .forEach(this::decide);
  }

  private Optional<HostState.Cause> fencedFor() {
    return rig.host(A).state() instanceof HostState.Fencing f
        ? Optional.of(f.cause())
        : Optional.empty();
  }

  @Test
  void aHostWhoseAgentSpeaksAnotherVersionIsNotFencedWhileItSpeaksAndItsKernelAnswers() {
    look(1.1, true);
    assertThat(rig.state.alarm("silent-a")).as("its agent restarts").isPresent();
    for (double seconds = 2; seconds < 600; seconds += 5) {
      helloUnder(BOOT, seconds);
      look(seconds + 4, true);
    }
    assertThat(rig.host(A).state()).isInstanceOf(HostState.Suspect.class);
    assertThat(rig.state.alarm("silent-a")).isEmpty();
    assertThat(rig.state.alarm("version-a").orElseThrow())
        .matches(a -> a.kind() == Alarm.Kind.AGENT_VERSION && a.level() == Alarm.Level.WARNING)
        .extracting(Alarm::message)
        .asString()
        .contains("speaks version 99, and the leader understands version 5", "Upgrade the voters")
        .contains("install the old haven-agent on host a again", "haven fence a");
  }

  @Test
  void onceItsAgentSpeaksNoMoreTheHostIsFencedAfterTheUsualTime() {
    helloUnder(BOOT, 100);
    look(129.9, true);
    assertThat(fencedFor()).as("it may just be installing the old one").isEmpty();
    look(130.2, true);
    assertThat(fencedFor()).hasValue(HostState.Cause.AGENT_GONE);
  }

  @Test
  void oneLostEchoCostsNoHostThatIsWell() {
    speaksUntil(600);
    look(601.5, false);
    assertThat(fencedFor()).isEmpty();
    look(602, true);
    assertThat(fencedFor()).isEmpty();
  }

  @Test
  void aHostThatDiesAfterItSpokeSoForLongIsFencedAfterTheUsualTime() {
    speaksUntil(600);
    look(607.7, false);
    assertThat(fencedFor()).as("its agent spoke less than 8 s ago").isEmpty();
    look(608.1, false);
    assertThat(fencedFor()).hasValue(HostState.Cause.UNREACHABLE);
  }

  @Test
  void whatSpeaksForAMuteKernelSavesItForHalfAMinuteAlone() {
    for (double seconds = 2; seconds < 30; seconds += 5) {
      helloUnder(BOOT, seconds);
      look(seconds + 2.8, false);
      assertThat(fencedFor()).isEmpty();
    }
    helloUnder(BOOT, 30);
    look(30.2, false);
    assertThat(fencedFor())
        .as("somebody else may have its key")
        .hasValue(HostState.Cause.UNREACHABLE);
  }

  @Test
  void aNewLeaderWaitsUntilItsAgentHasFoundIt() {
    rig.isSuspect(A);
    rig.watch.elected(at(600));
    look(600.5, false);
    assertThat(fencedFor()).as("one echo was lost").isEmpty();
    look(606, true);
    assertThat(fencedFor()).as("an agent may need longer to find a leader").isEmpty();
    helloUnder(BOOT, 612);
    look(631, true);
    assertThat(fencedFor()).as("it lives").isEmpty();
    look(643, true);
    assertThat(fencedFor()).hasValue(HostState.Cause.AGENT_GONE);
  }

  @Test
  void aNewLeaderFencesAHostThatStaysMute() {
    rig.watch.echo(A, at(590), true, at(590), Instant.EPOCH);
    rig.isSuspect(A);
    rig.watch.elected(at(600));
    look(600.5, false);
    look(607.9, false);
    assertThat(fencedFor()).isEmpty();
    look(608.2, false);
    assertThat(fencedFor()).hasValue(HostState.Cause.UNREACHABLE);
  }

  @Test
  void itIsNoPartOfAStormSoThatAnotherHostsDeathIsSeen() {
    speaksUntil(20);
    joinedByThreeMore();
    isMuteFor(8);
    assertThat(rig.host(B).state()).isInstanceOf(HostState.Fencing.class);
    assertThat(rig.state.alarm("storm")).isEmpty();
  }

  @Test
  void aSwitchThatFailsIsAStormThoughAgentsSpokeAnotherVersion() {
    speaksUntil(20);
    look(22.9, false); // its echoes end, as those of the others
    joinedByThreeMore();
    isMuteFor(8);
    assertThat(rig.host(B).state()).isInstanceOf(HostState.Suspect.class);
    assertThat(rig.state.alarm("storm")).isPresent();
  }

  @Test
  void halfOfTheHostsAreNotFencedThoughTheirGuestsPause() {
    rig.guarded(A);
    speaksUntil(29.5);
    joinedByThreeMore();
    rig.is(B, new HostState.Suspect(Instant.EPOCH, "", Optional.empty(), Optional.of(NEWER)));
    look(30.2, true);
    assertThat(fencedFor()).isEmpty();
    assertThat(rig.state.alarm("storm")).isPresent();
  }

  private void speaksUntil(double end) {
    for (double seconds = 2; seconds < end; seconds += 0.5) {
      if (Math.floorMod((long) (seconds * 2), 8) == 4) {
        helloUnder(BOOT, seconds);
      }
      look(seconds, true);
    }
    helloUnder(BOOT, end);
  }

  private void joinedByThreeMore() {
    var devices = List.of(List.of(new FencingDevice("bmc", "ipmi", Map.of())));
    List.of(B, WatchRig.C, new HostId("d")).forEach(host -> rig.add(host, devices));
  }

  private void isMuteFor(int seconds) {
    decide(
        new Event.HostSilent(
            B,
            BOOT,
            new Event.Silence(
                Duration.ofSeconds(seconds),
                1,
                Event.Echo.SILENT,
                Event.Power.ON,
                "its kernel does not answer"),
            Instant.EPOCH));
  }

  @Test
  void aHostWhoseGuestsPauseIsFencedAsEverSoThatTheyStartElsewhere() {
    rig.guarded(A);
    speaksUntil(29.5);
    assertThat(fencedFor()).isEmpty();
    assertThat(rig.state.alarm("version-a").orElseThrow().message())
        .contains("its guests pause, as no lease reaches it", "silent for 30 s, it is fenced");
    look(30.2, true);
    assertThat(fencedFor()).hasValue(HostState.Cause.AGENT_GONE);
  }

  @Test
  void noHostIsSparedForLongerThanADay() {
    double day = 24 * 3_600;
    helloUnder(BOOT, day - 5);
    look(day - 1, true);
    assertThat(fencedFor()).isEmpty();
    look(day + 1, true);
    assertThat(fencedFor()).hasValue(HostState.Cause.AGENT_GONE);
  }

  @Test
  void somebodyElseWithTheKeyRaisesNoFalseAlarmAboutAHostThatIsWell() {
    rig.hears(A, 4);
    rig.is(A, new HostState.Online());
    looksAtAgents(5, false);
    rig.hears(A, 39);
    helloUnder(OTHER_BOOT, 39);
    looksAtAgents(40, false);
    assertThat(rig.state.alarm("version-a")).isEmpty();
    assertThat(rig.state.alarm("unconnected-a")).isPresent();
  }

  @Test
  void theAlarmSaysWhichOfTheTwoDoesNotUnderstand() {
    rig.watch.spokeOtherwise(A, BOOT, WireVersions.OURS.newest(), at(10));
    looksAtAgents(12, false);
    assertThat(rig.state.alarm("version-a").orElseThrow().message())
        .contains("host a does not understand version 5, which the leader speaks");
  }

  @Test
  void aLossOfPowerIsJudgedAsFastAsEver() {
    helloUnder(BOOT, 1.4);
    inquiry.power(at(1.2), Event.Power.ALL_OFF, "bmc says off", List.of("bmc"));
    look(1.5, false);
    assertThat(fencedFor()).hasValue(HostState.Cause.POWER_LOSS);
  }

  @Test
  void anAgentOfAnotherBootSavesNobody() {
    for (double seconds = 2; seconds < 40; seconds += 5) {
      helloUnder(OTHER_BOOT, seconds);
      look(seconds + 4, true);
    }
    assertThat(fencedFor())
        .as("what it ran is over, and its guests are to start elsewhere")
        .hasValue(HostState.Cause.AGENT_GONE);
  }

  @Test
  void somebodyElseWithTheKeyDoesNotPushTheHostsOwnAgentOut() {
    for (double seconds = 2; seconds < 60; seconds += 5) {
      helloUnder(BOOT, seconds);
      helloUnder(OTHER_BOOT, seconds + 1);
      look(seconds + 4, true);
    }
    assertThat(fencedFor()).isEmpty();
  }

  @Test
  void aHostThatIsNotPartOfThisClusterIsNotRemembered() {
    rig.watch.spokeOtherwise(B, BOOT, NEWER, at(1));
    assertThat(rig.watch.otherVersion(B, at(1))).isEmpty();
  }

  @Test
  void theAlarmIsCriticalWhereGuestsPauseForWantOfALease() {
    rig.guarded(A);
    helloUnder(BOOT, 2);
    look(3, true);
    assertThat(rig.state.alarm("version-a").orElseThrow())
        .matches(a -> a.level() == Alarm.Level.CRITICAL)
        .matches(a -> a.message().contains("its guests pause, as no lease reaches it"));
  }

  @Test
  void anAgentThatDoesNotUnderstandItsLeaderIsToldOfThoughItsHostIsHeard() {
    // its heartbeats are understood, and it hangs up on each welcome
    rig.watch.spokeOtherwise(A, BOOT, 2, at(10));
    looksAtAgents(12, false);
    assertThat(rig.state.alarm("version-a").orElseThrow().message())
        .contains("Upgrade haven-agent on host a");
    looksAtAgents(39, false);
    assertThat(rig.state.alarm("version-a")).isPresent();
    looksAtAgents(41, false);
    assertThat(rig.state.alarm("version-a")).isEmpty();
  }

  @Test
  void theAlarmEndsOnceTheAgentIsConnectedAndComesForAHostThatIsOffToo() {
    rig.is(A, new HostState.Expected());
    helloUnder(OTHER_BOOT, 10);
    looksAtAgents(11, false);
    assertThat(rig.state.alarm("version-a")).isPresent();
    looksAtAgents(16, true);
    assertThat(rig.state.alarm("version-a")).isEmpty();
  }

  @Test
  void anAgentThatSpeaksAnotherVersionShowsNothingThatVoidsAProof() {
    helloUnder(BOOT, 5);
    assertThat(rig.watch.signOfLifeSince(A, at(2), at(6))).isEmpty();
    assertThat(rig.watch.otherVersion(new HostId("a"), at(6)).orElseThrow().ago())
        .isEqualTo(Duration.ofSeconds(1));
  }
}
