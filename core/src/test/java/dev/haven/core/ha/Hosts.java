package dev.haven.core.ha;

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
import dev.haven.model.Rule;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** States to begin a test with. */
final class Hosts {
  static final Instant AT = Instant.parse("2026-11-21T00:00:00Z");
  static final BootId BOOT = new BootId("boot-1");
  static final HostId A = new HostId("a");
  static final HostId B = new HostId("b");
  static final GuestId WEB = new GuestId("web");

  private Hosts() {}

  static HostSpec spec(HostId id, boolean device) {
    return new HostSpec(
        id,
        Optional.empty(),
        "qemu+tcp://" + id + "/system",
        List.of(new Network("control", "10.0.1." + id.hashCode() % 250, List.of())),
        device ? List.of(List.of(new FencingDevice("bmc", "ipmi", Map.of()))) : List.of(),
        Map.of(),
        Optional.empty(),
        1024,
        4);
  }

  static GuestSpec guest(GuestId id, long memoryMib, Rule... rules) {
    return new GuestSpec(
        id,
        "uuid-" + id,
        memoryMib,
        1,
        0,
        "<domain/>",
        Map.of(),
        List.of(rules),
        GuestSpec.Restart.ANYWHERE,
        3);
  }

  /** These hosts, online, with 8 GiB each. */
  static ClusterState online(boolean devices, HostId... hosts) {
    var state = ClusterState.EMPTY;
    for (var id : hosts) {
      state =
          state
              .apply(new Change.HostDescribed(spec(id, devices)))
              .apply(
                  new Change.AgentSeated(
                      id,
                      BOOT,
                      new Host.Agent(new ProcessId("p-" + id), "a2V5", "1"),
                      new Capacity(8192, 8, "test")))
              .apply(new Change.HostStateChanged(id, new HostState.Online()));
    }
    return state;
  }

  static ClusterState running(ClusterState state, GuestId guest, HostId on) {
    return state
        .apply(new Change.GuestDescribed(guest(guest, 1024), true))
        .apply(new Change.GuestPlaced(guest, new Holding(on, BOOT, new Epoch(1))))
        .apply(
            new Change.PhaseChanged(
                guest, new GuestPhase.Running(new Holding(on, BOOT, new Epoch(1)))));
  }

  static Proof off(HostId host, BootId boot) {
    return new Proof.PowerReadOff(host, boot, List.of("bmc says off"), AT);
  }
}
