package dev.haven.model.config;

import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * One voter of the cluster and where it is reached; the same list stands in every configuration
 * file.
 *
 * @param name of the voter
 * @param raft {@code address:port} for the other voters
 * @param api {@code address:port} of its HTTPS: REST, events, agents' WebSocket
 * @param witness whether it is on a machine that runs no guests; no if empty
 * @param networks its address in each network, by the network's name: heartbeats go to all of them
 */
public record VoterAddress(
    String name, String raft, String api, Map<String, String> networks, Optional<Boolean> witness) {

  /** One that is a host too. */
  public VoterAddress(String name, String raft, String api, Map<String, String> networks) {
    this(name, raft, api, networks, Optional.empty());
  }

  public VoterAddress {
    if (name.isBlank()) {
      throw new IllegalArgumentException("a voter needs a name");
    }
    Settings.socketAddress(raft);
    Settings.socketAddress(api);
    networks = Map.copyOf(new TreeMap<>(networks));
  }

  public InetSocketAddress raftAddress() {
    return Settings.socketAddress(raft);
  }

  public InetSocketAddress apiAddress() {
    return Settings.socketAddress(api);
  }
}
