package dev.haven.agent.libvirt;

import com.sun.jna.ptr.LongByReference;
import dev.haven.agent.guest.Hypervisor.HostReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeSet;
import java.util.UUID;
import java.util.regex.Pattern;
import org.libvirt.jna.virNodeInfo;

/** What does not change about this host while its libvirtd runs. */
record HostFacts(
    UUID uuid,
    long memoryMib,
    int cpus,
    String architecture,
    String cpuModel,
    String cpuXml,
    String libvirtVersion,
    String hypervisor,
    String hypervisorVersion,
    List<String> machines) {
  private static final Pattern MACHINE = Pattern.compile("<machine(\\s[^>]*)?>([^<]+)</machine>");

  static HostFacts read(Session session) throws LibvirtError {
    var api = session.api();
    var connection = session.connection();
    var node = new virNodeInfo();
    session.check(api.virNodeGetInfo(connection, node));
    var version = new LongByReference();
    session.check(api.virConnectGetLibVersion(connection, version));
    var hypervisorVersion = new LongByReference();
    session.check(api.virConnectGetVersion(connection, hypervisorVersion));
    var xml = session.text(api.virConnectGetCapabilities(connection));
    var uuid = part(xml, "(?<=<uuid>)[0-9a-fA-F-]{36}");
    var cpu = part(xml, "(?s)<cpu>.*?</cpu>");
    var architecture = part(cpu, "(?<=<arch>)[^<]*");
    return new HostFacts(
        uuid.isEmpty() ? new UUID(0, 0) : UUID.fromString(uuid),
        node.memory.longValue() / 1024,
        node.cpus,
        architecture,
        part(cpu, "(?<=<model>)[^<]*"),
        cpu,
        dotted(version.getValue()),
        api.virConnectGetType(connection),
        dotted(hypervisorVersion.getValue()),
        machines(xml, architecture));
  }

  /** Versioned ones of its own architecture; an alias names the type that it stands for. */
  static List<String> machines(String capabilities, String architecture) {
    var own =
        part(
            capabilities,
            "(?s)<os_type>hvm</os_type>\\s*<arch name='"
                + Pattern.quote(architecture)
                + "'>.*?</arch>");
    var found = new TreeSet<String>();
    var machine = MACHINE.matcher(own);
    while (machine.find()) {
      var attributes = machine.group(1) == null ? "" : machine.group(1);
      if (!attributes.contains("canonical=")) {
        found.add(machine.group(2));
      }
    }
    return List.copyOf(found);
  }

  HostReport report(Session session, Driver driver) throws LibvirtError {
    var memory = memory(session, driver);
    return new HostReport(
        uuid,
        memory.totalMib,
        memory.freeMib,
        cpus,
        architecture,
        cpuModel,
        cpuXml,
        libvirtVersion,
        hypervisor,
        hypervisorVersion,
        session.each(Native.LIST_AUTOSTART, domain -> session.api().virDomainGetName(domain)),
        driver.features(),
        machines);
  }

  private record Memory(long totalMib, long freeMib) {}

  private Memory memory(Session session, Driver driver) throws LibvirtError {
    if (driver == Driver.QEMU) {
      // the agent shares its kernel with QEMU, and that kernel knows what its caches would give
      // back
      try {
        var meminfo = Files.readString(Path.of("/proc/meminfo"));
        return new Memory(
            Long.parseLong(part(meminfo, "(?<=MemTotal:)\\s+\\d+").strip()) / 1024,
            Long.parseLong(part(meminfo, "(?<=MemAvailable:)\\s+\\d+").strip()) / 1024);
      } catch (IOException | NumberFormatException e) {
        // libvirt's figures then, which leave the caches out
      }
    }
    var bytes = session.api().virNodeGetFreeMemory(session.connection());
    if (bytes == 0) {
      throw session.lastError();
    }
    return new Memory(memoryMib, bytes >> 20);
  }

  private static String part(String xml, String pattern) {
    var matcher = Pattern.compile(pattern).matcher(xml);
    return matcher.find() ? matcher.group() : "";
  }

  /** libvirt packs versions as major × 1,000,000 + minor × 1,000 + release. */
  private static String dotted(long version) {
    return version / 1_000_000 + "." + version / 1000 % 1000 + "." + version % 1000;
  }
}
