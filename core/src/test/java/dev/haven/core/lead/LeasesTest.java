package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Pause;
import dev.haven.core.ha.Proof;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;

class LeasesTest {
  private static final HostId A = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final long SECOND = 1_000_000_000L;

  private final Leases leases = new Leases();

  private ClusterState state = ClusterState.EMPTY;

  private boolean grant(long quorumRound, long now) {
    return grant(quorumRound - 1, OptionalLong.of(quorumRound), now).isPresent();
  }

  private Optional<LeaseLength> grant(long arrived, OptionalLong quorumRound, long now) {
    return leases.grant(A, arrived, quorumRound, now, () -> state);
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
    assertThat(grant(-1, OptionalLong.empty(), 0)).isEmpty();
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
    assertThat(grant(10 * SECOND + 1, round, 10 * SECOND + SECOND / 10)).isEmpty();
    assertThat(grant(10 * SECOND, round, 10 * SECOND + SECOND / 10)).isEmpty();
    assertThat(grant(10 * SECOND - 1, round, 10 * SECOND + SECOND / 10)).isPresent();
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
    assertThat(arrivals.before(A, process, 9 * SECOND).orElseThrow().at())
        .as("it arrived when it came first")
        .isEqualTo(5 * SECOND);
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
    assertThat(leases.proposing(verdict, state, 10 * SECOND)).isEmpty();
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
    assertThat(leases.proposing(word, state, 40 * SECOND + 1)).isPresent();
    assertThat(leases.proposing(word, state, 60 * SECOND)).isEmpty();
  }

  @Test
  void aBoundWithinWhichALeaseWasGrantedIsNoProof() {
    leases.elected(0);
    grant(10 * SECOND, 10 * SECOND);
    var bound = Duration.ofSeconds(38);
    assertThat(leases.proposing(fenced(bound), state, 48 * SECOND - 1)).isPresent();
    assertThat(leases.proposing(fenced(bound), state, 48 * SECOND)).isEmpty();
  }

  @Test
  void whateverANanoTimeIsTheLastLeaseIsWhatCounts() {
    long now = Long.MAX_VALUE - 20 * SECOND; // overflows meanwhile
    leases.elected(now);
    grant(now + 10 * SECOND, now + 10 * SECOND);
    assertThat(leases.sinceGrant(A, now + 25 * SECOND)).isEqualTo(15 * SECOND);
    assertThat(leases.leaseLeft(A, now + 25 * SECOND)).isEqualTo(Duration.ofSeconds(5));
    assertThat(leases.leaseLeft(A, now + 31 * SECOND)).isZero();
  }

  @Test
  void anEarlierTermsVerdictsWithholdNothingFromTheNext() {
    leases.elected(0);
    leases.proposing(fenced(Duration.ZERO), state, 10 * SECOND);
    assertThat(grant(10 * SECOND, 10 * SECOND)).isFalse();
    leases.deposed();
    leases.elected(20 * SECOND);
    assertThat(grant(30 * SECOND, 30 * SECOND)).isTrue();
  }

  @Test
  void whatIsNoVerdictWithholdsNothing() {
    leases.elected(0);
    var heard = List.<Change>of(new Change.HostStateChanged(A, new HostState.Online()));
    assertThat(leases.proposing(heard, state, 10 * SECOND)).isEmpty();
    assertThat(grant(10 * SECOND, 10 * SECOND)).isTrue();
  }

  @Test
  void aHostThatIsOnlineAgainIsGivenLeasesAgain() {
    leases.elected(0);
    leases.proposing(fenced(Duration.ZERO), state, 10 * SECOND);
    var off = online(Guard.NONE).apply(fenced(Duration.ZERO).getFirst());
    leases.applied(online(Guard.NONE), off);
    assertThat(grant(10 * SECOND, 10 * SECOND)).as("it is fenced").isFalse();
    leases.applied(off, off);
    assertThat(grant(10 * SECOND, 10 * SECOND)).as("it is fenced still").isFalse();
    leases.applied(off, off.apply(new Change.HostStateChanged(A, new HostState.Online())));
    assertThat(grant(11 * SECOND, 11 * SECOND)).isTrue();
  }

  @Test
  void anEntryAboutAnotherThingGivesNoLeaseBackWhileAVerdictIsProposed() {
    leases.elected(0);
    leases.proposing(fenced(Duration.ZERO), state, 10 * SECOND);
    var state = online(Guard.NONE);
    leases.applied(state, state.apply(new Change.HostCordoned(A, true)));
    assertThat(grant(10 * SECOND, 10 * SECOND)).isFalse();
  }

  private static final Guard RELIABLE =
      new Guard(
          Optional.of(BOOT),
          Optional.of(
              new Watchdog(
                  Watchdog.Kind.HARDWARE,
                  "iTCO",
                  Duration.ofSeconds(10),
                  true,
                  true,
                  Optional.empty(),
                  Optional.empty())),
          Optional.of("iTCO"),
          false,
          Optional.empty(),
          Guard.Leasing.LONG);

