package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.fencing.sbd.LoopDisk;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** With ClusterLabs' sbd on the other side of the disk. */
final class SbdDeviceTest {
  private static final FencingTarget HOST = new FencingTarget("a", Optional.empty(), Map.of());
  private static final Duration WITHIN = Duration.ofSeconds(5);

  @TempDir Path folder;
  private final List<LoopDisk> disks = new ArrayList<>();
  private Fencer fencer;

  @BeforeEach
  void needsLoopDisks() {
    fencer = new Fencer(folder);
    assumeTrue(LoopDisk.possible(), "needs root and the package sbd");
  }

  @AfterEach
  void detach() throws Exception {
    for (var disk : disks) {
      disk.close();
    }
  }

  /** Disks with sbd's layout; every further one that is not {@code good} is empty. */
  private DeviceSpec disks(int number, int good) throws Exception {
    for (int i = 0; i < number; i++) {
      var disk = new LoopDisk(folder.resolve("disk" + i));
      disks.add(disk);
      if (i < good) {
        disk.create().sbd("allocate", "host-a");
      }
    }
    return spec("slot", "host-a");
  }

  private DeviceSpec spec(String... pairs) {
    var settings = new HashMap<String, String>();
    settings.put("disks", String.join(";", disks.stream().map(d -> d.path().toString()).toList()));
    settings.put("timeout", "1s");
    for (int i = 0; i < pairs.length; i += 2) {
      settings.put(pairs[i], pairs[i + 1]);
    }
    return new DeviceSpec("pill-a", "sbd", settings);
  }

  @ParameterizedTest(name = "{0} disks, {1} of them good")
  @CsvSource({"1, 1, poisoned", "2, 2, poisoned", "2, 1, failed", "3, 2, poisoned", "3, 1, failed"})
  void aPillHasToBeOnMoreThanHalfOfTheDisks(int number, int good, String expected)
      throws Exception {
    var spec = disks(number, good);
    switch (fencer.powerOff(HOST, FencingPlan.of(spec), WITHIN, FencingListener.NONE)) {
      case FencingOutcome.Poisoned poisoned -> {
        assertThat("poisoned").isEqualTo(expected);
        assertThat(poisoned.disks())
            .isEqualTo(disks.subList(0, good).stream().map(d -> d.path().toString()).toList());
        assertThat(poisoned.waited()).isEqualTo(Duration.ofSeconds(2));
        var written = poisoned.log().getFirst().at();
        assertThat(poisoned.over()).isAfterOrEqualTo(written.plus(poisoned.waited()));
        for (var disk : disks.subList(0, good)) {
          assertThat(disk.listed("host-a")).isEqualTo("host-a reset haven");
        }
      }
      case FencingOutcome.Failed failed -> {
        assertThat("failed").isEqualTo(expected);
        assertThat(failed.reasons().get("pill-a"))
            .contains("only " + good + " of " + number, "no sbd disk");
        assertThat(disks.getFirst().listed("host-a"))
            .as("nothing is written where it cannot be enough")
            .isEqualTo("host-a clear");
      }
      default -> throw new AssertionError();
    }
  }

  @Test
  void aPillThatWasTakenAwayBeforeItsWaitWasOverIsNoProofAndIsNotGivenAgain() throws Exception {
    var spec = disks(1, 1);
    var taken = new AtomicReference<Exception>();
    try (var device = SbdDevice.open(spec)) {
      var thief =
          Thread.ofVirtual()
              .start(
                  () -> {
                    try {
                      while (!disks.getFirst().listed("host-a").startsWith("host-a reset")) {
                        Thread.onSpinWait();
                      }
                      disks.getFirst().sbd("message", "host-a", "clear");
                    } catch (Exception e) {
                      taken.set(e);
                    }
                  });
      assertThat(device.switchOff(WITHIN))
          .isInstanceOfSatisfying(
              SwitchResult.Failed.class,
              failed -> assertThat(failed.reason()).contains("only 0 of 1 disks still held"));
      thief.join();
      assertThat(taken.get()).isNull();
      assertThat(device.switchOff(WITHIN))
          .isInstanceOfSatisfying(
              SwitchResult.Failed.class,
              failed -> assertThat(failed.reason()).contains("was taken away before"));
      assertThat(disks.getFirst().listed("host-a")).isEqualTo("host-a clear vm");
    }
  }

  @Test
  void aPillGetsTheTimeThatItsDisksPrescribe() throws Exception {
    var spec = disks(1, 1);
    assertThat(
            fencer.powerOff(
                HOST, FencingPlan.of(spec), Duration.ofSeconds(1), FencingListener.NONE))
        .isInstanceOf(FencingOutcome.Poisoned.class);
    try (var device = SbdDevice.open(spec)) {
      disks.getFirst().sbd("message", "host-a", "clear");
      assertThat(device.switchOff(Duration.ofSeconds(1)))
          .isInstanceOfSatisfying(
              SwitchResult.Failed.class,
              failed -> assertThat(failed.reason()).contains("so nothing was written"));
      assertThat(disks.getFirst().listed("host-a")).startsWith("host-a clear");
    }
  }

  @Test
  void aPillBesideAnotherDeviceProvesNothing() throws Exception {
    var spec = disks(1, 1);
    var other = FakeDevices.spec("outlet");
    var devices = new FakeDevices().with("outlet", "ok / off");
    var both =
        new Fencer(s -> s.equals(other) ? devices.open(s) : DeviceKinds.standard(folder).open(s));
    var plan = new FencingPlan(List.of(new Level(List.of(spec, other))));
    assertThat(both.problems(plan)).singleElement().asString().contains("a level of its own");
    assertThat(both.powerOff(HOST, plan, WITHIN, FencingListener.NONE))
        .isInstanceOf(FencingOutcome.Failed.class);
  }

  @Test
  void healthSaysWhatAFenceWouldMeet() throws Exception {
    var spec = disks(3, 2);
    disks.getFirst().sbd("message", "host-a", "off");
    var health = fencer.check(HOST, FencingPlan.of(spec), WITHIN).getFirst();
    assertThat(health.usable()).isTrue();
    assertThat(health.sentence()).isEqualTo("pill-a: 2 of 3 disks answer, slot host-a is there");
    assertThat(health.warnings())
        .hasSize(2)
        .anySatisfy(w -> assertThat(w).contains("is no sbd disk"))
        .anySatisfy(w -> assertThat(w).contains("holds off from"));
    var strange = fencer.check(HOST, FencingPlan.of(spec("slot", "host-z")), WITHIN).getFirst();
    assertThat(strange.usable()).isFalse();
    assertThat(strange.sentence()).contains("has no slot host-z", "allocate host-z");
  }

  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "disks, /a;/b;/c;/d, one to three paths",
    "disks, sda, one to three paths",
    "message, exit, use reset",
    "slott, x, did you mean slot",
  })
  void aWrongSettingIsNamedWithAWayOut(String key, String value, String complaint) {
    assertThatThrownBy(() -> SbdDevice.open(spec("slot", "a", "disks", "/a", key, value)))
        .isInstanceOf(FencingConfigException.class)
        .hasMessageContaining(complaint);
  }
}
