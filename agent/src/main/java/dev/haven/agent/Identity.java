package dev.haven.agent;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.HexFormat;

/**
 * Who beats and reports: this host, its boot, this run of the agent.
 *
 * @param key 32 random bytes; signs the heartbeats of this process
 */
record Identity(HostId host, BootId boot, ProcessId process, byte[] key) {
  static Identity draw(HostId host, Path bootIdFile) throws IOException {
    var boot = Files.readString(bootIdFile).strip();
    var random = new SecureRandom();
    var process = new byte[8];
    var key = new byte[32];
    random.nextBytes(process);
    random.nextBytes(key);
    return new Identity(
        host, new BootId(boot), new ProcessId(HexFormat.of().formatHex(process)), key);
  }
}