  private static ClusterState online(Guard guard) {
    return ClusterState.EMPTY
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
                A, BOOT, new Host.Agent(new ProcessId("p"), "a2V5", "1"), Capacity.UNKNOWN))
        .apply(new Change.HostStateChanged(A, new HostState.Online()))
        .apply(new Change.HostGuarded(A, guard));
  }

  @Test
  void aBoundRunsFromTheLastLeaseOrSignOfLifeWhicheverIsLater() {
    leases.elected(0);
    grant(10 * SECOND, 10 * SECOND);
    var host = online(RELIABLE).host(A).orElseThrow();
    long now = 30 * SECOND;
    assertThat(leases.boundLeft(host, OptionalLong.empty(), now))
        .contains(Duration.ofSeconds(38 - 20));
    assertThat(leases.boundLeft(host, OptionalLong.of(25 * SECOND), now))
        .contains(Duration.ofSeconds(38 - 5));
    assertThat(leases.boundLeft(host, OptionalLong.of(5 * SECOND), now))
        .contains(Duration.ofSeconds(38 - 20));
    assertThat(leases.boundLeft(host, OptionalLong.of(31 * SECOND), now))
        .as("heard just now")
        .contains(Duration.ofSeconds(38));
    var none = online(Guard.NONE).host(A).orElseThrow();
    assertThat(leases.boundLeft(none, OptionalLong.empty(), now)).isEmpty();
  }

  @Test
  void aHostEnforcesItsLeasesWhereSomebodyMayRelyOnThem() {
    var state = online(RELIABLE);
    assertThat(Leases.list(state, A, 7, true).enforce()).isTrue();
    assertThat(Leases.list(state, A, 7, false).enforce()).as("nobody relies on it").isFalse();
    assertThat(Leases.list(online(Guard.NONE), A, 7, true).enforce()).as("no watchdog").isFalse();
    var paused =
        state.apply(
            new Change.Paused(
                new Pause("admin", "work", Instant.EPOCH, Optional.empty(), Set.of())));
    assertThat(Leases.list(paused, A, 7, true).enforce()).as("fencing is paused").isFalse();
    assertThat(Leases.list(state, A, 7, true).term()).isEqualTo(7);
  }

  @Test
  void ofManyHeartbeatsTheLastTenAreKnown() {
    var arrivals = new Arrivals();
    var process = new ProcessId("p");
    for (int i = 1; i <= 11; i++) {
      arrivals.came(A, process, i, i, i * SECOND);
    }
    assertThat(arrivals.before(A, process, SECOND + 1)).as("the first is forgotten").isEmpty();
    assertThat(arrivals.before(A, process, 2 * SECOND + 1).orElseThrow().sequence()).isEqualTo(2);
    assertThat(arrivals.before(new HostId("b"), process, 2 * SECOND)).isEmpty();
  }

  private static Guard leasing(Guard.Leasing leasing) {
    return new Guard(
        RELIABLE.boot(),
        RELIABLE.watchdog(),
        RELIABLE.seenToReset(),
        false,
        Optional.empty(),
        leasing);
  }

  private static final Guard SHORTENING = leasing(Guard.Leasing.SHORTENING);

  private boolean over(long now) {
    return leases.longOnesAreOver(state.host(A).orElseThrow(), now);
  }

  private Optional<LeaseLength> granted(long at) {
    return grant(at - 1, OptionalLong.of(at), at);
  }

  @Test
  void aLeaseIsAsLongAsTheCommittedStateOfThatMomentSays() {
    leases.elected(0);
    state = online(RELIABLE);
    assertThat(granted(10 * SECOND)).contains(LeaseLength.LONG);
    state = online(SHORTENING);
    assertThat(granted(11 * SECOND)).contains(LeaseLength.SHORT);
    state = ClusterState.EMPTY;
    assertThat(granted(12 * SECOND)).as("nothing is known of it").contains(LeaseLength.LONG);
  }

  @Test
  void longLeasesAreOverOnceAllIsThatAHostDoesAfterTheLastOne() {
    leases.elected(0);
    state = online(RELIABLE);
    granted(10 * SECOND);
    assertThat(over(100 * SECOND)).as("long ones are granted").isFalse();
    state = online(SHORTENING);
    granted(30 * SECOND); // short ones make no difference
    assertThat(over(48 * SECOND - 1)).isFalse();
    assertThat(over(48 * SECOND)).isTrue();
  }

  @Test
  void aNewLeaderDoesNotKnowWhatAnEarlierOneGrantedUntilOneSecondAfterItsElection() {
    state = online(RELIABLE);
    leases.elected(0);
    granted(10 * SECOND);
    state = online(SHORTENING);
    leases.elected(100 * SECOND);
    assertThat(over(139 * SECOND - 1)).isFalse();
    assertThat(over(139 * SECOND)).isTrue();
  }

  @Test
  void aBoundIsNotProposedShorterIfALongLeaseWasGrantedMeanwhile() {
    leases.elected(0);
    var shorter = List.<Change>of(new Change.HostGuarded(A, leasing(Guard.Leasing.SHORT)));
    state = online(RELIABLE);
    granted(60 * SECOND); // it asked for long ones for a moment, after the leader had looked
    state = online(SHORTENING);
    assertThat(leases.proposing(shorter, state, 98 * SECOND - 1)).isPresent();
    assertThat(leases.proposing(shorter, state, 98 * SECOND)).isEmpty();
    state = state.apply(shorter.getFirst());
    assertThat(leases.proposing(shorter, state, 60 * SECOND)).as("short already").isEmpty();
  }
}
