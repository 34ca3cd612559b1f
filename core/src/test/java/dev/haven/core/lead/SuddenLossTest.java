package dev.haven.core.lead;

import static dev.haven.core.lead.WatchRig.A;
import static dev.haven.core.lead.WatchRig.BOOT;
import static dev.haven.core.lead.WatchRig.OTHER_BOOT;
import static dev.haven.core.lead.WatchRig.PROCESS;
import static dev.haven.core.lead.WatchRig.at;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A host loses its power. That shows well before a second is over, unless one of the signs is
 * missing: then the leader waits for the second.
 */
class SuddenLossTest {
  private final WatchRig rig = new WatchRig();
  private Optional<Inquiry> inquiry = Optional.empty();
  private final List<Inquiry> devicesAsked = new ArrayList<>();
  private double time = -1;

  /** When another voter last heard host a; it tells of it ten times a second. */
  private double heardByW;

  private double wRunsSince = -60;
  private double wSpeaksUntil = 100;
  private double shownAt = -1;
  private double toldAt = -1;

  private static FencingDevice device(String name) {
    return new FencingDevice(name, "ipmi", Map.of("address", name));
  }

  /** Host a has a BMC, and two outlets as a second level. Three voters hear each other. */
  @BeforeEach
  void threeVotersAndAHostThatIsWell() {
    rig.voters = List.of("v", "w", "x");
    rig.add(A, List.of(List.of(device("bmc")), List.of(device("outlet-1"), device("outlet-2"))));
    heardByW = -1;
    goOn(-0.5);
    for (var name : List.of("bmc", "outlet-1", "outlet-2")) {
      checked(name, false, true);
    }
    goOn(0);
    rig.watch.echo(A, at(-0.2), true, at(-0.2), Instant.EPOCH);
    rig.hears(A, 0);
    heardByW = 0;
  }

  private void checked(String device, boolean off, boolean heard) {
    rig.watch.checked(
        new Event.DeviceChecked(A, device, "", false, false, off, heard, Instant.EPOCH), at(time));
  }

  /** Time passes in steps of 50 ms. */
  private void goOn(double until) {
    while (time < until - 0.001) {
      time += 0.05;
      if (Math.round(time * 100) % 10 == 0 && time < wSpeaksUntil) {
        rig.watch.noted(
            "w",
            new Watch.Notes(
                true,
                Map.of(A, Math.round((time - heardByW) * 1e9)),
                Map.of(),
                Optional.empty(),
                Math.round((time - wRunsSince) * 1e9)),
            at(time));
      }
      var found = rig.look(time);
      found.begun().forEach(i -> inquiry = Optional.of(i));
      devicesAsked.addAll(found.devices());
      for (var event : found.events()) {
        if (event instanceof Event.HostSilent silent) {
          toldAt = toldAt < 0 ? time : toldAt;
          shownAt = shownAt < 0 && silent.silence().lossShown() ? time : shownAt;
        }
      }
    }
  }

  /** Nothing answered what was asked at 0.3 s. */
  private void kernelIsMute() {
    goOn(0.3);
    inquiry.orElseThrow().echo(at(0.3), false);
  }

  private void says(Event.Power says, String... level) {
    inquiry.orElseThrow().power(at(time), says, says.name(), List.of(level));
  }

  /** The power is lost; its devices say off as soon as they are asked. */
  private void losesPower(String... level) {
    kernelIsMute();
    goOn(0.55);
    says(Event.Power.ALL_OFF, level);
    goOn(0.9);
  }

  /** It is judged after a second, by what is known then. */
  private void waitsForASecond() {
    assertThat(shownAt).as("nothing is shown").isNegative();
    assertThat(toldAt).as("nothing is told").isNegative();
    goOn(1.6);
    assertThat(toldAt).isBetween(0.99, 1.41);
    assertThat(shownAt).isNegative();
  }

  @Test
  void aLossOfPowerShowsAfterSixTenthsOfASecond() {
    losesPower("bmc");
    assertThat(shownAt).isBetween(0.5, 0.61);
  }

  @Test
  void bothDevicesOfALevelShowItToo() {
    losesPower("outlet-1", "outlet-2");
    assertThat(shownAt).isBetween(0.5, 0.61);
  }

