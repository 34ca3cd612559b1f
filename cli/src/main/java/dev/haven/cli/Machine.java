package dev.haven.cli;

import dev.haven.model.Names;
import dev.haven.model.Network;
import dev.haven.model.config.VoterAddress;
import dev.haven.model.wire.Join;
import dev.haven.tls.Role;
import java.io.IOException;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** This machine as {@code haven init} and {@code haven join} set it up: options and file names. */
final class Machine {
  /** Whom the packaged orchestrator runs as. */
  static final Optional<String> HAVEN = Optional.of("haven");

  @Option(
      names = "--name",
      paramLabel = "NAME",
      description = "What the cluster calls this machine. Default: its host name.")
  @Nullable String named;

  @Option(
      names = "--network",
      paramLabel = "NAME=ADDRESS[:ROLE,…]",
      description = {
        "This machine's address in a network; repeat it for each. Networks have the same names on",
        "all machines. Roles are control, migration and replication. Default: control=ADDRESS."
      })
  List<String> networks = List.of();

  @Option(
      names = "--libvirt",
      paramLabel = "URI",
      description = "Where the agent finds libvirt. Default: qemu:///system.")
  String libvirt = "qemu:///system";

  @Option(
      names = "--no-start",
      description = "Do not start the services; else systemd is asked to, where it runs.")
  boolean noStart;

  @Option(
      names = "--replace",
      description = "Move files of an earlier cluster to FILE.old. Nothing is deleted.")
  boolean replace;

  @Option(
      names = "--directory",
      paramLabel = "DIRECTORY",
      description = "Where settings and certificates go. Default: /etc/haven.")
  Path etc = Path.of("/etc/haven");

  @Option(
      names = "--data",
      paramLabel = "DIRECTORY",
      description = "Below it the daemons keep their data. Default: /var/lib.")
  Path data = Path.of("/var/lib");

  @Option(
      names = "--run",
      paramLabel = "DIRECTORY",
      description = "Below it the voter has its socket. Default: /run.")
  Path run = Path.of("/run");

  @Option(
      names = "--api-port",
      paramLabel = "PORT",
      description = "TCP, for clients and agents. Default: 7700.")
  int apiPort = 7700;

  @Option(
      names = "--raft-port",
      paramLabel = "PORT",
      description = "TCP, for the other voters. Default: 7702.")
  int raftPort = 7702;

  @Option(names = "--dry-run", description = "Say what would be written, and write nothing.")
  boolean dryRun;

  /** Which cluster it belongs to, as the settings have it. */
  record House(String cluster, int heartbeatPort, int joinPort, List<VoterAddress> voters) {}

  Path ca() {
    return etc.resolve("ca.pem");
  }

  /** Until the cluster has it in its log. */
  Path caKey() {
    return data.resolve("haven").resolve("ca.key");
  }

  Path secretsKey() {
    return etc.resolve("secrets.key");
  }

  Path certificate(Role role) {
    return etc.resolve(role.fileOf(name()) + ".pem");
  }

  Path key(Role role) {
    return etc.resolve(role.fileOf(name()) + ".key");
  }

  Path orchestratorYaml() {
    return etc.resolve("orchestrator.yaml");
  }

  Path agentYaml() {
    return etc.resolve("agent.yaml");
  }

  /** Where the voter's log is. */
  Path voterData() {
    return data.resolve("haven").resolve("voter");
  }

  Path socket() {
    return run.resolve("haven").resolve("orchestrator.sock");
  }

  String name() {
    var name = named == null ? hostName() : named;
    Names.check("machine", name);
    return name;
  }

  private static String hostName() {
    try {
      var name = Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
      int dot = name.indexOf('.');
      return dot > 0 ? name.substring(0, dot) : name;
    } catch (IOException e) {
      throw new Stop(Exit.USAGE, "this machine's host name cannot be read; give --name NAME");
    }
  }

  /** This machine's networks. */
  List<Network> networks(String address) {
    if (networks.isEmpty()) {
      return List.of(new Network("control", address, List.of(Network.Role.CONTROL)));
    }
    return networks.stream().map(HostOptions::network).toList();
  }

  VoterAddress voter(String address, boolean witness) {
    return new VoterAddress(
        name(),
        place(address, raftPort),
        place(address, apiPort),
        networks(address).stream()
            .collect(Collectors.toMap(Network::name, Network::address, (first, _) -> first)),
        witness ? Optional.of(true) : Optional.empty());
  }

  static String place(String address, int port) {
    return (address.contains(":") && !address.startsWith("[") ? "[" + address + "]" : address)
        + ":"
        + port;
  }

