package dev.haven.orchestrator;

import dev.haven.model.config.Settings;
import dev.haven.model.config.TlsFiles;
import dev.haven.model.config.VoterAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * {@code orchestrator.yaml}.
 *
 * @param cluster its name, for people
 * @param name this voter's name, one of {@code voters}
 * @param data where the log is kept; its own directory, on a disk that tells the truth about fsync
 * @param listen {@code address:port} for clients, agents and the other voters' forwarding
 * @param heartbeatPort UDP, on each address of {@code networks}
 * @param networks this voter's own address in each network docs/operations.md
 * @param secretsKey the key that seals the secrets of fencing devices in the log, the same on every
 *     voter
 */
record OrchestratorConfig(
    Optional<String> cluster,
    String name,
    Path data,
    String listen,
    int heartbeatPort,
    Map<String, String> networks,
    List<VoterAddress> voters,
    TlsFiles tls,
    Optional<Path> secretsKey) {
  OrchestratorConfig {
    SealedSecrets.with(secretsKey); // a wrong key is told now, not at the first fence
    Settings.socketAddress(listen);
    var own = name;
    if (voters.stream().noneMatch(v -> v.name().equals(own))) {
      throw new IllegalArgumentException(
          "name: %s is none of the voters %s"
              .formatted(name, voters.stream().map(VoterAddress::name).toList()));
    }
    if (networks.isEmpty()) {
      throw new IllegalArgumentException(
          "networks: needs at least one, such as control: 192.0.2.1");
    }
  }

  VoterAddress self() {
    return voters.stream().filter(v -> v.name().equals(name)).findFirst().orElseThrow();
  }
}
