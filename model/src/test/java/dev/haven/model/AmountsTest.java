package dev.haven.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AmountsTest {
  @ParameterizedTest
  @CsvSource({
    "5ns, PT0.000000005S",
    "500ms, PT0.5S",
    "10, PT10S",
    "1.5 s, PT1.5S",
    "5m, PT5M",
    "5MIN, PT5M",
    "2h, PT2H",
    "1d, PT24H",
  })
  void timesAreReadAsPeopleWriteThem(String text, Duration means) {
    assertThat(Amounts.duration(text)).contains(means);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "-1s", "s", "1y", "1h30m", "1,5s"})
  void whatIsNoTimeIsNone(String text) {
    assertThat(Amounts.duration(text)).isEmpty();
    assertThat(Amounts.durationWithUnit(text)).isEmpty();
  }

  @Test
  void whereAUnitIsNeededANumberIsNoTime() {
    assertThat(Amounts.durationWithUnit("10")).isEmpty();
    assertThat(Amounts.durationWithUnit("10s")).contains(Duration.ofSeconds(10));
  }
}
