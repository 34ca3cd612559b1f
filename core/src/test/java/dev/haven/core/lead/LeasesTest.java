package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class LeasesTest {
  private static final HostId A = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final long SECOND = 1_000_000_000L;

  private final Leases leases = new Leases();

  private boolean grant(long quorumRound, long now) {
    return leases.grant(A, quorumRound - 1, OptionalLong.of(quorumRound), now);
  }

  private static List<Change> fenced(Duration bound) {
    return List.of(
        new Change.HostStateChanged(
            A,
            new HostState.Fenced(
                BOOT, new Proof.BoundRunOut(A, BOOT, bound, "lab", Instant.EPOCH))));
  }

  @Test
  void onlyALeaderGrantsAndOnlyForASecondAfterARoundThatAMajorityAnswered() {
    assertThat(grant(0, 0)).isFalse();
    leases.elected(0);
    assertThat(leases.grant(A, -1, OptionalLong.empty(), 0)).isFalse();
    assertThat(grant(10 * SECOND, 11 * SECOND - 1)).isTrue();
    assertThat(grant(10 * SECOND, 11 * SECOND)).isFalse();
    leases.deposed();
    assertThat(grant(20 * SECOND, 20 * SECOND)).isFalse();
  }

  @Test
  void aHeartbeatThatCameAfterTheLastRoundIsNotAnsweredWithALease() {
    // a leader that was suspended together with its clock: by it, the round is 0.1 s old
    leases.elected(0);
    var round = OptionalLong.of(10 * SECOND);
    assertThat(leases.grant(A, 10 * SECOND + 1, round, 10 * SECOND + SECOND / 10)).isFalse();
    assertThat(leases.grant(A, 10 * SECOND, round, 10 * SECOND + SECOND / 10)).isFalse();
    assertThat(leases.grant(A, 10 * SECOND - 1, round, 10 * SECOND + SECOND / 10)).isTrue();
  }

  @Test
  void aLeaseAnswersTheLastHeartbeatThatCameBeforeTheRound() {
    var arrivals = new Arrivals();
    var process = new dev.haven.model.ProcessId("p");
    for (int i = 1; i <= 5; i++) {
      arrivals.came(A, process, i, 100 + i, i * SECOND);
      arrivals.came(A, process, i, 100 + i, i * SECOND + 1); // over another network
    }
    assertThat(arrivals.before(A, process, SECOND)).isEmpty();
    assertThat(arrivals.before(A, process, 3 * SECOND + 1).orElseThrow().sequence()).isEqualTo(3);
    assertThat(arrivals.before(A, process, 9 * SECOND).orElseThrow().sentNanos()).isEqualTo(105);
    var next = new dev.haven.model.ProcessId("q");
    assertThat(arrivals.before(A, next, 9 * SECOND)).isEmpty();
    arrivals.came(A, next, 1, 100, 9 * SECOND);
    assertThat(arrivals.before(A, next, 10 * SECOND).orElseThrow().sequence()).isEqualTo(1);
  }

  @Test
  void aNewLeaderCountsFromOneSecondAfterItsOwnElection() {
    leases.elected(100 * SECOND);
    assertThat(leases.sinceGrant(A, 100 * SECOND)).isEqualTo(-SECOND);
    assertThat(leases.sinceGrant(A, 131 * SECOND)).isEqualTo(30 * SECOND);
    grant(110 * SECOND, 110 * SECOND);
    assertThat(leases.sinceGrant(A, 131 * SECOND)).isEqualTo(21 * SECOND);
    leases.elected(140 * SECOND); // what it granted in an earlier term is before that
    assertThat(leases.sinceGrant(A, 141 * SECOND)).isZero();
  }

  @Test
  void nothingIsGrantedFromAVerdictsProposalUntilItIsRefused() {
    leases.elected(0);
    var verdict =
        List.<Change>of(
            new Change.HostStateChanged(
                A, new HostState.Fencing(1, HostState.Cause.UNREACHABLE, Instant.EPOCH, "")));
    assertThat(leases.proposing(verdict, 10 * SECOND)).isEmpty();
    assertThat(grant(10 * SECOND, 10 * SECOND)).isFalse();
    leases.refused(verdict);
    assertThat(grant(10 * SECOND, 10 * SECOND)).isTrue();
  }

  @Test
  void anOperatorsWordWaitsForALeaseThatWasGrantedMeanwhile() {
    leases.elected(0);
    var word =
        List.<Change>of(
            new Change.HostStateChanged(
                A,
                new HostState.Fenced(
                    BOOT, new Proof.OperatorsWord(A, BOOT, "admin", false, Instant.EPOCH))));
    grant(40 * SECOND, 40 * SECOND); // after the leader has looked, before the word is proposed
    assertThat(leases.proposing(word, 40 * SECOND + 1)).isPresent();
    assertThat(leases.proposing(word, 60 * SECOND)).isEmpty();
  }

  @Test
  void aBoundWithinWhichALeaseWasGrantedIsNoProof() {
    leases.elected(0);
    grant(10 * SECOND, 10 * SECOND);
    var bound = Duration.ofSeconds(38);
    assertThat(leases.proposing(fenced(bound), 48 * SECOND - 1)).isPresent();
    assertThat(leases.proposing(fenced(bound), 48 * SECOND)).isEmpty();
  }
}
