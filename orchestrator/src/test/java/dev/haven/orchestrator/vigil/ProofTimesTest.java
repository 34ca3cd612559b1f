package dev.haven.orchestrator.vigil;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.orchestrator.ha.Change;
import dev.haven.orchestrator.ha.ClusterState;
import dev.haven.orchestrator.ha.Host;
import dev.haven.orchestrator.ha.HostState;
import dev.haven.orchestrator.ha.Proof;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Since when a sign of life voids a proof, whoever leads. */
class ProofTimesTest {
  private static final Instant AT = Instant.parse("2026-11-21T00:00:00Z");
  private static final HostId A = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final Proof OFF = new Proof.PowerReadOff(A, BOOT, List.of("bmc says off"), AT);

  private final ClusterState online = seated(ClusterState.EMPTY, BOOT);
  private final ClusterState fenced =
      online.apply(new Change.HostStateChanged(A, new HostState.Fenced(BOOT, OFF)));
  private final ProofTimes times = new ProofTimes();

  private static ClusterState seated(ClusterState state, BootId boot) {
    return state
        .apply(
            new Change.HostDescribed(
                new HostSpec(
                    A,
                    Optional.empty(),
                    "qemu+tcp://a/system",
                    List.of(),
                    List.of(),
                    Map.of(),
                    Optional.empty(),
                    1024,
                    4)))
        .apply(
            new Change.AgentSeated(
                A, boot, new Host.Agent(new ProcessId("p"), "a2V5", "1"), Capacity.UNKNOWN))
        .apply(new Change.HostStateChanged(A, new HostState.Online()));
  }

  @Test
  void theVoterThatReadTheDeviceCountsFromTheBeginningOfItsReading() {
    times.gathered(A, BOOT, AT, 1_000);
    times.applied(online, fenced, 5_000, AT);
    assertThat(times.since(OFF)).hasValue(1_000);
  }

  @Test
  void anotherVoterThatLeadsLaterCountsFromWhenItAppliedTheProof() {
    times.applied(online, fenced, 5_000, AT.plusMillis(300));
    times.applied(fenced, fenced, 9_000, AT.plusSeconds(4));
    assertThat(times.since(OFF)).hasValue(5_000);
  }

  @Test
  void aVoterThatLearnsOfTheProofLaterCannotSay() {
    times.applied(online, fenced, 5_000, AT.plus(Duration.ofMinutes(3)));
    assertThat(times.since(OFF)).isEmpty();
    assertThat(new ProofTimes().since(OFF)).as("from a snapshot").isEmpty();
  }

  @Test
  void itIsKeptWhenTheHostIsBackAndForgottenWhenItBootsAnew() {
    times.applied(online, fenced, 5_000, AT);
    var back = fenced.apply(new Change.HostStateChanged(A, new HostState.Online()));
    times.applied(fenced, back, 6_000, AT);
    assertThat(times.since(OFF)).as("a guest that waits may still rest on it").hasValue(5_000);
    times.applied(back, seated(back, new BootId("boot-2")), 7_000, AT);
    assertThat(times.since(OFF)).isEmpty();
  }
}
