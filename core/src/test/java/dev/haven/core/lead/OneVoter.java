package dev.haven.core.lead;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** The only voter, which leads, with host a and its agent; times in milliseconds. */
final class OneVoter implements Watch.Voter {
  static final HostId A = new HostId("a");
  static final BootId BOOT = new BootId("boot-1");
  static final ProcessId PROCESS = new ProcessId("p");

  ClusterState state =
      ClusterState.EMPTY
          .apply(
              new Change.HostDescribed(
                  new HostSpec(
                      A,
                      Optional.empty(),
                      "qemu+tcp://a/system",
                      List.of(new Network("control", "at-a", List.of(Network.Role.CONTROL))),
                      List.of(),
                      Map.of(),
                      Optional.empty(),
                      1024,
                      4)))
          .apply(
              new Change.AgentSeated(
                  A, BOOT, new Host.Agent(PROCESS, "a2V5", "1"), new Capacity(65_536, 64, "test")))
          .apply(new Change.HostStateChanged(A, new HostState.Online()));

  final Watch watch = new Watch("v", this, 0);

  static long millis(long ms) {
    return ms * 1_000_000;
  }

  void beats(long ms) {
    watch.heard(
        new Heartbeat(A, BOOT, PROCESS, ms, millis(ms), "control", 0, 0),
        millis(ms),
        Instant.EPOCH);
  }

  static FromAgent.Hello hello(BootId boot, ProcessId process) {
    return new FromAgent.Hello(
        1,
        A,
        boot,
        process,
        "a2V5",
        Optional.empty(),
        new Capacity(65_536, 64, "test"),
        "1",
        0,
        Optional.empty(),
        true,
        List.of());
  }

  /** Decided, and committed at once. */
  List<dev.haven.core.ha.Action> happens(dev.haven.core.ha.Event event) {
    var decision = HaPolicy.decide(state, event);
    for (var change : decision.changes()) {
      state = state.apply(change);
    }
    return decision.actions();
  }

  @Override
  public ClusterState state() {
    return state;
  }

  @Override
  public List<String> voters() {
    return List.of("v");
  }

  @Override
  public boolean leads() {
    return true;
  }

  @Override
  public OptionalLong quorumRound() {
    return OptionalLong.empty();
  }
}
