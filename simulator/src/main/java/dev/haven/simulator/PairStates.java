package dev.haven.simulator;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Holding;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Epoch;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** What the log of one of two says of the two hosts, each with a guest that runs there. */
final class PairStates {
  static final String CONTROL = "control";

  private PairStates() {}

  private static final Map<String, ClusterState> STATES = new ConcurrentHashMap<>();

  /**
   * @param heavier the host whose guest has the higher priority; empty if neither
   */
  static ClusterState of(int bootOfA, int bootOfB, String heavier) {
    return STATES.computeIfAbsent(
        "%d %d %s".formatted(bootOfA, bootOfB, heavier), _ -> twoHosts(bootOfA, bootOfB, heavier));
  }

  private static ClusterState twoHosts(int bootOfA, int bootOfB, String heavier) {
    return with("b", bootOfB, heavier, with("a", bootOfA, heavier, ClusterState.EMPTY));
  }

  static BootId boot(String host, int number) {
    return new BootId("%s-boot-%d".formatted(host, number));
  }

  static String uuid(String host) {
    return "4c4c4544-0042-4810-8056-b4c04f39330" + host;
  }

  private static ClusterState with(String name, int number, String heavier, ClusterState state) {
    var id = new HostId(name);
    var guest = new GuestId("of-" + name);
    return state
        .apply(
            new Change.HostDescribed(
                new HostSpec(
                    id,
                    Optional.of(uuid(name)),
                    "qemu+tcp://" + name + "/system",
                    List.of(
                        new Network(CONTROL, name, List.of(Network.Role.CONTROL)),
                        new Network("migration", name, List.of(Network.Role.MIGRATION))),
                    List.of(List.of(new FencingDevice("bmc-" + name, "simulated", Map.of()))),
                    Map.of(),
                    Optional.empty(),
                    1_024,
                    4)))
        .apply(
            new Change.AgentSeated(
                id,
                boot(name, number),
                new Host.Agent(new ProcessId(name), "a2V5", "1"),
                new Capacity(65_536, 64, "simulated")))
        .apply(new Change.HostStateChanged(id, new HostState.Online()))
        .apply(
            new Change.GuestDescribed(
                new GuestSpec(
                    guest,
                    "uuid-" + guest,
                    512,
                    1,
                    name.equals(heavier) ? 10 : 1,
                    "<domain/>",
                    Map.of(),
                    List.of(),
                    GuestSpec.Restart.ANYWHERE,
                    3),
                true))
        .apply(new Change.GuestPlaced(guest, new Holding(id, boot(name, number), new Epoch(1))));
  }
}
