package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.fencing.FencingStep.Kind;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class FencerTest {
  private static final FencingTarget HOST_A =
      new FencingTarget(
          "a",
          Optional.of("4c4c4544-0042-3510-8054-b7c04f4e3132"),
          Map.of("b", "4c4c4544-0042-3510-8054-b7c04f4e3133"));
  private static final Duration ENOUGH = Duration.ofMillis(1500);

  /**
   * Devices of a level are separated by +, levels by |; see {@link FakeDevices} for the scripts.
   */
  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "off, and off again                                ; ok / off                             "
            + " ; level 1",
        "it needs a while                                  ; ok / on on ? on off                  "
            + " ; level 1",
        "the order gets through at the second try          ; no ok / off                          "
            + " ; level 1",
        "off once and then on again is not off             ; ok / off on                          "
            + " ; failed",
        "it flickers, then is off                          ; ok / off on off                      "
            + " ; level 1",
        "off once and then silent is not off               ; ok / off ?                           "
            + " ; failed",
        "silent                                            ; ok / ?                               "
            + " ; failed",
        "it takes no order, so its off may be stale        ; no / off                             "
            + " ; failed",
        "it goes on saying on                              ; ok / on                              "
            + " ; failed",
        "it says off already: believed when it cannot be stale ; already / off                    "
            + " ; level 1",
        "it said off already and was wrong: ordered again  ; already ok / off on off              "
            + " ; level 1",
        "it said off already and stays wrong               ; already / off on                     "
            + " ; failed",
        "two supplies, both off                            ; ok / off + ok / on on off            "
            + " ; level 1",
        "two supplies, one goes on                         ; ok / off + ok / on                   "
            + " ; failed",
        "two supplies, one takes no order                  ; ok / off + no / off                  "
            + " ; failed",
        "two supplies, never off at the same time          ; ok / off on off on off on off on off"
            + " on off on off on off on off on off on off on off on off on off on off on + ok / off"
            + " off on off off on ; failed",
        "the first level is silent, the second switches    ; no / ? | ok / off                    "
            + " ; level 2",
        "the first level goes on saying on                 ; ok / on | ok / off                   "
            + " ; level 2",
        "half of the first level and half of the second    ; ok / off + no / off | no / off + ok /"
            + " off ; failed",
        "only a person is left                             ; no / ? | person / ?                  "
            + " ; operator",
        "a person's level in front does not hinder         ; person / ? | ok / off                "
            + " ; level 2",
        "a person is never proof                           ; person / off                         "
            + " ; operator",
        "a poison pill is an outcome of its own            ; poison / ?                           "
            + " ; poisoned at 1",
        "the first level is silent, the second a pill      ; no / ? | poison / ?                  "
            + " ; poisoned at 2",
        "a device beside a pill proves nothing             ; poison / off + ok / off              "
            + " ; failed",
        "a device beside a person proves nothing alone     ; ok / off + person / off              "
            + " ; operator",
      })
  void aHostCountsAsOffOnlyWhenEveryDeviceOfALevelSaysSoTwiceAfterOurOrder(
      String reason, String plan, String expected) {
    var devices = new FakeDevices();
    var levels = new ArrayList<List<String>>();
    for (var level : plan.split("\\|")) {
      var names = new ArrayList<String>();
      for (var script : level.split("\\+")) {
        var name = "device" + levels.size() + "." + names.size();
        devices.with(name, script);
        names.add(name);
      }
      levels.add(names);
    }
    var outcome =
        new Fencer(devices)
            .powerOff(HOST_A, FakeDevices.plan(levels), ENOUGH, FencingListener.NONE);
    var result =
        switch (outcome) {
          case FencingOutcome.Confirmed confirmed -> {
            assertThat(confirmed.readings()).hasSize(2 * levels.get(confirmed.level() - 1).size());
            yield "level " + confirmed.level();
          }
          case FencingOutcome.Poisoned poisoned -> "poisoned at " + poisoned.level();
          case FencingOutcome.Failed _ -> "failed";
          case FencingOutcome.NeedsOperator _ -> "operator";
        };
    assertThat(result).as("%s: %s", reason, outcome.log()).isEqualTo(expected);
  }

  @Test
  void everyCountedReadingBeganAfterTheDeviceTookOurOrder() {
    var devices = new FakeDevices().with("one", "ok / off").with("two", "no no ok / on off");
    var heard = Collections.synchronizedList(new ArrayList<FencingStep>());
    var outcome =
        new Fencer(devices)
            .powerOff(HOST_A, FakeDevices.plan(List.of(List.of("one", "two"))), ENOUGH, heard::add);
    assertThat(outcome).isInstanceOf(FencingOutcome.Confirmed.class);
    var confirmed = (FencingOutcome.Confirmed) outcome;
    for (var reading : confirmed.readings()) {
      assertThat(reading.began())
          .isAfterOrEqualTo(at(heard, reading.device(), Kind.OFF_SENT))
          .isAfterOrEqualTo(confirmed.readingBegan());
    }
    assertThat(confirmed.readings().stream().map(PowerReading.Off::began).min(Instant::compareTo))
        .contains(confirmed.readingBegan());
    // The second round starts when the slower device has said off once.
    assertThat(at(heard, "one", Kind.READ_OFF_2))
        .isAfterOrEqualTo(at(heard, "two", Kind.READ_OFF_1));
    assertThat(kinds(heard, "two"))
        .containsExactly(
            Kind.OFF_SENT,
            Kind.OFF_FAILED,
            Kind.OFF_SENT,
            Kind.OFF_FAILED,
            Kind.OFF_SENT,
            Kind.OFF_ACCEPTED,
            Kind.STILL_ON,
            Kind.READ_OFF_1,
            Kind.READ_OFF_2);
  }

  @Test
  void aHostThatIsOffAlreadyGetsTheOrderAllTheSame() {
    var devices = new FakeDevices().with("bmc", "ok / off");
    new Fencer(devices)
        .powerOff(HOST_A, FakeDevices.plan(List.of(List.of("bmc"))), ENOUGH, FencingListener.NONE);
    assertThat(devices.orders("bmc")).isEqualTo(1);
  }

  @Test
  void aDeviceThatIsAnotherHostsGetsNoOrder() {
    var devices =
        new FakeDevices()
            .with("bmc", "ok / off", "4c4c4544004235108054b7c04f4e3133")
            .with("outlet", "ok / off");
    var fencer = new Fencer(devices);
    var plan = FakeDevices.plan(List.of(List.of("bmc"), List.of("outlet")));
    var outcome = fencer.powerOff(HOST_A, plan, ENOUGH, FencingListener.NONE);
    assertThat(devices.orders("bmc")).isZero();
    assertThat(outcome)
        .isInstanceOfSatisfying(
            FencingOutcome.Confirmed.class,
            confirmed -> {
              assertThat(confirmed.level()).isEqualTo(2);
              assertThat(confirmed.identities().get("outlet"))
                  .isInstanceOf(DeviceIdentity.Unknown.class);
            });
    assertThat(outcome.log())
        .anySatisfy(
            step -> {
              assertThat(step.kind()).isEqualTo(Kind.WRONG_HOST);
              assertThat(step.detail()).contains("bmc controls host b, not host a");
            });
  }

  @Test
  void whatAHealthCheckLearnedSparesTheFenceTheQuestionWhoseItIs() {
    var devices = new FakeDevices().with("bmc", "ok / on off", "4c4c4544004235108054b7c04f4e3132");
    var fencer = new Fencer(devices);
    var plan = FakeDevices.plan(List.of(List.of("bmc")));
    var health = fencer.check(HOST_A, plan, ENOUGH).getFirst();
    assertThat(health.usable()).isTrue();
    assertThat(health.sentence()).isEqualTo("bmc answers, says on, may switch, and is this host's");
    devices.with("bmc", "ok / off"); // from now on it gives no GUID
    assertThat(fencer.powerOff(HOST_A, plan, ENOUGH, FencingListener.NONE))
        .isInstanceOfSatisfying(
            FencingOutcome.Confirmed.class,
            confirmed ->
                assertThat(confirmed.identities().get("bmc")).isEqualTo(new DeviceIdentity.Same()));
  }

  @Test
  void aDeviceThatWasGivenToAnotherHostSinceIsFoundOut() {
    var time = new MadeUpTime();
    var devices = new FakeDevices().with("bmc", "ok / off", "4c4c4544004235108054b7c04f4e3132");
    var fencer = new Fencer(devices, time);
    var plan = FakeDevices.plan(List.of(List.of("bmc")));
    assertThat(fencer.check(HOST_A, plan, ENOUGH).getFirst().usable()).isTrue();
    devices.with("bmc", "ok / off", "4c4c4544004235108054b7c04f4e3133"); // and no check reaches it
    time.sleep(Duration.ofMinutes(4));
    assertThat(fencer.powerOff(HOST_A, plan, ENOUGH, FencingListener.NONE))
        .isInstanceOf(FencingOutcome.Failed.class);
    assertThat(devices.orders("bmc")).isZero();
  }

  @Test
  void aFenceThatIsInterruptedHasFailed() throws Exception {
    var devices = new FakeDevices().with("bmc", "ok / on");
    var outcome = new CompletableFuture<FencingOutcome>();
    var began = new CountDownLatch(1);
    var thread =
        Thread.ofVirtual()
            .start(
                () ->
                    outcome.complete(
                        new Fencer(devices)
                            .powerOff(
                                HOST_A,
                                FakeDevices.plan(List.of(List.of("bmc"))),
                                Duration.ofMinutes(1),
                                _ -> began.countDown())));
    began.await();
    thread.interrupt();
    assertThat(outcome.get(5, TimeUnit.SECONDS)).isInstanceOf(FencingOutcome.Failed.class);
  }

  @Test
  void aHostWithoutDevicesCannotBeFencedAndTheReasonSaysWhatToDo() {
    var outcome =
        new Fencer(new FakeDevices())
            .powerOff(HOST_A, new FencingPlan(List.of()), ENOUGH, FencingListener.NONE);
    assertThat(outcome)
        .isInstanceOfSatisfying(
            FencingOutcome.Failed.class,
            failed -> assertThat(failed.reasons().get("a")).contains("add one"));
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "the only device says off            ; off      ; off at level 1",
        "it says on                          ; on       ; on",
        "it is silent                        ; ?        ; unclear",
        "one of two supplies says off        ; off + ?  ; unclear",
        "one of two supplies says on         ; off + on ; on",
        "both supplies say off               ; off + off ; off at level 1",
        "the BMC says off, the outlet has current ; off | on ; off at level 1",
        "the BMC lost its power too, the outlet says off ; ? | off ; off at level 2",
      })
  void evidenceOfAPowerLossIsEveryDeviceOfOneLevelSayingOff(
      String reason, String readings, String expected) {
    var devices = new FakeDevices();
    var levels = new ArrayList<List<String>>();
    for (var level : readings.split("\\|")) {
      var names = new ArrayList<String>();
      for (var word : level.split("\\+")) {
        var name = "device" + levels.size() + "." + names.size();
        devices.with(name, "ok / " + word);
        names.add(name);
      }
      levels.add(names);
    }
    var evidence = new Fencer(devices).readAll(FakeDevices.plan(levels), ENOUGH);
    var result =
        switch (evidence) {
          case EvidenceReading.PowerOff off -> "off at level " + off.level();
          case EvidenceReading.PowerOn _ -> "on";
          case EvidenceReading.Unclear _ -> "unclear";
        };
    assertThat(result).as(reason).isEqualTo(expected);
    assertThat(devices.orders("device0.0")).isZero();
  }

  @Test
  void aLevelWaitsForTheLongestDelayOfItsDevices() {
    var devices = new FakeDevices().with("bmc", "no / ?").with("outlet", "ok / off");
    var plan =
        new FencingPlan(
            List.of(
                new Level(List.of(FakeDevices.spec("bmc"))),
                new Level(List.of(new DeviceSpec("outlet", "fake", Map.of("delay", "300ms"))))));
    var heard = Collections.synchronizedList(new ArrayList<FencingStep>());
    assertThat(new Fencer(devices).powerOff(HOST_A, plan, ENOUGH, heard::add))
        .isInstanceOf(FencingOutcome.Confirmed.class);
    assertThat(heard).extracting(FencingStep::kind).contains(Kind.LEVEL_DELAYED);
    assertThat(
            Duration.between(at(heard, "", Kind.LEVEL_DELAYED), at(heard, "outlet", Kind.OFF_SENT)))
        .isGreaterThanOrEqualTo(Duration.ofMillis(300));
  }

  @Test
  void aDelayThatLeavesNoTimeForTheLevelIsSaid() {
    var devices = new FakeDevices().with("outlet", "ok / off");
    var plan = FencingPlan.of(new DeviceSpec("outlet", "fake", Map.of("delay", "1m")));
    assertThat(new Fencer(devices).powerOff(HOST_A, plan, ENOUGH, FencingListener.NONE))
        .isInstanceOfSatisfying(
            FencingOutcome.Failed.class,
            failed -> assertThat(failed.reasons().get("outlet")).contains("its delay of 60.0 s"));
    assertThat(devices.orders("outlet")).isZero();
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = ';',
      value = {
        "the only device goes dark with the host        ; bmc!                 ; bmc",
        "an outlet of its own is the next level         ; bmc! | outlet        ;",
        "beside an outlet in one level it is needed too ; bmc! + outlet        ; bmc",
        "both levels have one                           ; bmc! | other! + pdu  ; bmc other",
        "nothing was said about any                     ; bmc                  ;",
      })
  void aPlanThatGoesDarkWithItsHostIsWarnedOf(String reason, String plan, @Nullable String warned) {
    var devices = new FakeDevices();
    var levels = new ArrayList<Level>();
    for (var level : plan.split("\\|")) {
      var specs = new ArrayList<DeviceSpec>();
      for (var word : level.split("\\+")) {
        var name = word.strip().replace("!", "");
        devices.with(name, "ok / on");
        specs.add(
            new DeviceSpec(
                name, "fake", Map.of("sharesPower", word.contains("!") ? "true" : "false")));
      }
      levels.add(new Level(specs));
    }
    var health = new Fencer(devices).check(HOST_A, new FencingPlan(levels), ENOUGH);
    assertThat(health).allSatisfy(h -> assertThat(h.usable()).isTrue());
    assertThat(
            health.stream().filter(h -> !h.warnings().isEmpty()).map(DeviceHealth::device).toList())
        .as(reason)
        .isEqualTo(warned == null ? List.of() : List.of(warned.split(" ")));
  }

  @Test
  void aHostIsSwitchedOnThroughAllLevelsTheOutletFirst() {
    var devices = new FakeDevices().with("bmc", "no ok / off on").with("outlet", "ok / on");
    var heard = Collections.synchronizedList(new ArrayList<FencingStep>());
    var outcome =
        new Fencer(devices)
            .powerOn(
                HOST_A,
                FakeDevices.plan(List.of(List.of("bmc"), List.of("outlet"))),
                ENOUGH,
                heard::add);
    assertThat(outcome)
        .isInstanceOfSatisfying(
            PowerOnOutcome.On.class,
            on ->
                assertThat(on.readings())
                    .extracting(PowerReading.On::device)
                    .containsExactly("bmc"));
    assertThat(heard.getFirst().device()).isEqualTo("outlet");
  }

  private static Instant at(List<FencingStep> steps, String device, Kind kind) {
    return steps.stream()
        .filter(step -> step.device().equals(device) && step.kind() == kind)
        .reduce((_, last) -> last)
        .orElseThrow()
        .at();
  }

  private static List<Kind> kinds(List<FencingStep> steps, String device) {
    return steps.stream()
        .filter(step -> step.device().equals(device))
        .map(FencingStep::kind)
        .toList();
  }
}
