package dev.haven.agent;

import dev.haven.model.HostId;
import dev.haven.model.Network;
import dev.haven.model.config.TlsFiles;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Watchdog;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The agent's configuration file.
 *
 * @param host this host's name in the cluster, also its certificate's
 * @param data a directory of this agent alone; what it has promised to refuse is kept there
 * @param libvirt libvirt's URI, such as {@code qemu:///system}
 * @param networks this host's, with its own address in each; heartbeats use all of them
 * @param bootIdFile where this boot's id is read; the kernel's own by default
 * @param heartbeatPort UDP port of the voters, 1 to 65535
 * @param voters all of the cluster
 * @param unsafeMigration tells libvirt not to check whether the guests' storage is safe to migrate
 *     on; only for storage that is shared in a way that libvirt does not see. False by default
 * @param watchdog resets this host when nobody feeds it; none by default
 * @param sbd disks on which others may tell this host to end; needs a watchdog. None by default
 * @param run where leases are kept for the next process of this agent: lost with the host's memory.
 *     /run/haven-agent by default
 * @param standInUuid stands in for the machine's SMBIOS UUID where several hosts are namespaces of
 *     one machine, as in the lab; never on a machine of its own. None by default
 */
record AgentSettings(
    HostId host,
    Path data,
    String libvirt,
    List<Network> networks,
    Optional<Path> bootIdFile,
    int heartbeatPort,
    List<VoterAddress> voters,
    TlsFiles tls,
    Optional<Boolean> unsafeMigration,
    Optional<WatchdogSettings> watchdog,
    Optional<SbdSettings> sbd,
    Optional<Path> run,
    Optional<String> standInUuid) {
  static final Path RUN = Path.of("/run/haven-agent");

  /**
   * @param timeoutSeconds 10 to 60; 10 by default. An agent that is stopped for 8 s costs nothing
   */
  record WatchdogSettings(Watchdog.Kind kind, Path device, Optional<Integer> timeoutSeconds) {
    WatchdogSettings {
      timeoutSeconds.ifPresent(
          s -> {
            if (s < 10 || s > 60) {
              throw new IllegalArgumentException(
                  "timeoutSeconds %d: must be 10 to 60: the agent feeds it several times a second, and others wait for it"
                      .formatted(s));
            }
          });
    }

    Duration timeout() {
      return Duration.ofSeconds(timeoutSeconds.orElse(10));
    }
  }

  /**
   * @param disks one to three, the same as those of this host's fencing device of kind {@code sbd}
   * @param slot the name that this host has on them
   */
  record SbdSettings(List<Path> disks, String slot) {
    SbdSettings {
      disks = List.copyOf(disks);
      if (disks.isEmpty()
          || disks.size() > 3
          || Set.copyOf(disks).size() < disks.size()
          || !disks.stream().allMatch(Path::isAbsolute)) {
        throw new IllegalArgumentException(
            "sbd: disks %s: give one to three different paths, such as /dev/disk/by-id/scsi-1"
                .formatted(disks));
      }
      if (slot.isBlank()) {
        throw new IllegalArgumentException("sbd: slot is empty: give the host's name at sbd");
      }
    }
  }

  static final Path KERNELS_BOOT_ID = Path.of("/proc/sys/kernel/random/boot_id");

  AgentSettings {
    networks = List.copyOf(networks);
    voters = List.copyOf(voters);
    if (heartbeatPort < 1 || heartbeatPort > 65_535) {
      throw new IllegalArgumentException(
          "heartbeatPort %d: must be 1 to 65535".formatted(heartbeatPort));
    }
    if (sbd.isPresent() && watchdog.isEmpty()) {
      throw new IllegalArgumentException(
          "sbd: needs a watchdog: without one, a host that cannot read its disks would live on");
    }
    unique("network", networks.stream().map(Network::name).toList());
    unique("voter", voters.stream().map(VoterAddress::name).toList());
    var own = networks.stream().map(Network::name).collect(Collectors.toSet());
    if (voters.stream().noneMatch(v -> v.networks().keySet().stream().anyMatch(own::contains))) {
      throw new IllegalArgumentException(
          "no voter has an address in one of this host's networks (%s): nobody would hear it"
              .formatted(String.join(", ", own)));
    }
  }

  private static void unique(String what, List<String> names) {
    if (names.isEmpty()) {
      throw new IllegalArgumentException("at least one %s is needed".formatted(what));
    }
    var seen = new HashSet<String>();
    for (var name : names) {
      if (!seen.add(name)) {
        throw new IllegalArgumentException("%s '%s' is there twice".formatted(what, name));
      }
    }
  }
}
