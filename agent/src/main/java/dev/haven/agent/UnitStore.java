package dev.haven.agent;

import dev.haven.model.config.ServiceManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * systemd keeps the watchdog's descriptor in the store of the agent's unit: since version 254 also
 * while the unit is stopped or has failed. An older one keeps it over a restart alone, which counts
 * for nothing.
 */
final class UnitStore implements LinuxWatchdog.Keeper {
  private static final String NAME = "watchdog";

  private final ServiceManager manager;
  private final Systemd.Programs programs;
  private final Path cgroup;
  private boolean asked;
  private boolean sent;

  /**
   * @param cgroup names the unit: {@code /proc/self/cgroup}
   */
  UnitStore(ServiceManager manager, Systemd.Programs programs, Path cgroup) {
    this.manager = manager;
    this.programs = programs;
    this.cgroup = cgroup;
  }

  @Override
  public OptionalInt left() {
    return manager.left(NAME);
  }

  @Override
  public Optional<Boolean> keeps(int file) {
    if (!asked) {
      asked = true;
      sent = left().equals(OptionalInt.of(file)); // a store that is full refuses what it has
    }
    var unit = unit();
    if (unit.isEmpty()) {
      return Optional.of(false);
    }
    if (!sent && !manager.leave(NAME, file)) {
      return manager.isThere() ? Optional.empty() : Optional.of(false);
    }
    sent = true;
    var answer =
        programs
            .run(
                List.of(
                    "systemctl",
                    "show",
                    "--property=NFileDescriptorStore,FileDescriptorStorePreserve,WantedBy",
                    unit.get()))
            .map(text -> List.of(text.split("\n")))
            .filter(lines -> lines.stream().anyMatch(l -> l.startsWith("NFileDescriptorStore=")));
    if (answer.filter(lines -> lines.contains("NFileDescriptorStore=0")).isPresent()) {
      sent = false; // it was emptied: the next question leaves it there again
    }
    return answer.map(
        lines ->
            sent
                && lines.contains("FileDescriptorStorePreserve=yes")
                && !lines.contains("WantedBy=")); // what nobody wants is forgotten once stopped
  }

  private Optional<String> unit() {
    try (var lines = Files.lines(cgroup)) {
      return lines
          .map(line -> line.substring(line.lastIndexOf('/') + 1))
          .filter(name -> name.endsWith(".service"))
          .findFirst();
    } catch (IOException e) {
      return Optional.empty();
    }
  }
}
