package dev.haven.orchestrator.power;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.HostId;
import org.junit.jupiter.api.Test;

class PowerOnsTest {
  private static final HostId A = new HostId("a");

  private final PowerOns powerOns = new PowerOns();

  @Test
  void aHostIsSwitchedOnTwiceAnHourAtMost() {
    long minute = 60_000_000_000L;
    assertThat(powerOns.may(A, 0)).isTrue();
    assertThat(powerOns.may(A, 10 * minute)).isTrue();
    assertThat(powerOns.may(A, 59 * minute)).isFalse();
    assertThat(powerOns.may(new HostId("b"), 59 * minute)).isTrue();
    assertThat(powerOns.may(A, 61 * minute)).as("the first was more than an hour ago").isTrue();
    assertThat(powerOns.may(A, 62 * minute)).isFalse();
  }
}
