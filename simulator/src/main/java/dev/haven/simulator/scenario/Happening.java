package dev.haven.simulator.scenario;

import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.simulator.Simulation.PowerDeviceMode;
import dev.haven.simulator.Stage;
import dev.haven.simulator.Stage.Daemon;
import dev.haven.simulator.Stage.HostEvent;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What happens in a scenario, at one moment. */
public sealed interface Happening {
  record Hosts(HostEvent event, List<HostId> hosts) implements Happening {}

  /**
   * @param networks whose ports go down or come back: 0 is control, 1 migration
   */
  record Ports(List<HostId> hosts, List<Integer> networks, boolean up) implements Happening {}

  record Daemons(List<HostId> hosts, Daemon daemon, boolean up) implements Happening {}

  record Devices(List<HostId> hosts, PowerDeviceMode mode) implements Happening {}

  /**
   * @param guest any, if empty
   */
  record StartsFail(Optional<GuestId> guest, List<HostId> hosts, int times) implements Happening {}

  record MigrationsFail(GuestId guest, int times) implements Happening {}

  record Guests(List<GuestId> guests, DomainState becomes) implements Happening {}

  /** They do nothing useful any more. */
  record GuestsHang(List<GuestId> guests) implements Happening {}

  /** Somebody asks for something. */
  record Commands(List<Command> commands) implements Happening {}

  /** Somebody sets up a machine and takes it into the cluster. */
  record NewHosts(List<Stage.HostAtFirst> hosts) implements Happening {}

  /**
   * A guest's load is different from now on; what is empty stays.
   *
   * @param memoryMib that it has
   */
  record Load(GuestId guest, Optional<Long> memoryMib, Optional<Integer> cpus)
      implements Happening {}

  /** When something happens. */
  sealed interface When {
    /** So long after the beginning, or at once if that is over. */
    record At(Duration time) implements When {}

    /** So long after the event before. */
    record After(Duration time) implements When {}

    /** When nothing is left to do after the event before. */
    record Settled() implements When {}
  }

  /** A line of the timeline. */
  record Timed(When when, Happening what) {}
}
