package dev.haven.orchestrator;

import dev.haven.model.config.Settings;
import dev.haven.model.config.TlsFiles;
import dev.haven.model.config.VoterAddress;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * {@code orchestrator.yaml}.
 *
 * @param cluster its name, for people
 * @param name this voter's name, one of {@code voters}
 * @param data where the log is kept; its own directory, on a disk that tells the truth about fsync
 * @param listen {@code address:port} for clients, agents and the other voters' forwarding
 * @param socket where this machine's root finds the same API without TLS, a path of at most 107
 *     bytes; nowhere if empty
 * @param heartbeatPort UDP, on each address of {@code networks}
 * @param networks this voter's own address in each network docs/operations.md
 * @param alone what this voter needs to go on alone where there are two; empty if it never does
 * @param joinPort TCP, at the address of {@code listen}, while a join token is out; the same on
 *     every voter. Nobody can join where it is empty
 * @param caKey the key of the cluster's certificate authority: it is taken into the log, sealed,
 *     and the file is removed
 * @param bootIdFile where the host's boot id stands; the kernel's own if empty
 * @param secretsKey the key that seals secrets in the log, the same on every voter: a file of mode
 *     600, without which no voter starts
 */
record OrchestratorConfig(
    Optional<String> cluster,
    String name,
    Path data,
    String listen,
    Optional<Path> socket,
    int heartbeatPort,
    Map<String, String> networks,
    List<VoterAddress> voters,
    TlsFiles tls,
    Optional<Path> secretsKey,
    Optional<Alone> alone,
    Optional<Path> bootIdFile,
    Optional<Integer> joinPort,
    Optional<Path> caKey) {

  /** What the kernel's address of a Unix socket has room for. */
  private static final int SOCKET_PATH_MAX = 107;

  /**
   * @param pingTargets addresses that this side reaches without the other one: the gateway, the
   *     switch, a printer. Where none of them answers, this side is the one cut off
   */
  record Alone(List<String> pingTargets) {
    private static final int MOST = 16;

    Alone {
      if (pingTargets.isEmpty() || pingTargets.size() > MOST) {
        throw new IllegalArgumentException(
            "alone.pingTargets: needs 1 to %d addresses, such as the gateway's, not %d"
                .formatted(MOST, pingTargets.size()));
      }
      for (var target : pingTargets) {
        if (!target.matches("[0-9A-Za-z.:-]+")) {
          throw new IllegalArgumentException(
              "alone.pingTargets: '%s' is no address; give one such as 192.0.2.254"
                  .formatted(target));
        }
      }
      if (Set.copyOf(pingTargets).size() < pingTargets.size()) {
        throw new IllegalArgumentException("alone.pingTargets: an address stands there twice");
      }
      pingTargets = List.copyOf(pingTargets);
    }
  }

  OrchestratorConfig {
    if (secretsKey.isEmpty()) {
      throw new IllegalArgumentException(
          "secretsKey: is missing; haven ca init makes secrets.key: copy it to every voter, mode"
              + " 600, and name it here");
    }
    SealedSecrets.with(secretsKey); // a wrong key is told now, not at the first fence
    Settings.socketAddress(listen);
    joinPort.ifPresent(port -> Settings.socketAddress("here:" + port));
    socket.ifPresent(
        path -> {
          int length = path.toString().getBytes(StandardCharsets.UTF_8).length;
          if (length > SOCKET_PATH_MAX) {
            throw new IllegalArgumentException(
                "socket: %s has %d bytes; the kernel takes %d at most"
                    .formatted(path, length, SOCKET_PATH_MAX));
          }
        });
    var own = name;
    alone.ifPresent(
        a ->
            voters.stream()
                .filter(v -> v.networks().values().stream().anyMatch(a.pingTargets()::contains))
                .findFirst()
                .ifPresent(
                    v -> {
                      throw new IllegalArgumentException(
                          "alone.pingTargets: an address of voter %s proves nothing; name what this side reaches without the other one"
                              .formatted(v.name()));
                    }));
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

  /**
   * Of this host, where this voter may go on alone.
   *
   * @throws IOException if it cannot be read
   */
  Optional<String> boot() throws IOException {
    if (alone.isEmpty()) {
      return Optional.empty();
    }
    var file = bootIdFile.orElse(Path.of("/proc/sys/kernel/random/boot_id"));
    var text = Files.readString(file).strip();
    if (text.isEmpty()) {
      throw new IOException(file + ": is empty; it must have the host's boot id");
    }
    return Optional.of(text);
  }

  VoterAddress self() {
    return voters.stream().filter(v -> v.name().equals(name)).findFirst().orElseThrow();
  }
}
