package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.model.api.Command;
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
  private final VoterClocks clocks = new VoterClocks();
  private final ProofTimes leader = new ProofTimes("x");
  private final ProofTimes next = new ProofTimes("y");

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

  /** The entry of the leader, which began to read the device at this time of its own clock. */
  private ClusterState fenced(long began) {
    leader.gathered(A, BOOT, AT, began);
    var dated =
        leader.dated(
            List.of(new Change.HostStateChanged(A, new HostState.Fenced(BOOT, OFF))), clocks);
    return online.apply(dated.getFirst());
  }

  @Test
  void theVoterThatReadTheDeviceCountsFromTheBeginningOfItsReading() {
    leader.applied(online, fenced(1_000), 5_000);
    assertThat(leader.since(OFF)).hasValue(new ProofTimes.Since(1_000, 1_000));
  }

  @Test
  void anotherVoterCountsFromItsOwnClockBeforeTheReadingHoweverLateItAppliesTheProof() {
    long second = 1_000_000_000L;
    clocks.arrived("y", next.clock(700 * second), second);
    clocks.arrived("y", next.clock(701 * second), 2 * second);
    clocks.arrived("y", next.clock(703 * second), 4 * second);
    var fenced = fenced(3 * second);
    next.applied(online, fenced, 780 * second);
    next.applied(fenced, fenced, 790 * second);
    assertThat(next.since(OFF)).hasValue(new ProofTimes.Since(701 * second, 780 * second));
  }

  @Test
  void aVoterWhoseClockTheLeaderHadNotHeardBeforeCannotSay() {
    clocks.arrived("y", next.clock(1_000), 4_000);
    next.applied(online, fenced(3_000), 5_000);
    assertThat(next.since(OFF)).isEmpty();
  }

  @Test
  void aVoterThatHasBegunAgainSinceCannotSay() {
    clocks.arrived("y", next.clock(1_000), 2_000);
    var again = new ProofTimes("y");
    again.applied(online, fenced(3_000), 5_000);
    assertThat(again.since(OFF)).isEmpty();
  }

  @Test
  void nobodyCanSayWhenAnythingWasReadThatNoVoterHasNoted() {
    clocks.arrived("y", next.clock(1_000), 2_000);
    var dated =
        leader.dated(
            List.of(new Change.HostStateChanged(A, new HostState.Fenced(BOOT, OFF))), clocks);
    next.applied(online, online.apply(dated.getFirst()), 5_000);
    assertThat(next.since(OFF)).isEmpty();
  }

  @Test
  void itIsKeptWhenTheHostIsBackAndForgottenWhenItBootsAnew() {
    var fenced = fenced(1_000);
    leader.applied(online, fenced, 5_000);
    var back = fenced.apply(new Change.HostStateChanged(A, new HostState.Online()));
    leader.applied(fenced, back, 6_000);
    assertThat(leader.since(OFF)).as("a guest that waits may still rest on it").isPresent();
    leader.applied(back, seated(back, new BootId("boot-2")), 7_000);
    assertThat(leader.since(OFF)).isEmpty();
  }

  @Test
  void aPersonsWordIsVoidedByWhatIsSeenOnceTheHostWasLookedAtForThem() {
    var times = new ProofTimes("v");
    var at = Instant.EPOCH;
    var host = OneVoter.A;
    var state = new OneVoter().state;
    times.commanded(state, new Command.Cordon(host), at, 5);
    var word = new Proof.OperatorsWord(host, OneVoter.BOOT, "admin", false, at);
    assertThat(times.since(word)).isEmpty();
    times.commanded(state, new Command.ConfirmDead(host, "it is off", Optional.empty()), at, 5);
    assertThat(times.since(word)).contains(new ProofTimes.Since(5, 5));
  }
}
