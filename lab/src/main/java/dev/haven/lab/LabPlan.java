package dev.haven.lab;

import dev.haven.model.HostId;
import dev.haven.tls.Role;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Pure: every name, address and file of a lab follows from its number and its directory, so that
 * two labs cannot collide and whatever an interrupted command left can be found.
 *
 * @param number 0 to {@link #MAX_NUMBER}; decides names and subnets
 * @param hosts how many, 1 to 26
 * @param watchdogs whether each has a watchdog, which resets it when its agent does not feed it
 * @param witness whether there is one more voter, on a machine without libvirt and agent
 * @param form what the hosts are
 */
record LabPlan(
    int number, Path directory, int hosts, boolean watchdogs, boolean witness, LabForm form) {
  static final String CONTROL = "control";
  static final String MIGRATION = "migration";
  static final List<String> NETWORKS = List.of(CONTROL, MIGRATION);

  /** Two subnets a lab, the third octet at most 252. */
  static final int MAX_NUMBER = 125;

  /** A JVM starts within it, also on a busy machine. */
  static final int WATCHDOG_SECONDS = 15;

  /** What a whole machine is given, in MiB: 1024 of a host are kept from guests. */
  static final int MACHINE_MIB = 1536;

  static final int WITNESS_MIB = 640;

  static final int BMC_FIRST_PORT = 9101;
  static final int API_PORT = 7700;
  static final int HEARTBEAT_PORT = 7701;
  static final int RAFT_PORT = 7702;

  /** Of the source of packages that bare machines have. */
  static final int PACKAGES_PORT = 8079;

  static final int LIBVIRT_TCP_PORT = 16509;

  /** The machine that runs no guests; after the last host that there can be. */
  static final HostId WITNESS = new HostId("wit");

  private static final int WITNESS_INDEX = 26;

  /** Begins the name of every namespace, link and bridge of lab {@code number}. */
  static String prefix(int number) {
    return "hv" + number + "-";
  }

  /** For example 10.77.1, of which the bridge has .254 and the hosts .1, .2, … */
  static String subnet(int number, String network) {
    return "10.77." + (2 * number + 1 + NETWORKS.indexOf(network));
  }

  static String controlGroup(int number) {
    return "haven-lab-" + number;
  }

  static String nftTable(int number) {
    return "haven_lab_" + number;
  }

  String prefix() {
    return prefix(number);
  }

  String bridge(String network) {
    return prefix() + network;
  }

  String bridgeAddress(String network) {
    return subnet(number, network) + ".254";
  }

  /** Fixed, as else it would follow the ports and leave the hosts with a wrong neighbour table. */
  String bridgeMac(String network) {
    return "02:48:56:%02x:%02x:fe".formatted(number, NETWORKS.indexOf(network));
  }

  /** The end of a host's link that is outside of it; the kernel allows 15 letters. */
  String port(HostId host, String network) {
    return prefix() + host + "-" + network.substring(0, 3);
  }

  List<HostId> hostIds() {
    return IntStream.range(0, hosts).mapToObj(LabPlan::hostId).toList();
  }

  private static HostId hostId(int index) {
    return new HostId(Character.toString('a' + index));
  }

  List<LabHost> labHosts() {
    return IntStream.range(0, hosts).mapToObj(this::labHost).toList();
  }

  /** All that has a network stack and processes of its own: the hosts, and the witness. */
  List<LabHost> machines() {
    return witness
        ? Stream.concat(labHosts().stream(), Stream.of(labHost(WITNESS_INDEX, WITNESS))).toList()
        : labHosts();
  }

  private LabHost labHost(int index) {
    return labHost(index, hostId(index));
  }

  private LabHost labHost(int index, HostId id) {
    var addresses = new LinkedHashMap<String, String>();
    NETWORKS.forEach(n -> addresses.put(n, subnet(number, n) + "." + (index + 1)));
    var home = directory.resolve("hosts").resolve(id.value());
    var bmc =
        new LabHost.Bmc(
            bridgeAddress(CONTROL),
            BMC_FIRST_PORT + index,
            "admin",
            home.resolve("bmc/admin.password"),
            "viewer",
            home.resolve("bmc/viewer.password"));
    return new LabHost(id, uuid(id), addresses, bmc, home);
  }

  /**
   * The same at every {@code up} of the same lab, as a machine keeps its own.
   *
   * <p>A device's GUID comes in one of three byte orders, and ipmitool goes by the version digit to
   * tell which. The two F make sure that this one reads as a UUID in the order it is written, only.
   */
  private UUID uuid(HostId id) {
    var uuid =
        UUID.nameUUIDFromBytes(
            ("haven lab " + directory + " host " + id).getBytes(StandardCharsets.UTF_8));
    return new UUID(
        uuid.getMostSignificantBits() | 0xF0L, uuid.getLeastSignificantBits() | 0x00F0L << 48);
  }

  /** Sourced by the host's scripts. */
  String hostEnvironment(LabHost host, Path controlGroup) {
    boolean isWitness = host.id().equals(WITNESS) && witness;
    var index = isWitness ? WITNESS_INDEX : hostIds().indexOf(host.id());
    var text = new StringBuilder();
    text.append("LAB=").append(directory).append('\n');
    text.append("HOST=").append(host.id()).append('\n');
    text.append("NAMESPACE=").append(prefix()).append(host.id()).append('\n');
    text.append("BRIDGE_PREFIX=").append(prefix()).append('\n');
    text.append("CGROUP=").append(controlGroup).append('\n');
    text.append("WATCHDOG=").append(watchdogs ? WATCHDOG_SECONDS : "").append('\n');
    text.append("WITNESS=").append(isWitness ? "yes" : "").append('\n');
    if (form.whole()) {
      text.append("MEMORY=").append(isWitness ? WITNESS_MIB : MACHINE_MIB).append('\n');
    }
    text.append("NETWORKS='").append(String.join(" ", NETWORKS)).append("'\n");
    for (var network : NETWORKS) {
      text.append("PORT_%s=%s\n".formatted(network, port(host.id(), network)));
      text.append("ADDRESS_%s=%s\n".formatted(network, host.addresses().get(network)));
      text.append(
          "MAC_%s=02:48:56:%02x:%02x:%02x\n"
              .formatted(network, number, NETWORKS.indexOf(network), index + 1));
    }
    return text.toString();
  }

  /** What /etc/hosts says inside every host. */
  String hostsFile() {
    return machines().stream()
        .map(h -> h.control() + " " + h.id())
        .collect(Collectors.joining("\n", "127.0.0.1 localhost\n", "\n"));
  }

  /** Appended to the distribution's libvirtd.conf. */
  static String libvirtdConf(LabHost host) {
    return """

    # The lab's own: plain TCP between namespaces of one machine, for live migration.
    listen_tls = 0
    listen_tcp = 1
    auth_tcp = "none"
    listen_addr = "0.0.0.0"
    host_uuid = "%s"
    """
        .formatted(host.uuid());
  }

  /**
   * Appended to the distribution's qemu.conf. Consoles are written by QEMU itself, without
   * virtlogd.
   */
  static String qemuConf(LabHost host) {
    return """

    # The lab's own: one user, no confinement, no control groups inside the namespaces.
    user = "root"
    group = "root"
    cgroup_controllers = []
    security_driver = "none"
    remember_owner = 0
    namespaces = []
    stdio_handler = "file"
    migration_host = "%s"
    """
        .formatted(host.migration());
  }

  /** The configuration and the commands of a host's {@code ipmi_sim}. */
  static String bmcLanConf(
      LabHost host, String adminPassword, String viewerPassword, boolean identity) {
    var authentication =
        List.of("callback", "user", "operator", "admin").stream()
            .map(level -> "  allowed_auths_" + level + " none md2 md5 straight\n")
            .collect(Collectors.joining());
    return """
    name "%s"
    set_working_mc 0x20
    startlan 1
      addr %s %d
      priv_limit admin
    %s  guid %s
    endlan
    chassis_control "%s/bmc/control 0x20"
    user 2 true "%s" "%s" admin 10 none md2 md5 straight
    user 3 true "%s" "%s" user 10 none md2 md5 straight
    """
        .formatted(
            host.id(),
            host.bmc().address(),
            host.bmc().port(),
            authentication,
            guid(host, identity),
            host.directory(),
            host.bmc().user(),
            adminPassword,
            host.bmc().plainUser(),
            viewerPassword);
  }

  static String bmcCommands(LabHost host, boolean identity) {
    return """
    mc_setbmc 0x20
    mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
    mc_set_guid 0x20 %s
    mc_enable 0x20
    """
        .formatted(guid(host, identity));
  }

  /** All zeros for one that has none: {@code ipmi_sim} answers nobody without one. */
  private static String guid(LabHost host, boolean identity) {
    return identity ? host.uuid().toString().replace("-", "") : "0".repeat(32);
  }

  /** Drops what is sent to the BMCs whose port is in the set. */
  String nftRules() {
    var table = "inet " + nftTable(number);
    return """
    add table %1$s
    add set %1$s hung { type inet_service; }
    add chain %1$s input { type filter hook input priority 0; policy accept; }
    flush chain %1$s input
    add rule %1$s input ip daddr %2$s udp dport @hung drop
    """
        .formatted(table, bridgeAddress(CONTROL));
  }

  private static final String NETWORKS_YAML = "networks: {control: %s, migration: %s}";

  private static String networks(LabHost host) {
    return NETWORKS_YAML.formatted(host.control(), host.migration());
  }

  private String voters() {
    return machines().stream()
        .map(
            h ->
                "  - {name: %s, raft: \"%s:%d\", api: \"%s:%d\", %s%s}\n"
                    .formatted(
                        h.id(),
                        h.control(),
                        RAFT_PORT,
                        h.control(),
                        API_PORT,
                        networks(h),
                        witness && h.id().equals(WITNESS) ? ", witness: true" : ""))
        .collect(Collectors.joining("", "voters:\n", ""));
  }

  private static String tls(Path certificates, Role role, String name) {
    var file = role.fileOf(name);
    return "tls: {ca: %s/ca.pem, certificate: %s/%s.pem, key: %s/%s.key}\n"
        .formatted(certificates, certificates, file, certificates, file);
  }

  /**
   * Where a host has what its daemons need, as its own processes see it.
   *
   * @param socket where root of the machine finds its voter
   * @param bootIdFile where this boot's id stands, unless the kernel's own does
   */
  private record Places(
      String voterData,
      String agentData,
      Path certificates,
      Optional<Path> socket,
      Optional<String> bootIdFile) {}

  private static final Path ETC = Path.of("/etc/haven");

  private Places places(LabHost host) {
    return form.whole()
        ? new Places(
            "/var/lib/haven/voter",
            "/var/lib/haven-agent",
            ETC,
            Optional.of(Path.of("/run/haven/orchestrator.sock")),
            Optional.empty())
        : new Places(
            host.directory() + "/data/orchestrator",
            host.directory() + "/data/agent",
            certificates(),
            socket(host),
            Optional.of("bootIdFile: /run/haven-boot-id\n"));
  }

  /** Where a voter reads the password of this host's BMC. */
  Path bmcPassword(LabHost host) {
    return form.whole() ? ETC.resolve("bmc-" + host.id()) : host.bmc().passwordFile();
  }

  /** How a host is cut off for good: a tap that was down once does not come back. */
  String unplugged() {
    return form.whole() ? "nomaster" : "down";
  }

  Path sshConfig() {
    return directory.resolve("ssh/config");
  }

  /** Where the guests' disks and consoles are. */
  Path shared() {
    return directory.resolve("shared");
  }

  Path cliConfig() {
    return directory.resolve("cli.yaml");
  }

  Path secretsKey() {
    return certificates().resolve("secrets.key");
  }

  Path certificates() {
    return directory.resolve("tls");
  }

  /** The voters' list is what founds a new cluster; once there is one, its log says who votes. */
  String orchestratorYaml(LabHost host) {
    var places = places(host);
    return "name: %s\ndata: %s\nlisten: %s:%d\n%sheartbeatPort: %d\n%s\n"
            .formatted(
                host.id(),
                places.voterData(),
                host.control(),
                API_PORT,
                places.socket().map(path -> "socket: " + path + "\n").orElse(""),
                HEARTBEAT_PORT,
                networks(host))
        + (hosts == 2 && !witness
            ? places.bootIdFile().orElse("")
                + "alone: {pingTargets: [%s]}\n".formatted(bridgeAddress(CONTROL))
            : "")
        + voters()
        + "secretsKey: %s\n".formatted(places.certificates().resolve("secrets.key"))
        + tls(places.certificates(), Role.VOTER, host.id().value());
  }

  String agentYaml(LabHost host) {
    var places = places(host);
    return """
    host: %s
    data: %s
    libvirt: qemu:///system
    %sstandInUuid: %s
    unsafeMigration: true
    heartbeatPort: %d
    networks:
      - {name: control, address: %s, roles: [control]}
      - {name: migration, address: %s, roles: [migration, replication]}
    """
            .formatted(
                host.id(),
                places.agentData(),
                places.bootIdFile().orElse(""),
                host.uuid(),
                HEARTBEAT_PORT,
                host.control(),
                host.migration())
        + (watchdogs
            ? "watchdog: {kind: lab, device: %s/watchdog, timeoutSeconds: %d}\n"
                .formatted(host.directory(), WATCHDOG_SECONDS)
            : "")
        + voters()
        + tls(places.certificates(), Role.HOST, host.id().value());
  }

  /** The first voter's socket stands first, as on a host that is a voter itself. */
  String cliYaml() {
    return Stream.concat(
                (form.whole() ? Optional.<Path>empty() : socket(machines().getFirst()))
                    .stream().map(Path::toString),
                machines().stream().map(h -> h.control() + ":" + API_PORT))
            .map(voter -> "\"" + voter + "\"")
            .collect(Collectors.joining(", ", "voters: [", "]\n"))
        + tls(certificates(), Role.OPERATOR, "admin");
  }

  /** Where this machine's root finds the voter; empty if the lab's directory is too far down. */
  private static Optional<Path> socket(LabHost host) {
    var path = host.directory().resolve("voter.sock");
    return path.toString().length() <= SOCKET_PATH_MAX ? Optional.of(path) : Optional.empty();
  }

  /** What the kernel's address of a Unix socket has room for. */
  private static final int SOCKET_PATH_MAX = 107;

  /** So that a witness fits into 128 MiB: docs/operations.md. */
  private static final String WITNESS_MEMORY =
      "-Xmx32m -XX:ReservedCodeCacheSize=20m -XX:MaxDirectMemorySize=16m";

  /** The daemons' command lines, as shell functions for the host's supervisor. */
  static String daemonsScript(LabHost host, String java, List<Path> jars) {
    var classPath = jars.stream().map(Path::toString).collect(Collectors.joining(":"));
    // No performance data files: hosts share /tmp but not their pids, and would share the files.
    var flags =
        "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xss512k -XX:-UsePerfData"
            + " -XX:+ExitOnOutOfMemoryError --enable-native-access=ALL-UNNAMED"
            + " -Djava.net.preferIPv4Stack=true '-Djdk.serialFilter=!*'"
            // ./haven makes the caches (cli/src/build/train-daemons); without them a start takes
            // longer
            + " -Xlog:aot=off -Xlog:cds=off";
    var caches = jars.getFirst().resolveSibling("..").normalize();
    return """
    export LANG=C.UTF-8
    CLASSPATH_OF_HAVEN='%1$s'
    orchestrator() { exec %2$s %3$s %6$s -XX:AOTCache='%5$s/orchestrator.aot' -cp "$CLASSPATH_OF_HAVEN" dev.haven.orchestrator.Orchestrator %4$s/etc/orchestrator.yaml; }
    agent() { exec %2$s %3$s -Xms8m -Xmn4m -Xmx48m -XX:AOTCache='%5$s/agent.aot' -cp "$CLASSPATH_OF_HAVEN" dev.haven.agent.Agent %4$s/etc/agent.yaml; }
    """
        .formatted(
            classPath,
            java,
            flags,
            host.directory(),
            caches,
            host.id().equals(WITNESS) ? WITNESS_MEMORY : "-Xmx96m");
  }
}
