package dev.haven.model;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A host as its operator described it.
 *
 * @param uuid the machine's own system UUID, which its BMC should report too; empty when not known
 * @param migrationUri where other hosts' libvirt reach this one's, such as {@code
 *     qemu+tls://b/system}
 * @param networks with this host's addresses
 * @param fencing levels, tried in order; all devices of one level must say off
 * @param labels free words for placement rules
 * @param failureDomain rack, PDU, switch or chassis that fails as one; empty when not declared
 * @param memoryReserveMib kept for the host itself
 * @param cpuOvercommit virtual per logical processor, 4 by default
 */
public record HostSpec(
    HostId id,
    Optional<String> uuid,
    String migrationUri,
    List<Network> networks,
    List<List<FencingDevice>> fencing,
    Map<String, String> labels,
    Optional<String> failureDomain,
    long memoryReserveMib,
    double cpuOvercommit) {
  public static final long DEFAULT_MEMORY_RESERVE_MIB = 1024;
  public static final double DEFAULT_CPU_OVERCOMMIT = 4.0;

  public HostSpec {
    networks = List.copyOf(networks);
    fencing = fencing.stream().map(List::copyOf).toList();
    labels = Map.copyOf(labels);
    if (memoryReserveMib < 0) {
      throw new IllegalArgumentException(
          "host %s: memoryReserveMib %d is negative".formatted(id, memoryReserveMib));
    }
    if (!(cpuOvercommit > 0 && cpuOvercommit <= 64)) {
      throw new IllegalArgumentException(
          "host %s: cpuOvercommit %s is not between 0 and 64".formatted(id, cpuOvercommit));
    }
  }

  /** The same host with other fencing devices. */
  public HostSpec with(List<List<FencingDevice>> devices) {
    return new HostSpec(
        id,
        uuid,
        migrationUri,
        networks,
        devices,
        labels,
        failureDomain,
        memoryReserveMib,
        cpuOvercommit);
  }
}
