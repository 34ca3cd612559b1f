package dev.haven.model;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/** Amounts as people write them, read in one place. */
public final class Amounts {
  private static final Pattern DURATION =
      Pattern.compile("([0-9]+(?:\\.[0-9]+)?)\\s*(ns|ms|s|m|min|h|d)?", Pattern.CASE_INSENSITIVE);

  /** About 292 years, what fits into a long. */
  private static final double NANOS_MAX = Long.MAX_VALUE;

  private Amounts() {}

  /**
   * Reads {@code 500ms}, {@code 10s}, {@code 5m}, {@code 2h}, {@code 1d} or {@code 10}, which is
   * seconds.
   *
   * @return at most 292 years; empty if it is none of these
   */
  public static Optional<Duration> duration(String text) {
    var match = DURATION.matcher(text.strip());
    if (!match.matches()) {
      return Optional.empty();
    }
    var unit = match.group(2) == null ? "s" : match.group(2).toLowerCase(Locale.ROOT);
    double nanos =
        switch (unit) {
          case "ns" -> 1;
          case "ms" -> 1e6;
          case "m", "min" -> 60e9;
          case "h" -> 3_600e9;
          case "d" -> 86_400e9;
          default -> 1e9;
        };
    return Optional.of(
        Duration.ofNanos(
            Math.round(Math.min(NANOS_MAX, Double.parseDouble(match.group(1)) * nanos))));
  }

  /** As {@link #duration}, but a number without a unit is none. */
  public static Optional<Duration> durationWithUnit(String text) {
    var stripped = text.strip();
    return stripped.isEmpty() || !Character.isLetter(stripped.charAt(stripped.length() - 1))
        ? Optional.empty()
        : duration(stripped);
  }
}
