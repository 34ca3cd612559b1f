package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.AT;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static dev.haven.core.ha.Hosts.WEB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.FencingDevice;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Redundant is what brings its guests back by itself. */
final class RedundancyTest {
  private static ClusterState withDevice(String kind) {
    var state = Hosts.running(Hosts.online(true, A, B), WEB, A);
    return state.apply(
        new Change.HostDescribed(
            Hosts.spec(A, true).with(List.of(List.of(new FencingDevice("dev", kind, Map.of()))))));
  }

  private static ClusterState checked(ClusterState state, String problem, boolean unidentified) {
    for (var change :
        HaPolicy.decide(
                state,
                new Event.DeviceChecked(
                    A, "dev", problem, !problem.isEmpty(), unidentified, false, true, AT))
            .changes()) {
      state = state.apply(change);
    }
    return state;
  }

  @Test
  void aDeviceThatSwitchesAndWhoseWordCountsIsAWayBack() {
    assertThat(Explanations.redundancy(checked(withDevice("ipmi"), "", false))).isEmpty();
  }

  @Test
  void aPersonIsNone() {
    assertThat(Explanations.redundancy(withDevice("manual")))
        .containsExactly(
            "host a is fenced by a person alone: if it dies, its guests wait for an operator");
  }

  @Test
  void aDeviceThatWasNeverTestedOrDoesNotAnswerIsNone() {
    assertThat(Explanations.redundancy(checked(withDevice("command"), "", true)))
        .singleElement()
        .asString()
        .contains("host a has no fencing device whose word counts");
    assertThat(Explanations.redundancy(checked(withDevice("ipmi"), "it does not answer", false)))
        .hasSize(1);
  }

  @Test
  void aTestedWatchdogIsOne() {
    var dog =
        new Watchdog(
            Watchdog.Kind.HARDWARE,
            "iTCO_wdt",
            Duration.ofSeconds(10),
            true,
            true,
            Optional.empty(),
            Optional.empty());
    var state =
        withDevice("manual")
            .apply(new Change.HostGuarded(A, Guard.NONE.heard(BOOT, Optional.of(dog))));
    assertThat(Explanations.redundancy(state)).isEmpty();
  }
}
