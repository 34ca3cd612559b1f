package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import dev.haven.model.Policy;
import dev.haven.model.api.Alarm;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The table of the design: a silence, its evidence, and whether the host is fenced. */
class SilenceTableTest {
  private static final HostId C = new HostId("c");

  private static Decision silent(
      ClusterState state, HostId host, long millis, int networks, Event.Echo echo, Event.Power p) {
    return HaPolicy.decide(
        state,
        new Event.HostSilent(
            host,
            Hosts.BOOT,
            new Event.Silence(Duration.ofMillis(millis), networks, echo, p, "test"),
            Hosts.AT));
  }

  /** Everything shows that the power is lost. */
  private static Decision lossShown(ClusterState state, long millis, Event.Echo echo) {
    return HaPolicy.decide(
        state,
        new Event.HostSilent(
            Hosts.A,
            Hosts.BOOT,
            new Event.Silence(
                Duration.ofMillis(millis),
                2,
                echo,
                Event.Power.ALL_OFF,
                true,
                "test",
                false,
                Event.Quorum.NONE,
                true,
                Duration.ofMillis(millis),
                Optional.empty()),
            Hosts.AT));
  }

  @Test
  void aLossOfPowerThatEverythingShowsIsBelievedAfter400Milliseconds() {
    var state = Hosts.online(true, Hosts.A, Hosts.B, C);
    assertThat(fenced(lossShown(state, 399, Event.Echo.SILENT))).isEmpty();
    assertThat(fenced(lossShown(state, 400, Event.Echo.SILENT)))
        .hasValue(HostState.Cause.POWER_LOSS);
    assertThat(fenced(silent(state, Hosts.A, 999, 2, Event.Echo.SILENT, Event.Power.ALL_OFF)))
        .as("something is missing")
        .isEmpty();
    assertThat(fenced(lossShown(state, 900, Event.Echo.ANSWERS)))
        .as("its kernel answers")
        .isEmpty();
  }

  @Test
  void aDeviceThatLiedIsNotBelievedHoweverMuchShowsALoss() {
    var lied =
        HaPolicy.decide(
            Hosts.online(true, Hosts.A, Hosts.B, C),
            new Event.DeviceChecked(Hosts.A, "bmc", "", false, false, true, true, Hosts.AT));
    var state = Hosts.online(true, Hosts.A, Hosts.B, C);
    for (var change : lied.changes()) {
      state = state.apply(change);
    }
    assertThat(fenced(lossShown(state, 900, Event.Echo.SILENT))).isEmpty();
  }

  @Test
  void anOperatorWhoIsPatientWithDevicesIsObeyed() {
    var p = Policy.DEFAULT;
    var patient =
        new Policy(
            Duration.ofSeconds(2),
            p.silentAfter(),
            p.silentAfterOneNetwork(),
            p.agentGoneAfter(),
            p.startsPerHost(),
            p.migrationsOut(),
            p.migrationsIn(),
            p.bandwidthMibPerSecond(),
            p.powerOnAfterFence(),
            p.stuckDestroy(),
            p.brokenRules(),
            p.makeRoom());
    assertThat(patient.shownLossAfter()).isEqualTo(Duration.ofSeconds(2));
    assertThat(p.shownLossAfter()).isEqualTo(Duration.ofMillis(400));
  }

  private static Optional<HostState.Cause> fenced(Decision decision) {
    return decision.changes().stream()
        .filter(Change.HostStateChanged.class::isInstance)
        .map(c -> ((Change.HostStateChanged) c).state())
        .filter(HostState.Fencing.class::isInstance)
        .map(s -> ((HostState.Fencing) s).cause())
        .findFirst();
  }

  @ParameterizedTest(name = "{0} ms on {1} networks, kernel {2}, power {3}: {4}")
  @CsvSource({
    // the power is gone by the device's own word
    " 1000, 2, SILENT,  ALL_OFF,     POWER_LOSS",
    "  999, 2, SILENT,  ALL_OFF,     NO",
    " 1000, 1, SILENT,  ALL_OFF,     POWER_LOSS",
    // the kernel answers: the guests run, only the agent is gone
    "29999, 2, ANSWERS, ON,          NO",
    "30000, 2, ANSWERS, ON,          AGENT_GONE",
    "30000, 2, ANSWERS, UNREACHABLE, AGENT_GONE",
    // the device says off and the kernel answers: the device lies, however long it lasts
    "99000, 2, ANSWERS, ALL_OFF,     NO",
    // nothing answers
    " 2999, 2, SILENT,  ON,          NO",
    " 3000, 2, SILENT,  ON,          UNREACHABLE",
    " 3000, 2, SILENT,  UNREACHABLE, UNREACHABLE",
    " 3000, 2, UNKNOWN, UNKNOWN,     UNREACHABLE",
    // one network: its switch may reboot
    " 7999, 1, SILENT,  ON,          NO",
    " 8000, 1, SILENT,  ON,          UNREACHABLE",
  })
  void aSilenceAndItsEvidenceDecide(
      long millis, int networks, Event.Echo echo, Event.Power power, String verdict) {
    var state = Hosts.online(true, Hosts.A, Hosts.B, C);
    var fenced = fenced(silent(state, Hosts.A, millis, networks, echo, power));
    assertThat(fenced.map(Enum::name).orElse("NO")).isEqualTo(verdict);
  }

