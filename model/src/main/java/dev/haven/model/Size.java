package dev.haven.model;

import java.math.BigDecimal;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * An amount of memory or storage, written as people do: {@code 2GiB}, {@code 512MiB}, {@code
 * 1.5GiB}.
 *
 * @param bytes 0 or more
 */
public record Size(long bytes) implements Comparable<Size> {
  private static final List<String> UNITS = List.of("B", "KiB", "MiB", "GiB", "TiB", "PiB");
  private static final long MIB = 1L << 20;
  private static final Pattern WRITTEN = Pattern.compile("([0-9]+(?:\\.[0-9]+)?)\\s*([A-Za-z]*)");

  public Size {
    if (bytes < 0) {
      throw new IllegalArgumentException(
          "a size of " + bytes + " bytes is negative; use 0 or more");
    }
  }

  /** {@code mib} × 1,048,576 bytes. */
  public static Size ofMib(long mib) {
    return new Size(Math.multiplyExact(mib, MIB));
  }

  /**
   * An amount as libvirt writes it, {@code <memory unit='MiB'>}.
   *
   * @param unit in any case: b, bytes, k, KiB, KB (1000), and so on up to T; empty means KiB
   * @throws IllegalArgumentException if libvirt knows no such unit
   * @throws ArithmeticException if it is 0, or 8 EiB or more
   */
  public static Size ofLibvirt(long number, String unit) {
    long bytes =
        Math.multiplyExact(
            number,
            switch (unit.toLowerCase(Locale.ROOT)) {
              case "b", "bytes" -> 1L;
              case "kb" -> 1_000L;
              case "", "k", "kib" -> 1L << 10;
              case "mb" -> 1_000_000L;
              case "m", "mib" -> 1L << 20;
              case "gb" -> 1_000_000_000L;
              case "g", "gib" -> 1L << 30;
              case "tb" -> 1_000_000_000_000L;
              case "t", "tib" -> 1L << 40;
              default -> throw new IllegalArgumentException("unknown unit '%s'".formatted(unit));
            });
    if (bytes == 0) {
      throw new ArithmeticException("no memory");
    }
    return new Size(bytes);
  }

  /**
   * Reads a number with a unit of KiB, MiB, GiB, TiB or PiB, in any case.
   *
   * @throws IllegalArgumentException for anything else; where the meaning can be guessed, the
   *     message says how to write it. A bare number is refused, because tools disagree on what it
   *     counts.
   */
  public static Size parse(String text) {
    var matcher = WRITTEN.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "size '" + text + "' is not a number with a unit; write it like 2GiB or 512MiB");
    }
    var unit = unit(matcher.group(2));
    if (unit < 1) {
      throw new IllegalArgumentException(
          "size '" + text + "' " + whyNot(matcher.group(1), matcher.group(2)));
    }
    try {
      return new Size(
          new BigDecimal(matcher.group(1))
              .multiply(BigDecimal.valueOf(1L << (10 * unit)))
              .longValueExact());
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(
          "size '" + text + "' is not a whole number of bytes below 8192 PiB; give fewer digits");
    }
  }

  private static int unit(String written) {
    for (int i = 1; i < UNITS.size(); i++) {
      if (UNITS.get(i).equalsIgnoreCase(written)) {
        return i;
      }
    }
    return -1;
  }

  private static String whyNot(String number, String unit) {
    if (unit.isEmpty()) {
      return "has no unit; use %sMiB or %sGiB".formatted(number, number);
    }
    var letter = unit.substring(0, 1).toUpperCase(Locale.ROOT);
    if (unit.toUpperCase(Locale.ROOT).matches("[KMGTP]B?")) {
      return "could count thousands or 1024s; use %s%siB".formatted(number, letter);
    }
    return "has the unknown unit %s; use one of KiB, MiB, GiB, TiB, PiB".formatted(unit);
  }

  /** The size in MiB, rounded up: what is reserved must be enough. */
  public long mib() {
    return bytes / MIB + (bytes % MIB == 0 ? 0 : 1);
  }

  @Override
  public int compareTo(Size other) {
    return Long.compare(bytes, other.bytes);
  }

  /** In the largest unit that gives a whole number; {@link #parse} reads it again (but bytes). */
  @Override
  public String toString() {
    int unit = 0;
    long value = bytes;
    while (value > 0 && value % 1024 == 0 && unit < UNITS.size() - 1) {
      value /= 1024;
      unit++;
    }
    return value + UNITS.get(unit);
  }
}
