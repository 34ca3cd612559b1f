package dev.haven.templates;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * One network interface of a guest.
 *
 * @param source the bridge's or the libvirt network's name, which must exist on every host that may
 *     run the guest
 * @param mac empty to derive one from the guest's name and uuid
 */
public record Nic(Kind kind, String source, Optional<String> mac) {
  private static final Pattern MAC = Pattern.compile("[0-9a-f]{2}(:[0-9a-f]{2}){5}");

  /** What the interface is plugged into. */
  public enum Kind {
    /** A bridge of the host. */
    BRIDGE,
    /** A network that libvirt keeps. */
    NETWORK
  }

  public Nic {
    if (source.isBlank()) {
      throw new IllegalArgumentException(
          "network: name the bridge or libvirt network, like bridge=br0");
    }
    mac.ifPresent(
        address -> {
          if (!MAC.matcher(address).matches()) {
            throw new IllegalArgumentException(
                "network %s: mac '%s' is not like 52:54:00:12:34:56 (lower case)"
                    .formatted(source, address));
          }
          if ((Integer.parseInt(address.substring(0, 2), 16) & 1) != 0) {
            throw new IllegalArgumentException(
                "network %s: mac '%s' is a multicast address; its first byte must be even"
                    .formatted(source, address));
          }
        });
  }

  /**
   * Reads {@code bridge=NAME[,mac=…]} or {@code network=NAME[,mac=…]}.
   *
   * @throws IllegalArgumentException naming the wrong part and what it may be
   */
  public static Nic parse(String text) {
    var options = Options.of("network", text.contains("=") ? "," + text : text);
    var bridge = options.take("bridge");
    var network = options.take("network");
    var mac = options.take("mac");
    options.refuseRest("bridge, network, mac");
    if (bridge.isPresent() == network.isPresent()) {
      throw new IllegalArgumentException(
          "network '" + text + "': give either bridge=NAME or network=NAME");
    }
    return bridge.isPresent()
        ? new Nic(Kind.BRIDGE, bridge.get(), mac)
        : new Nic(Kind.NETWORK, network.orElseThrow(), mac);
  }
}
