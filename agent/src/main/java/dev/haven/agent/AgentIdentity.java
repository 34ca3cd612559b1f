package dev.haven.agent;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.SystemUuid;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who beats and reports: this host, its boot, this run of the agent.
 *
 * @param key 32 random bytes; signs the heartbeats of this process
 * @param systemUuid the machine's own; empty if it has none that tells it from others
 */
record AgentIdentity(
    HostId host, BootId boot, ProcessId process, byte[] key, Optional<String> systemUuid) {
  private static final Logger log = LoggerFactory.getLogger(AgentIdentity.class);

  /** Readable by root alone. libvirt's UUID is no evidence: without this one it draws its own. */
  static final Path SMBIOS = Path.of("/sys/class/dmi/id/product_uuid");

  /** Of a machine whose firmware says this; empty if it says nothing that tells machines apart. */
  static Optional<String> systemUuid(Path smbios) {
    try {
      return SystemUuid.usable(Files.readString(smbios));
    } catch (IOException e) {
      log.info("this machine tells no system UUID: {}", e.toString());
      return Optional.empty();
    }
  }

  static AgentIdentity draw(HostId host, Path bootIdFile, Optional<String> systemUuid)
      throws IOException {
    var boot = Files.readString(bootIdFile).strip();
    var random = new SecureRandom();
    var process = new byte[8];
    var key = new byte[32];
    random.nextBytes(process);
    random.nextBytes(key);
    return new AgentIdentity(
        host, new BootId(boot), new ProcessId(HexFormat.of().formatHex(process)), key, systemUuid);
  }
}
