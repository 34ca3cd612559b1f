package dev.haven.agent;

import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.Json;
import dev.haven.model.lease.LeaseTable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import java.util.SortedMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the next process of the agent takes over: kept where it is lost with the host's memory, such
 * as in /run. Times are of the boot's own clock.
 */
final class LeaseFile {
  private static final Logger log = LoggerFactory.getLogger(LeaseFile.class);

  /**
   * @param enforcing whether guests are paused when their leases end
   * @param listensTo where others know that this boot listens for poison pills
   */
  record Page(
      BootId boot,
      boolean enforcing,
      SortedMap<GuestId, LeaseTable.Held> held,
      Optional<AgentSettings.SbdSettings> listensTo) {}

  private final Path file;

  LeaseFile(Path directory) throws IOException {
    Files.createDirectories(directory);
    file = directory.resolve("leases");
  }

  /** Empty if there is none of this boot, or it cannot be read. */
  Optional<Page> read(BootId boot) {
    try {
      return Optional.of(Json.read(Files.readAllBytes(file), Page.class))
          .filter(p -> p.boot().equals(boot));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException | UncheckedIOException e) {
      log.warn(
          "{} cannot be read; this host holds no lease until it gets one: {}", file, e.toString());
      return Optional.empty();
    }
  }

  void write(Page page) throws IOException {
    var fresh = file.resolveSibling("leases.new");
    Files.write(fresh, Json.bytes(page));
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
  }
}
