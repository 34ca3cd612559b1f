package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static dev.haven.orchestrator.OneLeader.BOOT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HostState;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The checks of power devices of the effects that ship: they start programs on some voters. */
class DeviceChecksTest {
  private static void noneIsChecked(OneLeader leader) throws Exception {
    leader.devices.checked.clear();
    leader.log.term++; // a new term begins with its checks at once
    assertThat(leader.devices.checked.poll(1_200, TimeUnit.MILLISECONDS))
        .as("a check while host b is %s", leader.state().host(B).orElseThrow().state())
        .isNull();
  }

  @Test
  void noDeviceIsCheckedWhileAHostIsSuspectOrFencedAndThenOneAtATime() throws Exception {
    try (var leader = OneLeader.withThreeHosts()) {
      leader.happens(
          new Event.HostSilent(
              B,
              BOOT,
              new Event.Silence(
                  Duration.ZERO, 2, Event.Echo.SILENT, Event.Power.UNREACHABLE, "no answer"),
              Instant.now()));
      assertThat(leader.state().host(B).orElseThrow().state())
          .isInstanceOf(HostState.Suspect.class);
      noneIsChecked(leader);
      leader.isBeingFenced(B);
      noneIsChecked(leader);

      leader.committed(new Change.HostStateChanged(B, new HostState.Online()));
      assertThat(leader.devices.checked.poll(30, TimeUnit.SECONDS)).isEqualTo(A);
      // that check hangs, and the others wait for it
      assertThat(leader.devices.checked.poll(300, TimeUnit.MILLISECONDS)).isNull();
    }
  }
}
