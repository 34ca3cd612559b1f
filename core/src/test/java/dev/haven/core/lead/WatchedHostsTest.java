package dev.haven.core.lead;

import static dev.haven.core.lead.WatchRig.A;
import static dev.haven.core.lead.WatchRig.B;
import static dev.haven.core.lead.WatchRig.BOOT;
import static dev.haven.core.lead.WatchRig.C;
import static dev.haven.core.lead.WatchRig.OTHER_BOOT;
import static dev.haven.core.lead.WatchRig.PROCESS;
import static dev.haven.core.lead.WatchRig.at;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.VoterClock;
import dev.haven.core.lease.Lease;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.api.Alarm;
import dev.haven.model.wire.FromAgent;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What a voter makes of heartbeats, hellos, echoes and of what other voters tell it. */
class WatchedHostsTest {
  private final WatchRig rig = new WatchRig();

  // heartbeats

  @Test
  void aHostThatWasTakenForSilentAndBeatsIsToldFourTimesASecondAtMost() {
    rig.isSuspect(A);
    assertThat(rig.hears(A, 0)).hasValue(new Event.HostHeard(A, BOOT, Instant.EPOCH));
    assertThat(rig.hears(A, 0.2)).isEmpty();
    assertThat(rig.hears(A, 0.25)).isPresent();
    assertThat(rig.hears(A, 0.45)).as("counted from the last one that was told").isEmpty();
  }

  @Test
  void aHeartbeatIsNoNewsOfAHostThatIsOnlineOrOfAStranger() {
    assertThat(rig.hears(A, 0)).isEmpty();
    assertThat(rig.hears(B, 0)).isEmpty();
  }

  @Test
  void onlyALeaderIsToldOfAHeartbeat() {
    rig.isSuspect(A);
    rig.leads = false;
    assertThat(rig.hears(A, 0)).isEmpty();
  }

  @Test
  void aHeartbeatThatCameTwiceIsToldOnce() {
    rig.isSuspect(A);
    var beat = rig.heartbeat(A, BOOT, "control", 0);
    assertThat(rig.watch.heard(beat, at(0), Instant.EPOCH)).isPresent();
    assertThat(rig.watch.heard(beat, at(1), Instant.EPOCH)).isEmpty();
    assertThat(rig.watch.lastHeard(A, at(1))).hasValue(Duration.ofSeconds(1));
  }

  @Test
  void howLongAgoAHostWasHeardIsKnownOrNot() {
    assertThat(rig.watch.lastHeard(A, at(0))).isEmpty();
    rig.hears(A, 0);
    assertThat(rig.watch.lastHeard(A, at(2))).hasValue(Duration.ofSeconds(2));
  }

  // leases

  private Optional<Watch.Granted> grantedTo(BootId boot) {
    var beat = rig.heartbeat(A, boot, "control", 1);
    rig.watch.heard(beat, at(1), Instant.EPOCH);
    rig.quorumRound = OptionalLong.of(at(1.1));
    return rig.watch.grant(beat, at(1.2));
  }

  @Test
  void aLeaseIsForTheBootThatJoinedAndNamesTheGuestsOfTheState() {
    assertThat(grantedTo(BOOT).orElseThrow().lease().guests()).isEqualTo(rig.watch.guests(A));
    assertThat(grantedTo(OTHER_BOOT)).isEmpty();
  }

  @Test
  void aSuspectIsGrantedLeasesAndOneThatIsProvenOffIsNot() {
    rig.isSuspect(A);
    assertThat(grantedTo(BOOT)).isPresent();
    rig.isFencing(A);
    assertThat(grantedTo(BOOT)).isEmpty();
  }

  @Test
  void noLeaseIsGrantedByAVoterThatLeadsNoMore() {
    assertThat(grantedTo(BOOT)).isPresent();
    rig.watch.deposed();
    assertThat(grantedTo(BOOT)).isEmpty();
  }

  // hellos

  private static FromAgent.Hello hello(BootId boot, Optional<String> uuid) {
    return new FromAgent.Hello(
        FromAgent.VERSION,
        A,
        boot,
        PROCESS,
        "a2V5",
        uuid,
        Capacity.UNKNOWN,
        "1",
        0,
        Optional.empty(),
        true,
        List.of(),
        Optional.empty(),
        List.of(),
        List.of());
  }

  @Test
  void aNewcomerIsKnownByHowLongItAsksAndByTheSilenceOfTheBootBefore() {
    rig.hears(A, 0);
    assertThat(rig.watch.newcomer(hello(OTHER_BOOT, Optional.empty()), at(1)))
        .isEqualTo(new Event.Newcomer(Duration.ZERO, Optional.of(Duration.ofSeconds(1)), true));
    assertThat(rig.watch.newcomer(hello(OTHER_BOOT, Optional.empty()), at(4)))
        .isEqualTo(
            new Event.Newcomer(Duration.ofSeconds(3), Optional.of(Duration.ofSeconds(4)), false));
  }

