package dev.haven.agent;

import dev.haven.core.lease.Handover;
import dev.haven.model.BootId;
import dev.haven.model.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the next process of the agent finds its {@link Handover}: lost with the host's memory, such
 * as in /run. It keeps its room there ({@link TwoCopies}).
 */
class LeaseFile {
  private static final Logger log = LoggerFactory.getLogger(LeaseFile.class);

  private final Path directory;
  private final TwoCopies file;
  private final TwoCopies.Found found;

  LeaseFile(Path directory) throws IOException {
    this.directory = directory;
    TwoCopies.folder(directory);
    file = new TwoCopies(directory.resolve("leases"), "haven-leases", false);
    found = file.open();
    if (found instanceof TwoCopies.Found.Damaged) {
      for (var copy : file.files()) {
        Files.deleteIfExists(copy);
      }
      var _ = file.open();
    }
  }

  /** What an earlier process has left. Empty if there is none of this boot, or it is damaged. */
  Optional<Handover> read(BootId boot) {
    return switch (found) {
      case TwoCopies.Found.Nothing _ -> Optional.empty();
      case TwoCopies.Found.Damaged d -> {
        log.warn("{}; this host holds no lease until it gets one", d.reason());
        yield Optional.empty();
      }
      case TwoCopies.Found.Text t -> {
        try {
          yield Optional.of(Json.read(t.text(), Handover.class)).filter(p -> p.boot().equals(boot));
        } catch (IllegalArgumentException | UncheckedIOException e) {
          log.warn("leases of an earlier process cannot be read: {}", e.toString());
          yield Optional.empty();
        }
      }
    };
  }

  Path directory() {
    return directory;
  }

  void write(Handover page) throws IOException {
    file.write(Json.text(page));
  }
}
