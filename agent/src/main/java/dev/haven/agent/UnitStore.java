package dev.haven.agent;

import dev.haven.model.config.ServiceManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** systemd keeps the watchdog's descriptor in the store of the agent's unit. */
final class UnitStore implements LinuxWatchdog.Keeper {
  private static final String NAME = "watchdog";

  private final ServiceManager manager;
  private final Systemd.Programs programs;
  private final Path cgroup;
  private volatile boolean overStops;

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
  public Optional<String> leave(int file) {
    var unit = unit();
    if (unit.isEmpty() || !manager.leave(NAME, file)) {
      return Optional.of(
          "nothing keeps the watchdog open when the agent ends, and the kernel feeds it then:"
              + " nobody relies on it. Run the agent as the unit haven-agent.service");
    }
    var store =
        programs
            .run(
                List.of(
                    "systemctl",
                    "show",
                    "--property=NFileDescriptorStore,FileDescriptorStorePreserve",
                    unit.get()))
            .map(text -> List.of(text.split("\n")))
            .orElse(List.of());
    overStops = store.contains("FileDescriptorStorePreserve=yes");
    return store.stream().anyMatch(line -> line.matches("NFileDescriptorStore=[1-9][0-9]*"))
        ? Optional.empty()
        : Optional.of(
            "systemd does not keep the watchdog of %s open when the agent ends: nobody relies on it. Put FileDescriptorStoreMax=1 into the unit"
                .formatted(unit.get()));
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

  @Override
  public boolean overStops() {
    return overStops;
  }

  @Override
  public void giveBack() {
    manager.leaveNone(NAME);
  }
}
