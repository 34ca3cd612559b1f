package dev.haven.fencing;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Whether a power device is the host's own. */
public sealed interface DeviceIdentity {
  /** The device's system GUID is the host's own UUID. */
  record Same() implements DeviceIdentity {}

  /**
   * The device belongs to another machine: to switch it off would kill the wrong one.
   *
   * @param alarm what is wired to what, and the way out
   */
  record Different(String alarm) implements DeviceIdentity {}

  /** Nothing proves it and nothing speaks against it. */
  record Unknown(String reason) implements DeviceIdentity {}

  /**
   * Compares without asking anything.
   *
   * <p>IPMI 2.0 (20.8) sends a GUID with its least significant byte first, SMBIOS stores the first
   * three fields of a UUID in little-endian order, and vendors mix the two; so each of the four
   * orders of the same sixteen bytes counts as equal.
   *
   * @param deviceGuid 32 hexadecimal digits, dashes and blanks ignored
   */
  static DeviceIdentity compare(String device, FencingTarget target, Optional<String> deviceGuid) {
    var why = incomparable(device, target, deviceGuid);
    if (why.isPresent()) {
      return new Unknown(why.get());
    }
    var guid = bytes(deviceGuid.orElseThrow()).orElseThrow();
    if (equal(guid, bytes(target.systemUuid().orElseThrow()).orElseThrow())) {
      return new Same();
    }
    var owners = hostsWith(target, guid);
    return new Different(
        "%s controls %s (its system GUID is %s, host %s is %s); correct its address, or give it to the host that it controls"
            .formatted(
                device,
                owners.isEmpty()
                    ? "a machine that is not host " + target.host()
                    : "host %s, not host %s".formatted(String.join(" or ", owners), target.host()),
                deviceGuid.get(),
                target.host(),
                target.systemUuid().get()));
  }

  /** Why the two say nothing; empty if they can be compared. */
  private static Optional<String> incomparable(
      String device, FencingTarget target, Optional<String> deviceGuid) {
    if (deviceGuid.isEmpty()) {
      return Optional.of(device + " gives no system GUID");
    }
    var host = "host " + target.host();
    if (target.systemUuid().isEmpty()) {
      return Optional.of("the system UUID of %s is not known".formatted(host));
    }
    var guid = bytes(deviceGuid.get());
    var own = bytes(target.systemUuid().get());
    if (guid.isEmpty()) {
      return Optional.of(device + " gives an unreadable system GUID, " + deviceGuid.get());
    }
    if (own.isEmpty()) {
      return Optional.of(
          "the system UUID of %s is unreadable, %s".formatted(host, target.systemUuid().get()));
    }
    if (meaningless(guid.get())) {
      return Optional.of(device + " gives a placeholder as system GUID, " + deviceGuid.get());
    }
    if (meaningless(own.get())) {
      return Optional.of(
          "%s has a placeholder as system UUID, %s".formatted(host, target.systemUuid().get()));
    }
    var twins = hostsWith(target, own.get());
    return twins.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "%s has the same system UUID as host %s".formatted(host, String.join(", ", twins)));
  }

  /** The other hosts that have this UUID, by name. */
  private static List<String> hostsWith(FencingTarget target, byte[] uuid) {
    return target.otherHosts().entrySet().stream()
        .filter(other -> bytes(other.getValue()).filter(has -> equal(has, uuid)).isPresent())
        .map(Map.Entry::getKey)
        .sorted()
        .toList();
  }

  private static Optional<byte[]> bytes(String text) {
    var digits = text.replaceAll("[-\\s]", "").toLowerCase(Locale.ROOT);
    return digits.matches("[0-9a-f]{32}")
        ? Optional.of(HexFormat.of().parseHex(digits))
        : Optional.empty();
  }

  /** All zeros, all ones, or one counting pattern that boards leave the factory with. */
  private static boolean meaningless(byte[] uuid) {
    for (var order : orders(uuid)) {
      var text = HexFormat.of().formatHex(order);
      if (text.matches("(..)\\1{15}") || text.equals("03000200040005000006000700080009")) {
        return true;
      }
    }
    return false;
  }

  private static boolean equal(byte[] guid, byte[] uuid) {
    return orders(guid).stream().anyMatch(order -> Arrays.equals(order, uuid));
  }

  private static List<byte[]> orders(byte[] guid) {
    var all = new ArrayList<byte[]>();
    for (var bytes : List.of(guid, reversed(guid, 0, 16))) {
      all.add(bytes);
      all.add(reversed(reversed(reversed(bytes, 0, 4), 4, 6), 6, 8));
    }
    return all;
  }

  private static byte[] reversed(byte[] bytes, int from, int to) {
    var result = bytes.clone();
    for (int i = from; i < to; i++) {
      result[i] = bytes[to - 1 - (i - from)];
    }
    return result;
  }
}
