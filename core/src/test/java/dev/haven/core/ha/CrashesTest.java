package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.RestartLimits;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** In place that often within that time, then elsewhere, then no more. */
class CrashesTest {
  private static final Instant BEGAN = Instant.parse("2026-01-01T00:00:00Z");

  /** Crashes, as host and minute, and what follows from the last. */
  @ParameterizedTest
  @CsvSource({
    "2, 1, a0, in place",
    "2, 1, a0 a1, in place",
    "2, 1, a0 a1 a2, elsewhere",
    "2, 1, a0 a1 a12, in place", // the first two are over
    "2, 1, a0 a1 a10, in place", // at 10 min sharp the first is over
    "2, 1, a0 a1 a2 b3, in place", // counted again on another host
    "2, 1, a0 a1 a2 b3 b4 b5, failed",
    "2, 1, a0 a1 a2 b3 b4 b15, in place", // b4 is over, and with it what was on a
    "2, 1, a0 a1 a2 b13 b14 b15, elsewhere", // a was long ago: b is the first that it leaves
    "2, 1, a0 b1 a2 b3, in place", // moved by hand in between
    "0, 1, a0, elsewhere",
    "0, 1, a0 b1, failed",
    "0, 0, a0, failed",
    "0, 2, a0 b1, elsewhere",
  })
  void whatFollows(int inPlace, int elsewhere, String crashes, String follows) {
    var limits = Optional.of(new RestartLimits(inPlace, Duration.ofMinutes(10), elsewhere, false));
    assertThat(words(course(limits, crashes), limits)).isEqualTo(follows);
  }

  @ParameterizedTest
  @CsvSource({"a0", "a0 a0 a0 a0 a0 a0", "a0 b0 a0"})
  void withoutLimitsAlwaysInPlace(String crashes) {
    var course = course(Optional.empty(), crashes);
    assertThat(words(course, Optional.empty())).isEqualTo("in place");
    assertThat(course.times()).isEmpty(); // so that it does not grow for ever
  }

  @Test
  void aGuestThatNeverCrashedIsWrittenAsBeforeAndReadBack() {
    var guest = Guest.of(Hosts.guest(new GuestId("web"), 1024), true, Epoch.NONE);
    assertThat(Json.text(guest)).doesNotContain("crashes").doesNotContain("restarts");
    assertThat(Json.read(Json.text(guest), Guest.class)).isEqualTo(guest);
  }

  private static Crashes course(Optional<RestartLimits> limits, String crashes) {
    var so = Optional.<Crashes>empty();
    for (var crash : crashes.split(" ")) {
      var at = BEGAN.plus(Duration.ofMinutes(Long.parseLong(crash.substring(1))));
      so = Optional.of(Crashes.after(so, limits, new HostId(crash.substring(0, 1)), at));
      // as hard state it is written and read between any two
      so = Optional.of(Json.read(Json.text(so.get()), Crashes.class));
    }
    return so.orElseThrow();
  }

  private static String words(Crashes c, Optional<RestartLimits> limits) {
    return c.again() ? "in place" : c.tooMany(limits) ? "failed" : "elsewhere";
  }
}