  @Test
  void devicesAreAskedOnlyOnceTheKernelIsMute() {
    goOn(0.3);
    assertThat(inquiry).as("its kernel is asked").isPresent();
    inquiry.orElseThrow().echo(at(0.3), true);
    goOn(0.95);
    assertThat(devicesAsked).isEmpty();
    inquiry.orElseThrow().echo(at(0.6), false);
    goOn(1);
    assertThat(devicesAsked).hasSize(1);
  }

  @Test
  void devicesOfAHostThatIsHeardAgainAreAskedNoMore() {
    losesPower("bmc");
    var first = inquiry.orElseThrow();
    heardByW = time;
    rig.hears(A, time);
    goOn(1.1);
    assertThat(first.over()).isTrue();
  }

  @Test
  void devicesOfAHostThatOnlyThisVoterDoesNotHearAreLeftInPeace() {
    for (int i = 1; i < 40; i++) {
      heardByW = i / 10.0;
      rig.says("x", 0, heardByW);
      goOn(heardByW);
      inquiry.ifPresent(open -> open.echo(at(time - 0.3), false));
    }
    assertThat(devicesAsked).isEmpty();
    assertThat(toldAt).isNegative();
  }

  @Test
  void aKernelThatAnsweredMeanwhileIsNotMute() {
    kernelIsMute();
    inquiry.orElseThrow().echo(at(0.4), true);
    goOn(0.55);
    says(Event.Power.ALL_OFF, "bmc");
    goOn(0.9);
    waitsUntilTheKernelIsAskedAgain();
  }

  private void waitsUntilTheKernelIsAskedAgain() {
    assertThat(shownAt).isNegative();
    inquiry.orElseThrow().echo(at(0.9), false);
    goOn(1.6);
    assertThat(toldAt).isGreaterThan(0.99);
  }

  @Test
  void aQuestionThatFailedAtOnceShowsNothing() {
    goOn(0.3);
    for (int i = 0; i < 12; i++) { // this voter's own network is down
      goOn(0.3 + i * 0.05);
      inquiry.orElseThrow().echo(at(time), false);
      says(Event.Power.ALL_OFF, "bmc");
    }
    assertThat(shownAt).isNegative();
  }

  @Test
  void aKernelThatHasNotAnsweredThisVoterForAMinuteShowsNothing() {
    heardByW = time;
    while (time < 60) {
      rig.hears(A, time);
      heardByW = time;
      goOn(time + 0.2);
    }
    double lost = heardByW;
    rig.watch.echoed(Map.of(A, 1L), at(time)); // another voter had an answer a moment ago
    goOn(lost + 0.3);
    inquiry.orElseThrow().echo(at(time), false);
    goOn(lost + 0.55);
    says(Event.Power.ALL_OFF, "bmc");
    goOn(lost + 0.9);
    assertThat(shownAt).isNegative();
    goOn(lost + 1.4);
    assertThat(toldAt).as("it is judged after a second").isGreaterThan(lost + 0.99);
  }

  @Test
  void aDeviceThatSaidOffBeforeShowsNothing() {
    checked("bmc", true, true);
    losesPower("bmc");
    waitsForASecond();
  }

  @Test
  void aDeviceThatSaidOnOfAHostThatWasNotHeardShowsNothing() {
    checked("bmc", false, false);
    losesPower("bmc");
    waitsForASecond();
  }

  @Test
  void aDeviceThatWasNotUsableAtItsLastCheckShowsNothing() {
    rig.watch.checked(
        new Event.DeviceChecked(A, "bmc", "no answer", true, false, false, true, Instant.EPOCH),
        at(time));
    losesPower("bmc");
    waitsForASecond();
  }

  @Test
  void oneOfTwoDevicesThatSaidOffBeforeShowsNothing() {
    checked("outlet-2", true, true);
    losesPower("outlet-1", "outlet-2");
    waitsForASecond();
  }

  @Test
  void oneOfTwoDevicesThatSaysOnShowsNothing() {
    kernelIsMute();
    goOn(0.55);
    says(Event.Power.ON);
    goOn(0.9);
    waitsForASecond();
  }

