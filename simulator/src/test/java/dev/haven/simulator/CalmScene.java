package dev.haven.simulator;

import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Four hosts, three guests. */
final class CalmScene {
  private CalmScene() {}

  static List<Stage.HostAtFirst> hosts(Stage.Watchdog watchdog, String... names) {
    var hosts = new ArrayList<Stage.HostAtFirst>();
    for (var name : names) {
      int n = hosts.size() + 1;
      hosts.add(
          new Stage.HostAtFirst(
              new HostSpec(
                  new HostId(name),
                  Optional.empty(),
                  "qemu+tcp://" + name + "/system",
                  List.of(
                      new Network("control", "10.0.1." + n, List.of(Network.Role.CONTROL)),
                      new Network("migration", "10.0.2." + n, List.of(Network.Role.MIGRATION))),
                  List.of(List.of(new FencingDevice("bmc-" + name, "ipmi", Map.of()))),
                  Map.of(),
                  Optional.empty(),
                  HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
                  HostSpec.DEFAULT_CPU_OVERCOMMIT),
              new Capacity(16_384, 8, "simulated"),
              true,
              false,
              watchdog));
    }
    return hosts;
  }

  static List<Stage.GuestAtFirst> guests() {
    return List.of(
        new Stage.GuestAtFirst(
            Beginning.guestSpec("web", 4096), true, Optional.of(new HostId("a"))),
        new Stage.GuestAtFirst(Beginning.guestSpec("db", 2048), true, Optional.of(new HostId("a"))),
        new Stage.GuestAtFirst(
            Beginning.guestSpec("mail", 1024), true, Optional.of(new HostId("d"))));
  }
}
