package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.wire.Watchdog;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class WatchdogDeviceTest {
  private static Duration timeout(int configured, Optional<Integer> armed) {
    return WatchdogDevice.timeout(
        new AgentSettings.WatchdogSettings(
            Watchdog.Kind.HARDWARE, Path.of("/dev/watchdog0"), Optional.of(configured)),
        armed.map(Duration::ofSeconds));
  }

  /** A host that is cut off cannot tell the leader, which counts on 10 s. */
  @Test
  void aLongerTimeoutWaitsForTheNextBoot() {
    assertThat(timeout(60, Optional.of(10))).hasSeconds(10);
  }

  @Test
  void aShorterOneCountsAtOnceAndAnyOneAfterABoot() {
    assertThat(timeout(10, Optional.of(60))).hasSeconds(10);
    assertThat(timeout(60, Optional.empty())).hasSeconds(60);
  }
}