  /**
   * @throws Stop if it is an address, and not one of this machine
   */
  static void mustBeHere(String address) {
    try {
      var ip = InetAddress.getByName(address);
      if (!ip.isLoopbackAddress() && NetworkInterface.getByInetAddress(ip) == null) {
        throw new Stop(
            Exit.USAGE,
            "%s is no address of this machine; give one that the others reach it by: --address"
                .formatted(address));
      }
    } catch (UnknownHostException e) {
      throw new Stop(Exit.USAGE, "address '%s' is none, and has none".formatted(address));
    } catch (SocketException e) {
      throw new Stop(Exit.FAILED, "this machine's addresses cannot be read: " + e.getMessage());
    }
  }

  /** {@code orchestrator.yaml}. */
  String orchestratorYaml(House house, String address, boolean makesCluster) {
    var lines = new ArrayList<String>();
    lines.add("# One voter; written by haven %s.".formatted(makesCluster ? "init" : "join"));
    lines.add("cluster: \"%s\"".formatted(house.cluster()));
    lines.add("name: \"%s\"".formatted(name()));
    lines.add("data: %s".formatted(voterData()));
    lines.add("listen: \"%s\"".formatted(place(address, apiPort)));
    lines.add("socket: %s".formatted(socket()));
    lines.add("heartbeatPort: %d".formatted(house.heartbeatPort()));
    lines.add("joinPort: %d".formatted(house.joinPort()));
    var own = new TreeMap<String, String>();
    networks(address).forEach(n -> own.put(n.name(), n.address()));
    lines.add("networks: %s".formatted(map(own)));
    lines.add("secretsKey: %s".formatted(secretsKey()));
    if (makesCluster) {
      lines.add("caKey: %s   # taken into the log, and removed".formatted(caKey()));
    }
    addVoters(lines, house.voters());
    lines.add(tls(Role.VOTER));
    return String.join("\n", lines) + "\n";
  }

  /** {@code agent.yaml}. */
  String agentYaml(House house, String address) {
    var lines = new ArrayList<String>();
    lines.add("# The agent of this host. See agent.yaml in /usr/share/doc/haven/examples.");
    lines.add("host: \"%s\"".formatted(name()));
    lines.add("data: %s".formatted(data.resolve("haven-agent")));
    lines.add("libvirt: \"%s\"".formatted(libvirt));
    lines.add("heartbeatPort: %d".formatted(house.heartbeatPort()));
    lines.add("networks:");
    for (var network : networks(address)) {
      lines.add(
          "  - {name: \"%s\", address: \"%s\", roles: [%s]}"
              .formatted(
                  network.name(),
                  network.address(),
                  network.roles().stream()
                      .map(role -> role.name().toLowerCase(java.util.Locale.ROOT))
                      .collect(Collectors.joining(", "))));
    }
    addVoters(lines, house.voters());
    lines.add(tls(Role.HOST));
    lines.add("# watchdog: {kind: hardware, device: /dev/watchdog0}");
    return String.join("\n", lines) + "\n";
  }

  private static void addVoters(List<String> lines, List<VoterAddress> voters) {
    lines.add("voters:");
    for (var voter : voters) {
      lines.add(
          "  - {name: \"%s\", raft: \"%s\", api: \"%s\", networks: %s%s}"
              .formatted(
                  voter.name(),
                  voter.raft(),
                  voter.api(),
                  map(voter.networks()),
                  voter.witness().orElse(false) ? ", witness: true" : ""));
    }
  }

  private static String map(Map<String, String> map) {
    return new TreeMap<>(map)
        .entrySet().stream()
            .map(e -> "\"%s\": \"%s\"".formatted(e.getKey(), e.getValue()))
            .collect(Collectors.joining(", ", "{", "}"));
  }

  private String tls(Role role) {
    return "tls: {ca: %s, certificate: %s, key: %s}".formatted(ca(), certificate(role), key(role));
  }

  /** As a newcomer has it where no voter said otherwise. */
  static final int JOIN_PORT = Join.PORT;

  /**
   * Asks systemd to start a service of ours.
   *
   * @return whether it was asked; not where it does not run, or has no such service
   * @throws Stop if the service does not come up
   */
  boolean start(Haven haven, String service) {
    if (noStart
        || dryRun
        || !Files.isDirectory(Path.of("/run/systemd/system"))
        || !Files.exists(Path.of("/usr/lib/systemd/system", service + ".service"))
        || !etc.equals(Path.of("/etc/haven"))) {
      return false;
    }
    try {
      var started =
          new ProcessBuilder("systemctl", "start", service).redirectErrorStream(true).start();
      var said = new String(started.getInputStream().readAllBytes()).strip();
      if (started.waitFor() != 0) {
        throw new Stop(
            Exit.FAILED,
            "%s does not start (%s); systemctl status %s says why. Run the same command again then"
                .formatted(service, said, service));
      }
      haven.print("started " + service);
      return true;
    } catch (IOException e) {
      throw new Stop(Exit.FAILED, "systemctl cannot be run: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Stop(Exit.INTERRUPTED, "interrupted");
    }
  }
}
