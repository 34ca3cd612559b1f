package dev.haven.core.lead;

import static dev.haven.core.lead.WatchRig.A;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.model.FencingDevice;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a host's devices said at their last check, here or at another voter. */
class DeviceMemoryTest {
  private static final long SECOND = 1_000_000_000L;

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - 100 * SECOND;

  private final Host host = host();
  private final DeviceMemory devices = new DeviceMemory();
  private final DeviceMemory other = new DeviceMemory();

  private static Host host() {
    var rig = new WatchRig();
    rig.add(
        A,
        List.of(
            List.of(
                new FencingDevice("one", "ipmi", Map.of()),
                new FencingDevice("two", "ipmi", Map.of()))));
    return rig.host(A);
  }

  private static long after(long seconds) {
    return START + seconds * SECOND;
  }

  private void checked(String device, boolean off, long seconds) {
    devices.checked(
        host,
        new Event.DeviceChecked(A, device, "", false, false, off, true, Instant.EPOCH),
        after(seconds));
  }

  private boolean saidOn(DeviceMemory memory, long nanos) {
    return memory.saidOn(host, List.of("one"), nanos);
  }

  private void tells(long seconds) {
    devices.seconds(after(seconds)).forEach(part -> other.said(part, after(seconds)));
  }

  @Test
  void aCheckCountsForThreeMinutes() {
    checked("one", false, 0);
    assertThat(saidOn(devices, after(180) - 1)).isTrue();
    assertThat(saidOn(devices, after(180))).isFalse();
    assertThat(devices.seconds(after(180) - 1)).hasSize(1);
    assertThat(devices.seconds(after(180))).isEmpty();
  }

  @Test
  void everyDeviceOfALevelMustHaveSaidOn() {
    checked("one", false, 0);
    assertThat(devices.saidOn(host, List.of("one", "two"), after(1))).isFalse();
    checked("two", false, 0);
    assertThat(devices.saidOn(host, List.of("one", "two"), after(1))).isTrue();
    assertThat(devices.saidOn(host, List.of(), after(1))).as("none says off").isFalse();
    assertThat(devices.saidOn(host, List.of("none"), after(1))).isFalse();
  }

  @Test
  void anotherVoterLearnsWhenADeviceSaidOn() {
    checked("one", false, 0);
    tells(10);
    assertThat(saidOn(other, after(169) - 1)).as("by a second early").isTrue();
    assertThat(saidOn(other, after(179))).isFalse();
  }

  @Test
  void anotherVoterLearnsThatADeviceSaysOnNoLonger() {
    checked("one", false, 0);
    tells(1);
    checked("one", true, 60);
    assertThat(saidOn(devices, after(61))).isFalse();
    tells(61);
    assertThat(saidOn(other, after(61))).isFalse();
  }

  @Test
  void whatAnotherVoterKnewBeforeDoesNotReplaceANewerCheck() {
    checked("one", true, 0);
    var old = devices.seconds(after(1)).getFirst();
    checked("one", false, 60);
    devices.said(old, after(1));
    assertThat(saidOn(devices, after(61))).isTrue();
  }

  @Test
  void whatNoVoterSaysIsNotTaken() {
    var name = nameOfOne();
    other.said(Map.of(name, 0L), after(0));
    assertThat(other.seconds(after(0))).isEmpty();
    other.said(Map.of(name, 181L), after(0));
    assertThat(other.seconds(after(0))).isEmpty();
    other.said(Map.of(name, Long.MIN_VALUE), after(0));
    assertThat(saidOn(other, after(0))).isFalse();
    other.said(Map.of(name, 1L), after(0));
    assertThat(saidOn(other, after(0))).isTrue();
  }

  private String nameOfOne() {
    var memory = new DeviceMemory();
    memory.checked(
        host,
        new Event.DeviceChecked(A, "one", "", false, false, false, true, Instant.EPOCH),
        after(0));
    return memory.seconds(after(0)).getFirst().keySet().iterator().next();
  }

  @Test
  void agesAreRoundedUpAndNegativeWhereADeviceDidNotSayOn() {
    checked("one", false, 0);
    checked("two", true, 0);
    assertThat(devices.seconds(after(59)).getFirst().values()).containsExactlyInAnyOrder(60L, -60L);
  }
}
