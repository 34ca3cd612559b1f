package dev.haven.agent;

import com.fasterxml.jackson.core.type.TypeReference;
import dev.haven.model.Json;
import dev.haven.model.config.VoterAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
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
   * @param changed called with all of them by whoever brings the news; may look names up
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
