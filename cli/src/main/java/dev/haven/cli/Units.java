package dev.haven.cli;

import dev.haven.model.Amounts;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.format.DateTimeParseException;

/** Sizes and times as people write and read them. */
final class Units {
  private Units() {}

  /** Reads {@code 10s}, {@code 500ms}, {@code 5m}, {@code 2h}, {@code 1d} or {@code 10} (s). */
  static Duration parseDuration(String text) {
    return Amounts.duration(text)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'%s' is no time span; write it like 500ms, 10s, 5m, 2h or 1d"
                        .formatted(text)));
  }

  /**
   * Reads a time span back from now ({@code 2h}), a time of the last 24 hours here ({@code 14:30}),
   * a day and a time here ({@code 2026-11-21T14:30}) or an instant ({@code 2026-11-21T14:30:00Z}).
   */
  static Instant parseTime(String text, Instant now, ZoneId zone) {
    if (Amounts.duration(text).isPresent()) {
      return now.minus(parseDuration(text));
    }
    try {
      if (text.endsWith("Z")) {
        return Instant.parse(text);
      }
      if (text.contains("T")) {
        return LocalDateTime.parse(text).atZone(zone).toInstant();
      }
      var today = LocalTime.parse(text).atDate(LocalDate.ofInstant(now, zone)).atZone(zone);
      return today.toInstant().isAfter(now) ? today.minusDays(1).toInstant() : today.toInstant();
    } catch (DateTimeParseException e) {
      throw new IllegalArgumentException(
          "'%s' is no time; write it like 2h (ago), 14:30, 2026-11-21T14:30 or 2026-11-21T14:30:00Z"
              .formatted(text));
    }
  }

  static String mib(long mib) {
    return bytes(mib << 20);
  }

  static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    double value = bytes;
    var unit = "";
    for (var next : new String[] {"KiB", "MiB", "GiB", "TiB"}) {
      if (value < 1024) {
        break;
      }
      value /= 1024;
      unit = next;
    }
    return decimal(value) + " " + unit;
  }

  /** One digit behind the point below ten, unless it is a zero: 1.5, 2, 48. */
  private static String decimal(double value) {
    var tenths = Math.round(value * 10);
    return value < 10 && tenths % 10 != 0
        ? tenths / 10 + "." + tenths % 10
        : Long.toString(Math.round(value));
  }

  static String percent(double part, double whole) {
    return whole <= 0 ? "-" : Math.round(100 * part / whole) + " %";
  }

  /** Two units at most: 320 ms, 4.2 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
  static String duration(Duration duration) {
    long millis = Math.max(0, duration.toMillis());
    if (millis < 1000) {
      return millis + " ms";
    }
    if (millis < 10_000) {
      return decimal(millis / 1000.0) + " s";
    }
    long seconds = Math.round(millis / 1000.0);
    if (seconds < 60) {
      return seconds + " s";
    }
    if (seconds < 3600) {
      return two(seconds / 60, "min", seconds % 60, "s");
    }
    if (seconds < 86_400) {
      return two(seconds / 3600, "h", seconds % 3600 / 60, "min");
    }
    return two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h");
  }

  private static String two(long large, String largeUnit, long small, String smallUnit) {
    return large + " " + largeUnit + (small == 0 ? "" : " " + small + " " + smallUnit);
  }

  static String ago(Duration ago) {
    return ago.toMillis() < 1000 ? "just now" : duration(ago) + " ago";
  }

  static String ago(Instant then, Instant now) {
    return ago(Duration.between(then, now));
  }
}
