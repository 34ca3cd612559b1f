package dev.haven.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

/** Some seconds of what {@code haven bench nemesis --slow} does for minutes. */
class SlowVotersTest {
  @Test
  void twoSlowVotersOfThreeElectOneLeaderAndKeepIt() throws Exception {
    var report = SlowVoters.run(Duration.ofSeconds(15), System.out);
    assertThat(report.leaderships()).as(report.text()).isEqualTo(1);
    assertThat(report.commands()).as(report.text()).isPositive();
  }
}