  @ParameterizedTest(name = "{0} ms on {1} networks, kernel {2}, never known to answer: {4}")
  @CsvSource({
    // ICMP is filtered: a silent agent may be restarting, so it has the time of one that is gone
    " 3000, 2, SILENT,  ON,          NO",
    " 8000, 1, SILENT,  UNREACHABLE, NO",
    "29999, 2, UNKNOWN, UNKNOWN,     NO",
    "30000, 2, SILENT,  ON,          UNREACHABLE",
    // a loss of power is one only where a kernel that answered is mute
    " 1000, 2, SILENT,  ALL_OFF,     NO",
    "29999, 2, SILENT,  ALL_OFF,     NO",
    "30000, 2, SILENT,  ALL_OFF,     UNREACHABLE",
    // it answers now
    "30000, 2, ANSWERS, ON,          AGENT_GONE",
    "99000, 2, ANSWERS, ALL_OFF,     NO",
  })
  void whereTheKernelWasNeverKnownToAnswerItsSilenceSaysNothing(
      long millis, int networks, Event.Echo echo, Event.Power power, String verdict) {
    var decision =
        HaPolicy.decide(
            Hosts.online(true, Hosts.A, Hosts.B, C),
            new Event.HostSilent(
                Hosts.A,
                Hosts.BOOT,
                new Event.Silence(
                    Duration.ofMillis(millis),
                    networks,
                    echo,
                    power,
                    false,
                    "test",
                    false,
                    Event.Quorum.NONE,
                    false,
                    Duration.ofMillis(millis),
                    Optional.empty()),
                Hosts.AT));
    assertThat(fenced(decision).map(Enum::name).orElse("NO")).isEqualTo(verdict);
  }

  @Test
  void aMuteKernelThatNeverAnsweredIsNoSignOfDeath() {
    whereTheKernelWasNeverKnownToAnswerItsSilenceSaysNothing(
        8_000, 2, Event.Echo.SILENT, Event.Power.ON, "NO");
  }

  private static ClusterState after(ClusterState state, Event event) {
    for (var change : HaPolicy.decide(state, event).changes()) {
      state = state.apply(change);
    }
    return state;
  }

  private static Event checked(String problem, boolean off, boolean heard) {
    return new Event.DeviceChecked(
        Hosts.A, "bmc", problem, !problem.isEmpty(), false, off, heard, Hosts.AT);
  }

  private static Optional<HostState.Cause> losesPower(ClusterState state) {
    return fenced(silent(state, Hosts.A, 1_000, 2, Event.Echo.SILENT, Event.Power.ALL_OFF));
  }

  @Test
  void aDeviceThatSaidOffOfAHostThatWasHeardIsNoEvidenceUntilItSaysOn() {
    var state = Hosts.online(true, Hosts.A, Hosts.B, C);
    assertThat(losesPower(state)).contains(HostState.Cause.POWER_LOSS);

    state = after(state, checked("", true, true));
    assertThat(state.alarm("device-a-bmc").orElseThrow().level()).isEqualTo(Alarm.Level.CRITICAL);
    assertThat(losesPower(state)).isEmpty();
    // the other signs count as ever
    assertThat(fenced(silent(state, Hosts.A, 3_000, 2, Event.Echo.SILENT, Event.Power.ALL_OFF)))
        .contains(HostState.Cause.UNREACHABLE);

    // neither that it says off while nobody hears the host, nor that it says nothing, clears it
    state = after(state, checked("", true, false));
    state = after(state, checked("bmc does not answer", false, true));
    assertThat(state.alarm("device-a-bmc").orElseThrow().message())
        .startsWith("bmc does not answer; device bmc of host a said off while the host ran");
    assertThat(losesPower(state)).isEmpty();

    state = after(state, checked("", false, true));
    assertThat(state.alarm("device-a-bmc")).isEmpty();
    assertThat(losesPower(state)).contains(HostState.Cause.POWER_LOSS);
  }

  @Test
  void aHostWhoseKernelAnswersNobodyIsToldOfUntilItAnswers() {
    var state =
        after(
            Hosts.online(true, Hosts.A, Hosts.B, C),
            new Event.EchoChecked(Hosts.A, false, Hosts.AT));
    assertThat(state.alarm("echo-a").orElseThrow().message()).contains("is ICMP filtered", "30 s");
    assertThat(after(state, new Event.EchoChecked(Hosts.A, true, Hosts.AT)).alarm("echo-a"))
        .isEmpty();
  }