  @Test
  void aDeviceThatWasNeverCheckedUnderThisBootShowsNothing() {
    seated(OTHER_BOOT);
    seated(BOOT);
    losesPower("bmc");
    assertThat(shownAt).as("it was, under this one").isPositive();
    var other = new SuddenLossTest();
    other.threeVotersAndAHostThatIsWell();
    other.seated(OTHER_BOOT);
    other.losesPower("bmc");
    assertThat(other.shownAt).isNegative();
  }

  private void seated(BootId boot) {
    rig.state =
        rig.state.apply(
            new Change.AgentSeated(
                A, boot, new Host.Agent(PROCESS, "a2V5", "1"), Capacity.UNKNOWN));
  }

  @Test
  void aDeviceThatWasGivenToAnotherAddressShowsNothing() {
    var moved = new FencingDevice("bmc", "ipmi", Map.of("address", "elsewhere"));
    rig.add(A, List.of(List.of(moved)));
    losesPower("bmc");
    assertThat(shownAt).isNegative();
  }

  @Test
  void anotherVoterThatStoodStillIsNoWitness() {
    wRunsSince = 0.35;
    losesPower("bmc");
    assertThat(shownAt).as("0.4 s after it went on").isBetween(0.74, 0.86);
  }

  @Test
  void anotherVoterThatFellSilentItselfIsNoWitness() {
    wSpeaksUntil = 0.45;
    kernelIsMute();
    goOn(0.7);
    says(Event.Power.ALL_OFF, "bmc");
    goOn(0.9);
    assertThat(shownAt).isNegative();
  }

  @Test
  void aVoterThatStoodStillItselfWaits() {
    kernelIsMute();
    time = 0.5; // 200 ms without a look
    goOn(0.55);
    says(Event.Power.ALL_OFF, "bmc");
    goOn(0.9);
    assertThat(shownAt).isNegative();
    assertThat(devicesAsked).as("its kernel may have answered meanwhile").isEmpty();
  }

  @Test
  void onlyAMajorityWitnessesASilence() {
    kernelIsMute();
    goOn(0.45);
    heardByW = 0.45;
    goOn(0.55);
    says(Event.Power.ALL_OFF, "bmc");
    goOn(0.8);
    assertThat(shownAt).isNegative();
    assertThat(toldAt).isNegative();
  }

  @Test
  void aLeaderThatHearsTheHostItselfSeesNoLoss() {
    rig.says("x", 0, 0);
    kernelIsMute();
    goOn(0.5);
    rig.hears(A, 0.5);
    rig.says("x", 0.5, 0.5);
    goOn(0.55);
    says(Event.Power.ALL_OFF, "bmc");
    rig.says("x", 0.55, 0.55);
    goOn(0.6);
    assertThat(shownAt).isNegative();
  }

  @Test
  void aVoterThatIsElectedKnowsAtOnceThatTheKernelIsMute() {
    rig.leads = false;
    kernelIsMute();
    goOn(0.6);
    assertThat(devicesAsked).as("it does not lead").isEmpty();
    rig.leads = true;
    goOn(0.65);
    assertThat(devicesAsked).hasSize(1);
    says(Event.Power.ALL_OFF, "bmc");
    goOn(0.7);
    assertThat(shownAt).isBetween(0.64, 0.71);
  }

  @Test
  void aVoterThatDoesNotLeadAsksForTenSecondsAndTellsNobody() {
    rig.leads = false;
    goOn(9.9);
    assertThat(inquiry.orElseThrow().over()).isFalse();
    goOn(10.2);
    assertThat(inquiry.orElseThrow().over()).isTrue();
    assertThat(toldAt).isNegative();
  }

  @Test
  void aNewLeaderKnowsWhatTheDevicesSaidToTheOldOne() {
    var told = rig.watch.devices(at(time));
    var next = new SuddenLossTest();
    next.rig.add(A, List.of(List.of(device("bmc"))));
    assertThat(next.rig.watch.devices(at(0))).isEmpty();
    told.forEach(part -> next.rig.watch.devicesSaid(part, at(0)));
    var again = next.rig.watch.devices(at(1));
    assertThat(again).hasSize(1);
    assertThat(again.getFirst()).hasSize(3).allSatisfy((_, age) -> assertThat(age).isPositive());
  }
}
