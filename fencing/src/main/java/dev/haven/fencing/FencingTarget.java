package dev.haven.fencing;

import java.util.Map;
import java.util.Optional;

/**
 * The host whose power is meant, with what is needed to tell its devices from those of another.
 *
 * @param host its name
 * @param systemUuid its own system UUID (SMBIOS, as in {@code /sys/class/dmi/id/product_uuid}),
 *     where it is known
 * @param otherHosts the system UUIDs of the cluster's other hosts by name: they tell whose device a
 *     wrong one is, and that a UUID which two hosts share proves nothing
 */
public record FencingTarget(
    String host, Optional<String> systemUuid, Map<String, String> otherHosts) {
  public FencingTarget {
    otherHosts = Map.copyOf(otherHosts);
  }
}