  @Test
  void aHostThatBootsAndIsHeldIsNotFencedAndAnOperatorIsTold() {
    for (var echo : Event.Echo.values()) {
      var decision =
          HaPolicy.decide(
              Hosts.online(true, Hosts.A, Hosts.B, C),
              new Event.HostSilent(
                  Hosts.A,
                  Hosts.BOOT,
                  new Event.Silence(
                      Duration.ofHours(1),
                      2,
                      echo,
                      Event.Power.ON,
                      true,
                      "test",
                      true,
                      Event.Quorum.NONE,
                      false,
                      Duration.ofHours(1),
                      Optional.empty()),
                  Hosts.AT));
      assertThat(fenced(decision)).isEmpty();
      assertThat(decision.changes())
          .anyMatch(
              c ->
                  c instanceof Change.AlarmRaised r
                      && r.alarm().message().contains("haven fence a; or")
                      && r.alarm().message().contains("haven fence a --confirm-dead"));
    }
  }

  @Test
  void withoutADeviceNobodyIsFencedAndAnOperatorIsAsked() {
    var decision =
        silent(
            Hosts.online(false, Hosts.A, Hosts.B, C),
            Hosts.A,
            60_000,
            2,
            Event.Echo.SILENT,
            Event.Power.NO_DEVICE);
    assertThat(fenced(decision)).isEmpty();
    assertThat(decision.changes())
        .anyMatch(
            c ->
                c instanceof Change.AlarmRaised r
                    && r.alarm().message().contains("haven fence a --confirm-dead"));
  }

  @Test
  void ofFourHostsTheSecondSilentOneIsNotFenced() {
    var state =
        Hosts.online(true, Hosts.A, Hosts.B, C, new HostId("d"))
            .apply(
                new Change.HostStateChanged(
                    Hosts.B, new HostState.Suspect(Hosts.AT, "nothing answers")));
    var decision = silent(state, Hosts.A, 5_000, 2, Event.Echo.SILENT, Event.Power.UNREACHABLE);
    assertThat(fenced(decision)).isEmpty();
    assertThat(decision.reason()).contains("storm guard");
  }

  private static final HostId D = new HostId("d");
  private static final HostId E = new HostId("e");

  private static ClusterState silentToo(ClusterState state, HostId... hosts) {
    for (var host : hosts) {
      state =
          state.apply(
              new Change.HostStateChanged(host, new HostState.Suspect(Hosts.AT, "no answer")));
    }
    return state;
  }

  @Test
  void twoOfFiveAreNoStormYetAndThreeOfSixAreOne() {
    var five = silentToo(Hosts.online(true, Hosts.A, Hosts.B, C, D, E), Hosts.A, Hosts.B);
    assertThat(fenced(silent(five, Hosts.A, 5_000, 2, Event.Echo.SILENT, Event.Power.ON)))
        .contains(HostState.Cause.UNREACHABLE);
    var six =
        silentToo(
            Hosts.online(true, Hosts.A, Hosts.B, C, D, E, new HostId("f")), Hosts.A, Hosts.B, C);
    assertThat(fenced(silent(six, Hosts.A, 5_000, 2, Event.Echo.SILENT, Event.Power.ON))).isEmpty();
  }

  @Test
  void anOrderToDevicesThatAllSayOffIsNoNewFenceAlsoInAStorm() {
    var state = silentToo(Hosts.online(true, Hosts.A, Hosts.B, C, D), Hosts.A, Hosts.B);
    assertThat(fenced(silent(state, Hosts.A, 1_000, 2, Event.Echo.SILENT, Event.Power.ALL_OFF)))
        .contains(HostState.Cause.POWER_LOSS);
  }

  @Test
  void theAlarmOfAStormGoesWhenItIsOver() {
    var storm = silentToo(Hosts.online(true, Hosts.A, Hosts.B, C, D), Hosts.A, Hosts.B);
    for (var change :
        silent(storm, Hosts.A, 5_000, 2, Event.Echo.SILENT, Event.Power.ON).changes()) {
      storm = storm.apply(change);
    }
    assertThat(storm.alarm("storm")).isPresent();
    // they are proven off, one by one, and none of them has come back
    for (var host : java.util.List.of(Hosts.A, Hosts.B)) {
      storm =
          storm.apply(
              new Change.HostStateChanged(
                  host, new HostState.Fenced(Hosts.BOOT, Hosts.off(host, Hosts.BOOT))));
    }
    assertThat(HaPolicy.decide(storm, new Event.Tick(Hosts.AT)).changes())
        .contains(new Change.AlarmCleared("storm"));
  }
}
