package dev.haven.agent;

import com.fasterxml.jackson.core.type.TypeReference;
import dev.haven.model.Json;
import dev.haven.model.config.VoterAddress;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the voters are: those of the agent's configuration, and those that a leader named last,
 * which are kept on disk. A voter that was added later can lead, and without heartbeats it could
 * grant this host no lease.
 *
 * <p>One that was removed is still asked and told: it says that it does not lead.
 */
final class KnownVoters {
  private static final Logger log = LoggerFactory.getLogger(KnownVoters.class);

  private final List<VoterAddress> configured;
  private final Path file;
  private List<VoterAddress> named;
  private Consumer<List<VoterAddress>> changed = _ -> {};

  /**
   * @param file may be missing; one that cannot be read is as good as none
   */
  KnownVoters(List<VoterAddress> configured, Path file) {
    this.configured = List.copyOf(configured);
    this.file = file;
    this.named = read(file);
  }

  private static List<VoterAddress> read(Path file) {
    try {
      return Files.exists(file)
          ? Json.mapper().readValue(file.toFile(), new TypeReference<List<VoterAddress>>() {})
          : List.of();
    } catch (IOException e) {
      log.warn("{}: cannot be read ({}); the next leader says it again", file, e.getMessage());
      return List.of();
    }
  }

  /**
   * @param changed called with all of them on the thread that brings the news; may look names up
   */
  synchronized void onChange(Consumer<List<VoterAddress>> changed) {
    this.changed = changed;
  }

  /** All of them; of one name the address that a leader named. */
  synchronized List<VoterAddress> all() {
    var all = new LinkedHashMap<String, VoterAddress>();
    configured.forEach(v -> all.put(v.name(), v));
    named.forEach(v -> all.put(v.name(), v));
    return List.copyOf(all.values());
  }

  /**
   * Whether a server is a voter, and the one that is to be found where it was dialled: an address
   * that another voter has left is no reason to obey the voter that has it now.
   */
  boolean isMeant(Peer server, String host, int port) {
    return server.role() == Role.VOTER
        && all().stream()
            .anyMatch(v -> v.name().equals(server.name()) && isAt(v.api(), host, port));
  }

  private static boolean isAt(String api, String host, int port) {
    int colon = api.lastIndexOf(':');
    return colon > 0
        && plain(api.substring(0, colon)).equals(plain(host))
        && api.substring(colon + 1).equals(String.valueOf(port));
  }

  /** An IPv6 address stands in brackets or not, and a name in capitals or not. */
  private static String plain(String host) {
    return host.replace("[", "").replace("]", "").toLowerCase(Locale.ROOT);
  }

  /** A leader named them. */
  void named(List<VoterAddress> voters) {
    Consumer<List<VoterAddress>> tell;
    synchronized (this) {
      if (voters.equals(named)) {
        return;
      }
      named = List.copyOf(voters);
      tell = changed;
      try {
        var fresh = file.resolveSibling(file.getFileName() + ".new");
        TwoCopies.ownersAlone(fresh);
        Files.write(fresh, Json.bytes(named));
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
      } catch (IOException e) {
        log.warn("{}: cannot be written ({}); known until this process ends", file, e.getMessage());
      }
    }
    log.info("voters are {}", voters.stream().map(VoterAddress::name).toList());
    tell.accept(all());
  }
}
