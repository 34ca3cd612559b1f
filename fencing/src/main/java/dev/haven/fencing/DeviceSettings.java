package dev.haven.fencing;

import dev.haven.model.Amounts;
import dev.haven.model.Names;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Reads a device's settings and says what is wrong with them. */
final class DeviceSettings {
  /** Settings that every kind of device has. */
  static final List<String> COMMON = List.of("delay", "sharesPower");

  private static final Duration LEAST = Duration.ofMillis(100);
  private static final Duration MOST = Duration.ofMinutes(10);

  private final String device;
  private final Map<String, String> values;

  DeviceSettings(DeviceSpec spec) {
    this.device = spec.name();
    this.values = spec.settings();
  }

  Optional<String> optional(String key) {
    return Optional.ofNullable(values.get(key)).filter(value -> !value.isBlank());
  }

  String required(String key, String example) {
    return optional(key)
        .orElseThrow(
            () ->
                wrong("setting " + key + " is missing", "add it, such as " + key + ": " + example));
  }

  int number(String key, int otherwise, int min, int max) {
    var text = optional(key);
    if (text.isEmpty()) {
      return otherwise;
    }
    try {
      int value = Integer.parseInt(text.get().strip());
      if (value >= min && value <= max) {
        return value;
      }
    } catch (NumberFormatException e) {
      // Said below, together with a number out of range.
    }
    throw wrong(key + " is " + text.get(), "give a whole number from " + min + " to " + max);
  }

  Duration duration(String key, Duration otherwise) {
    var text = optional(key);
    if (text.isEmpty()) {
      return otherwise;
    }
    var time = Amounts.duration(text.get());
    if (time.isPresent() && time.get().compareTo(LEAST) >= 0 && time.get().compareTo(MOST) <= 0) {
      return time.get();
    }
    throw wrong(key + " is " + text.get(), "give a time from 100ms to 10m, such as 5s");
  }

  /** Whether a setting that is off by itself was switched on. */
  boolean flag(String key) {
    var text = optional(key).orElse("false").strip();
    return switch (text) {
      case "true" -> true;
      case "false" -> false;
      default -> throw wrong(key + " is " + text, "use true or false");
    };
  }

  /** Settings that share a beginning, by what comes after it. */
  Map<String, String> startingWith(String beginning) {
    var found = new TreeMap<String, String>();
    values.forEach(
        (key, value) -> {
          if (key.startsWith(beginning)) {
            found.put(key.substring(beginning.length()), value);
          }
        });
    return found;
  }

  /** A secret that is not here: to try what stands in its place would lock the account. */
  void refuseUnreadable() {
    values.forEach(
        (key, value) -> {
          if (value.startsWith(DeviceSpec.SEALED)) {
            throw wrong(
                "its " + key + " is sealed with a key that this voter does not have",
                "set secretsKey to the file that the other voters have");
          }
          if (value.equals(Secrets.HIDDEN)) {
            throw wrong(
                "its " + key + " is " + value + ", as it is shown", "write the secret itself");
          }
        });
  }

  /** Those that every kind of device has are always known. */
  void refuseUnknown(String... known) {
    var all = new ArrayList<>(List.of(known));
    all.addAll(COMMON);
    for (var key : values.keySet()) {
      if (!all.contains(key)) {
        throw unknown("setting", key, all);
      }
    }
  }

  /** So long a fence waits before it begins with this device's level; 0 unless set. */
  Duration delay() {
    return optional("delay").isEmpty() ? Duration.ZERO : duration("delay", Duration.ZERO);
  }

  /** Whether the device goes dark together with its host. */
  boolean sharesPower() {
    return flag("sharesPower");
  }

  FencingConfigException unknown(String what, String key, Collection<String> known) {
    var near = nearest(key, known);
    return wrong(
        what + " " + key + " is unknown",
        near.isEmpty()
            ? "known are " + String.join(", ", known)
            : "did you mean " + String.join(" or ", near) + "?");
  }

  FencingConfigException wrong(String what, String wayOut) {
    return new FencingConfigException(device, what, wayOut);
  }

  /**
   * A secret given directly or in a file. The file is read at every call, so that a new password
   * needs no restart.
   *
   * @return empty where neither is set
   */
  Optional<String> secret(String key, String fileKey) {
    var file = optional(fileKey);
    if (file.isEmpty()) {
      return Optional.ofNullable(values.get(key));
    }
    if (values.containsKey(key)) {
      throw wrong("both " + key + " and " + fileKey + " are set", "keep one of them");
    }
    try {
      return Optional.of(Files.readString(Path.of(file.get())).lines().findFirst().orElse(""));
    } catch (IOException e) {
      throw wrong(
          "cannot read " + fileKey + " " + file.get() + " (" + e.getClass().getSimpleName() + ")",
          "put the password alone into that file and make it readable for Haven");
    }
  }

  /** The known names that a typing error away, best first, at most three. */
  static List<String> nearest(String wrong, Collection<String> known) {
    int far = Math.max(2, wrong.length() / 3);
    return known.stream()
        .filter(
            name ->
                Names.distance(wrong, name) <= far || (wrong.length() > 2 && name.contains(wrong)))
        .sorted(
            Comparator.<String>comparingInt(name -> Names.distance(wrong, name))
                .thenComparing(n -> n))
        .limit(3)
        .toList();
  }
}
