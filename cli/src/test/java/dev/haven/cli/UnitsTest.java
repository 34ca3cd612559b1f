package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UnitsTest {
  @ParameterizedTest
  @CsvSource({
    "2h, 2026-11-21T12:00:00Z",
    "14:30, 2026-11-21T13:30:00Z",
    "15:30, 2026-11-20T14:30:00Z", // later than now: yesterday's
    "2026-11-20T14:30, 2026-11-20T13:30:00Z",
    "2026-11-20T14:30:00Z, 2026-11-20T14:30:00Z"
  })
  void aTimeIsASpanBackOrATimeHere(String text, Instant time) {
    assertThat(
            Units.parseTime(
                text, Instant.parse("2026-11-21T14:00:00Z"), java.time.ZoneId.of("Europe/Vienna")))
        .isEqualTo(time);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0 B",
    "1023, 1023 B",
    "1024, 1 KiB",
    "1536, 1.5 KiB",
    "1073741824, 1 GiB",
    "51539607552, 48 GiB"
  })
  void bytesGetTheUnitThatFits(long bytes, String text) {
    assertThat(Units.bytes(bytes)).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({
    "320, 320 ms",
    "4200, 4.2 s",
    "59000, 59 s",
    "60000, 1 min",
    "200000, 3 min 20 s",
    "7500000, 2 h 5 min",
    "273600000, 3 d 4 h"
  })
  void durationsHaveTwoUnitsAtMost(long millis, String text) {
    assertThat(Units.duration(Duration.ofMillis(millis))).isEqualTo(text);
  }

  @ParameterizedTest
  @CsvSource({"500ms, 500", "10s, 10000", "10, 10000", "5m, 300000", "2h, 7200000"})
  void durationsAreRead(String text, long millis) {
    assertThat(Units.parseDuration(text)).isEqualTo(Duration.ofMillis(millis));
  }

  @Test
  void aTableAlignsNumbersRightAndCutsWhatIsTooLong() {
    var table = new Table().column("GUEST").number("MEMORY").column("DETAIL");
    table.row("web", "2 GiB", "a sentence that is longer than the terminal is wide");
    table.row("database", "16 GiB", "");
    assertThat(table.render(40, Paint.NONE))
        .isEqualTo(
            List.of(
                "GUEST     MEMORY  DETAIL",
                "web        2 GiB  a sentence that is lo…",
                "database  16 GiB"));
    assertThat(table.render(Integer.MAX_VALUE, Paint.NONE).get(1)).endsWith("is wide");
  }

  @Test
  void progressShowsShareRateAndTimeLeft() {
    assertThat(OperationWatch.line(Samples.operation("op-7", "running"), Instant.now()))
        .isEqualTo(
            "op-7 migrate web [#####               ] 25 %, 2 of 4, 256 MiB of 1 GiB, 128 MiB/s,"
                + " 7 s left: copies memory");
  }
}
