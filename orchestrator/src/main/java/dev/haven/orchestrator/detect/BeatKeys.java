package dev.haven.orchestrator.detect;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Host;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The keys of the agents' heartbeats, each opened once. */
final class BeatKeys {
  private static final Logger log = LoggerFactory.getLogger(BeatKeys.class);

  private final BiFunction<HostId, Host.Agent, Optional<String>> opener;
  private final Map<HostId, Key> keys = new ConcurrentHashMap<>();

  private record Key(ProcessId process, String sealed, Optional<byte[]> bytes) {}

  /**
   * @param opener the key of an agent's heartbeats in Base64, from what stands in the log; empty if
   *     this voter cannot open it
   */
  BeatKeys(BiFunction<HostId, Host.Agent, Optional<String>> opener) {
    this.opener = opener;
  }

  /** The key of this process; empty if it is not the host's newest, or its key cannot be opened. */
  Optional<byte[]> key(ClusterState state, HostId host, BootId boot, ProcessId process) {
    return state
        .host(host)
        .filter(h -> h.boot().equals(Optional.of(boot)))
        .flatMap(Host::agent)
        .filter(a -> a.process().equals(process))
        .flatMap(a -> key(host, a));
  }

  private Optional<byte[]> key(HostId host, Host.Agent agent) {
    var known = keys.get(host);
    if (known != null
        && known.process().equals(agent.process())
        && known.sealed().equals(agent.heartbeatKey())) {
      return known.bytes();
    }
    var bytes = opener.apply(host, agent).map(Base64.getDecoder()::decode);
    if (bytes.isEmpty()) {
      log.error(
          "host {}: the key of its heartbeats is sealed with another secretsKey than this voter's;"
              + " until they agree, this voter says of nobody that it is silent",
          host);
    }
    keys.put(host, new Key(agent.process(), agent.heartbeatKey(), bytes));
    return bytes;
  }

  /** Whether there is an agent whose heartbeats this voter cannot check. */
  boolean cannotCheck(ClusterState state) {
    return state.hosts().stream()
        .anyMatch(
            h -> {
              var known = keys.get(h.id());
              return known != null
                  && known.bytes().isEmpty()
                  && h.agent().filter(a -> a.heartbeatKey().equals(known.sealed())).isPresent();
            });
  }
}
