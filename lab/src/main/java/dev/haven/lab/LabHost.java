package dev.haven.lab;

import dev.haven.model.HostId;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;

/**
 * One host of a lab.
 *
 * @param uuid what its libvirt and its BMC both report
 * @param addresses its IPv4 address in each network, by the network's name
 * @param bmc how to reach its BMC
 * @param directory its disk: survives a power cut
 */
public record LabHost(
    HostId id, UUID uuid, Map<String, String> addresses, Bmc bmc, Path directory) {

  /**
   * A virtual BMC. It answers no cipher suite query: clients name suite 3.
   *
   * @param user may switch power; {@code plainUser} may only look
   * @param passwordFile readable by its owner only
   */
  public record Bmc(
      String address,
      int port,
      String user,
      Path passwordFile,
      String plainUser,
      Path plainPasswordFile) {}

  /** The address over which orchestrators and agents talk. */
  public String control() {
    return address(LabPlan.CONTROL);
  }

  /** The address over which guests migrate. */
  public String migration() {
    return address(LabPlan.MIGRATION);
  }

  private String address(String network) {
    var address = addresses.get(network);
    if (address == null) {
      throw new IllegalStateException("host " + id + " has no address in network " + network);
    }
    return address;
  }
}
