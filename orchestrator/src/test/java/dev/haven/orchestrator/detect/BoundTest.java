package dev.haven.orchestrator.detect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Watchdog;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.VoterBus;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;

/** When the failure detector that ships says that a host's bound has run out. */
class BoundTest {
  private static final BootId BOOT = new BootId("boot-1");
  private static final HostId ANSWERS = new HostId("a");
  private static final HostId MUTE = new HostId("b");

  private static ClusterState fenced(ClusterState state, HostId id, String address) {
    var armed =
        new Watchdog(
            Watchdog.Kind.HARDWARE,
            "iTCO_wdt",
            Duration.ofSeconds(10),
            true,
            true,
            Optional.empty(),
            Optional.empty());
    var seated =
        state
            .apply(
                new Change.HostDescribed(
                    new HostSpec(
                        id,
                        Optional.empty(),
                        "qemu+tcp://" + id + "/system",
                        List.of(new Network("control", address, List.of(Network.Role.CONTROL))),
                        List.of(),
                        Map.of(),
                        Optional.empty(),
                        1024,
                        4)))
            .apply(
                new Change.AgentSeated(
                    id, BOOT, new Host.Agent(new ProcessId("p"), "a2V5", "1"), Capacity.UNKNOWN));
    for (var change :
        HaPolicy.decide(
                seated, new Event.WatchdogReported(id, BOOT, Optional.of(armed), Instant.EPOCH))
            .changes()) {
      seated = seated.apply(change);
    }
    return seated.apply(
        new Change.HostStateChanged(
            id,
            new HostState.Fencing(1, HostState.Cause.UNREACHABLE, Instant.EPOCH, "unreachable")));
  }

  @Test
  void theBoundOfAHostWhoseKernelAnswersNeverRunsOut() throws Exception {
    var state =
        fenced(fenced(ClusterState.EMPTY, ANSWERS, "127.0.0.1"), MUTE, "240.0.0.2"); // reserved
    var posted = new LinkedBlockingQueue<Event>();
    var bus =
        new VoterBus() {
          @Override
          public void broadcast(byte[] datagram) {}

          @Override
          public void onMessage(BiConsumer<String, byte[]> receiver) {}
        };
    try (var detector =
        new FailureDetector(
            "v",
            Map.of(),
            0,
            () -> state,
            () -> new ReplicatedLog.Leadership(1, Optional.of("v"), true, true),
            OptionalLong::empty,
            () -> List.of("v", "w", "y"),
            bus,
            new DevicesThatSay(Event.Power.UNREACHABLE, "no answer"),
            posted::add,
            (_, agent) -> Optional.of(agent.heartbeatKey()))) {
      // elected so long ago that nobody can hold a lease, and no host was heard since
      detector.watch().leases().elected(System.nanoTime() - Duration.ofMinutes(10).toNanos());
      int mute = 0;
      while (mute < 3) {
        var event = posted.poll(30, TimeUnit.SECONDS);
        assertThat(event).as("the bound of the mute host runs out").isNotNull();
        if (event instanceof Event.BoundRanOut e) {
          assertThat(e.host()).as("the kernel of the other one answers").isEqualTo(MUTE);
          mute++;
        }
      }
    }
  }
}