  @Test
  void aMachineWithAnotherUuidIsNotCountedHoweverLongItAsks() {
    var own = "4c4c4544-0042-3510-8054-b7c04f4e3132";
    rig.state =
        rig.state.apply(
            new Change.AgentSeated(
                A,
                BOOT,
                new dev.haven.core.ha.Host.Agent(PROCESS, "a2V5", "1"),
                Capacity.UNKNOWN,
                Optional.of(own)));
    var strange = hello(OTHER_BOOT, Optional.of("4c4c4544-0042-3510-8054-b7c04f4e3133"));
    rig.watch.newcomer(strange, at(0));
    assertThat(rig.watch.newcomer(strange, at(9))).isEqualTo(Event.Newcomer.UNKNOWN);
    assertThat(rig.watch.newcomer(hello(OTHER_BOOT, Optional.of(own)), at(9)).held()).isZero();
  }

  @Test
  void aHelloIsASignThatTheHostIsNotSilentAndItsKernelIsAskedNext() {
    rig.hears(A, 0);
    rig.watch.echo(A, at(0), true, at(0), Instant.EPOCH);
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(5))).isEmpty();
    rig.watch.greeted(A, new ProcessId("q"), at(5));
    assertThat(rig.watch.toAsk(rig.state.hosts(), at(5))).isPresent();
    assertThat(rig.look(5.1).begun()).as("its agent has just begun again").isEmpty();
  }

  @Test
  void anAgentThatWasTakenInIsNotSilentForTheTimeBefore() {
    rig.hears(A, 0);
    rig.state =
        rig.state.apply(
            new Change.AgentSeated(
                A,
                OTHER_BOOT,
                new dev.haven.core.ha.Host.Agent(new ProcessId("q"), "a2V5", "1"),
                Capacity.UNKNOWN));
    assertThat(rig.look(60).begun()).isEmpty();
    assertThat(rig.look(60.7).begun()).hasSize(1);
  }

  // what voters tell each other

  @Test
  void aVoterTellsWhomItHasNotHeardAndTheOthersCountIt() {
    rig.hears(A, 0);
    rig.look(2);
    var notes = rig.watch.notes(List.of(A), at(2));
    assertThat(notes.counts()).isTrue();
    assertThat(notes.ages()).containsEntry(A, 2_000_000_000L);
    assertThat(notes.quiet()).containsEntry(A, 2_000_000_000L);
    assertThat(notes.clock().orElseThrow().nanos()).isEqualTo(at(2));
    var other = new WatchRig();
    other.voters = List.of("v", "w");
    var witness = new HostId("elsewhere");
    other.watch.noted("w", notes, at(2));
    other.watch.step(List.of(), at(2));
    assertThat(other.watch.counts()).isTrue();
    assertThat(other.watch.lastHeard(A, at(2))).hasValue(Duration.ofSeconds(2));
    assertThat(other.watch.lastHeard(witness, at(2))).isEmpty();
  }

  @Test
  void anotherVotersClockIsRemembered() {
    var clock = new VoterClock("process", 7);
    rig.watch.noted("w", new Watch.Notes(true, Map.of(), Map.of(), Optional.of(clock), 0), at(0));
    assertThat(rig.watch.clocks().before(at(0))).containsExactly(Map.entry("w", clock));
    assertThat(rig.watch.clocks().before(at(-1))).isEmpty();
  }

  @Test
  void theOlderBootIsUnheardOnlyByTheWordOfAMajority() {
    rig.voters = List.of("v", "w", "x");
    rig.hears(A, 0);
    assertThat(rig.watch.newcomer(hello(OTHER_BOOT, Optional.empty()), at(5)).olderUnheard())
        .isEmpty();
    rig.says("w", 4, 5);
    assertThat(rig.watch.newcomer(hello(OTHER_BOOT, Optional.empty()), at(5)).olderUnheard())
        .hasValue(Duration.ofSeconds(4));
  }

  @Test
  void aVoterThatHearsNoQuorumCountsNoSilence() {
    assertThat(rig.watch.counts()).isTrue();
    rig.voters = List.of("v", "w", "x");
    rig.look(0);
    assertThat(rig.watch.counts()).isFalse();
    assertThat(rig.watch.notes(List.of(A), at(0)).counts()).isFalse();
  }

  @Test
  void aVoterThatLosesHeartbeatsItselfTakesNobodyForSilent() {
    rig.hears(A, 0);
    assertThat(rig.watch.deafAt(at(2))).isFalse();
    rig.watch.deaf(at(2));
    assertThat(rig.watch.deafAt(at(2.9))).isTrue();
    assertThat(rig.look(2.9).begun()).isEmpty();
    assertThat(rig.watch.deafAt(at(3))).isFalse();
    assertThat(rig.look(3).begun()).hasSize(1);
  }

  // echoes

  private Optional<Event> echo(double seconds, boolean answers) {
    return rig.watch.echo(A, at(seconds), answers, at(seconds), Instant.EPOCH);
  }

  @Test
  void aKernelThatAnswersNobodyForMinutesIsToldOnceUntilItAnswers() {
    assertThat(echo(0, false)).isEmpty();
    assertThat(echo(179, false)).isEmpty();
    var mute = echo(180, false).orElseThrow();
    assertThat(mute).isEqualTo(new Event.EchoChecked(A, false, Instant.EPOCH));
    rig.state =
        rig.state.apply(
            new Change.AlarmRaised(
                new Alarm(
                    "echo-a",
                    Alarm.Kind.KERNEL_MUTE,
                    Alarm.Level.WARNING,
                    A.value(),
                    "mute",
                    Instant.EPOCH)));
    assertThat(echo(190, false)).as("it is told already").isEmpty();
    assertThat(echo(200, true)).hasValue(new Event.EchoChecked(A, true, Instant.EPOCH));
  }

  @Test
  void onlyALeaderTellsOfAMuteKernel() {
    echo(0, false);
    rig.leads = false;
    assertThat(echo(180, false)).isEmpty();
  }

  @Test
  void aVoterTellsWhichKernelsAnsweredOfTheHostsThatThereAre() {
    echo(0, true);
    assertThat(rig.watch.echoes(rig.state.hosts(), at(1))).containsExactly(Map.of("a", 2L));
    var other = new WatchRig();
    other.watch.echoed(Map.of(A, 2L), at(1));
    assertThat(other.watch.echoes(other.state.hosts(), at(1))).containsExactly(Map.of("a", 3L));
    assertThat(other.watch.echoes(List.of(), at(1))).as("it was removed").isEmpty();
    assertThat(other.watch.echoes(other.state.hosts(), at(1))).isEmpty();
  }

  // power devices

  @Test
  void aDeviceThatSaysOffJustAfterTheLastHeartbeatIsNoLiar() {
    rig.hears(A, 0);
    assertThat(rig.watch.heardAtCheck(A, true, at(0.3), at(0.5))).isFalse();
    assertThat(rig.watch.heardAtCheck(A, false, at(0.3), at(0.5))).as("it says on").isTrue();
    assertThat(rig.watch.heardAtCheck(A, false, at(0.3), at(0.7))).isFalse();
    rig.hears(A, 0.6);
    assertThat(rig.watch.heardAtCheck(A, true, at(0.3), at(0.7))).as("it lied").isTrue();
  }

  // what is said to others

  @Test
  void aSilenceThatIsOverByNowIsOutdated() {
    var inquiry = rig.fallsSilent();
    inquiry.echo(at(0.8), false);
    inquiry.power(at(0.8), Event.Power.UNREACHABLE, "bmc does not answer", List.of());
    var event = rig.look(1).events().getFirst();
    assertThat(rig.watch.outdated(event, at(1))).isFalse();
    rig.hears(A, 1.1);
    assertThat(rig.watch.outdated(event, at(1.2))).isTrue();
    assertThat(rig.watch.outdated(new Event.Tick(Instant.EPOCH), at(1.2))).isFalse();
  }

  @Test
  void whatIsKnownOfAHostThatIsDeclaredDead() {
    rig.watch.leases().elected(at(-100));
    rig.hears(A, 0);
    var lately = rig.watch.outlook(A, Event.Echo.SILENT, Event.Power.UNREACHABLE, at(1.9), at(3));
    assertThat(lately)
        .isEqualTo(
            new Event.Outlook(true, Event.Echo.SILENT, Event.Power.UNREACHABLE, Duration.ZERO));
    assertThat(rig.watch.outlook(A, Event.Echo.SILENT, Event.Power.ON, at(2), at(3)).heard())
        .as("two seconds before it was asked")
        .isFalse();
    rig.watch.leases().elected(at(0));
    assertThat(rig.watch.outlook(A, Event.Echo.SILENT, Event.Power.ON, at(3), at(4)).leaseLeft())
        .isEqualTo(Lease.LONGEST.minusSeconds(2));
  }

  @Test
  void thePartsOfTheWatchAreItsOwn() {
    rig.watch.proofTimes().gathered(A, BOOT, Instant.EPOCH, at(0));
    assertThat(rig.watch.proofTimes()).isSameAs(rig.watch.proofTimes());
    rig.watch.asking().held(C, at(0));
    assertThat(rig.watch.asking().boots(C, at(1))).isTrue();
    rig.watch.elected(at(10));
    assertThat(rig.watch.asking().leadsFor(at(11))).isEqualTo(Duration.ofSeconds(1));
    assertThat(rig.host(A).state()).isInstanceOf(HostState.Online.class);
  }
}
