package dev.haven.core.lease;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

class LeaseTableTest {
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final Epoch THREE = new Epoch(3);
  private static final long SECOND = 1_000_000_000L;

  private final LeaseTable table = new LeaseTable();

  private static long digest(Map<GuestId, Epoch> guests) {
    return Lease.digest(new TreeMap<>(guests));
  }

  @Test
  void aLeaseCountsFromWhenItsHeartbeatWasSentHoweverLateItsAnswerCame() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, 10 * SECOND);
    table.sent(2, 11 * SECOND);
    assertThat(table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isTrue();
    assertThat(table.covers(WEB, THREE, 30 * SECOND - 1)).isTrue();
    assertThat(table.covers(WEB, THREE, 30 * SECOND)).isFalse();
  }

  @Test
  void anEarlierHeartbeatsAnswerTakesNothingAway() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, 10 * SECOND);
    table.sent(2, 11 * SECOND);
    table.granted(5, 2, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    assertThat(table.covers(WEB, THREE, 31 * SECOND - 1)).isTrue();
  }

  @Test
  void aLeaseForAnotherListNamesNobodyHere() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    assertThat(table.granted(5, 1, digest(Map.of(WEB, new Epoch(4))), LeaseLength.LONG)).isFalse();
    assertThat(table.granted(5, 1, digest(Map.of(WEB, THREE, DB, THREE)), LeaseLength.LONG))
        .isFalse();
    assertThat(table.covers(WEB, THREE, SECOND)).isFalse();
  }

  @Test
  void anAnswerToAHeartbeatThatIsNotKnownGrantsNothing() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.sent(129, 2 * SECOND); // takes the place of the first
    assertThat(table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isFalse();
    assertThat(table.granted(5, 0, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isFalse();
    assertThat(table.granted(5, 130, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isFalse();
  }

  @Test
  void anOlderLeaderOrAnOlderStateOfTheSameLeaderChangesNothing() {
    table.told(5, 7, Map.of(WEB, THREE));
    assertThat(table.told(4, 9, Map.of())).isFalse();
    assertThat(table.told(5, 6, Map.of())).isFalse();
    table.sent(1, SECOND);
    assertThat(table.granted(4, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isFalse();
    assertThat(table.granted(6, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isTrue();
    assertThat(table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG)).isFalse();
  }

  @Test
  void aClusterThatWasForcedToStartAnewFromAShorterLogGivesLeases() {
    var four = new Epoch(1_000_004);
    table.told(5, 100_000, Map.of(WEB, THREE));
    assertThat(table.told(1_000_005, 90_000, Map.of(WEB, four))).isTrue();
    table.sent(1, SECOND);
    assertThat(table.granted(1_000_005, 1, digest(Map.of(WEB, four)), LeaseLength.LONG)).isTrue();
    assertThat(table.covers(WEB, four, 2 * SECOND)).isTrue();
    assertThat(table.told(5, 100_001, Map.of(WEB, THREE))).as("the cluster left behind").isFalse();
    assertThat(table.told(1_000_005, 89_999, Map.of(WEB, THREE))).isFalse();
  }

  @Test
  void theListOfANewLeaderCountsAlsoIfItsLeaseForTheOldListCameFirst() {
    table.told(5, 100_000, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.granted(1_000_005, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    assertThat(table.told(1_000_005, 90_000, Map.of(WEB, THREE, DB, THREE))).isTrue();
  }

  @Test
  void whatIsNoLongerNamedEndsByItself() {
    table.told(5, 1, Map.of(WEB, THREE, DB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE, DB, THREE)), LeaseLength.LONG);
    table.told(5, 2, Map.of(WEB, THREE));
    table.sent(2, 10 * SECOND);
    table.granted(5, 2, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    assertThat(table.covers(DB, THREE, 21 * SECOND - 1)).isTrue();
    assertThat(table.covers(DB, THREE, 21 * SECOND)).isFalse();
    assertThat(table.covers(WEB, THREE, 29 * SECOND)).isTrue();
  }

  @Test
  void aNewEpochIsNotCoveredByTheOldOnesLease() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    table.told(5, 2, Map.of(WEB, new Epoch(4)));
    assertThat(table.covers(WEB, new Epoch(4), SECOND)).isFalse();
    table.sent(2, 2 * SECOND);
    table.granted(5, 2, digest(Map.of(WEB, new Epoch(4))), LeaseLength.LONG);
    assertThat(table.covers(WEB, new Epoch(4), SECOND)).isTrue();
    assertThat(table.covers(WEB, THREE, SECOND)).isFalse();
  }

  @Test
  void theNextProcessTakesOverWhatIsLeft() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    var next = new LeaseTable();
    next.takeOver(table.held());
    assertThat(next.covers(WEB, THREE, 21 * SECOND - 1)).isTrue();
    assertThat(next.covers(WEB, THREE, 21 * SECOND)).isFalse();
  }

  @Test
  void aHostIsWithinItsLastLeaseAlsoIfThatNamesNoGuest() {
    assertThat(table.current(SECOND)).isFalse();
    table.told(5, 1, Map.of());
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of()), LeaseLength.LONG);
    assertThat(table.current(21 * SECOND - 1)).isTrue();
    assertThat(table.current(21 * SECOND)).isFalse();
  }

  @Test
  void theNextProcessIsWithinTheLastLeaseOfTheOneBeforeIt() {
    table.told(5, 1, Map.of(WEB, THREE, DB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE, DB, THREE)), LeaseLength.LONG);
    table.told(5, 2, Map.of(WEB, THREE));
    table.sent(2, 10 * SECOND);
    table.granted(5, 2, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    var next = new LeaseTable();
    next.takeOver(table.held());
    assertThat(next.current(30 * SECOND - 1)).isTrue();
    assertThat(next.current(30 * SECOND)).isFalse();
    assertThat(next.held()).isEqualTo(table.held());
  }

  @Test
  void whatIsOverIsForgottenUnlessANewerLeaseCameMeanwhile() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    var first = Objects.requireNonNull(table.held().get(WEB));
    table.sent(2, 2 * SECOND);
    table.granted(5, 2, digest(Map.of(WEB, THREE)), LeaseLength.LONG);
    table.over(WEB, first);
    assertThat(table.held()).containsOnlyKeys(WEB);
    table.over(WEB, Objects.requireNonNull(table.held().get(WEB)));
    assertThat(table.held()).isEmpty();
  }

  @Test
  void aLeaderMayRepeatItsListUnderTheSameState() {
    assertThat(table.told(5, 7, Map.of(WEB, THREE))).isTrue();
    assertThat(table.told(5, 7, Map.of(WEB, THREE, DB, THREE))).isTrue();
    table.sent(1, SECOND);
    assertThat(table.granted(5, 1, digest(Map.of(WEB, THREE, DB, THREE)), LeaseLength.LONG))
        .isTrue();
  }

  @Test
  void aHostsBoundIsItsLeaseThePauseItsWatchdogAndTheMargin() {
    assertThat(LeaseLength.LONG.bound(Duration.ofSeconds(10))).isEqualTo(Duration.ofSeconds(38));
  }

  @Test
  void aGuestIsLetRunOnlyUnderALeaseThatLastsFiveSecondsMore() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.LONG); // until 21 s
    assertThat(table.forbidsToRun(WEB, THREE, 16 * SECOND - 1)).isEmpty();
    assertThat(table.forbidsToRun(WEB, THREE, 16 * SECOND).orElseThrow())
        .contains("no lease names guest web under epoch 3");
    assertThat(table.forbidsToRun(WEB, new Epoch(4), SECOND)).isPresent();
    assertThat(table.forbidsToRun(DB, THREE, SECOND)).isPresent();
    assertThat(table.forbidsToReceive(16 * SECOND - 1)).as("whichever guest").isEmpty();
    assertThat(table.forbidsToReceive(16 * SECOND)).isPresent();
    assertThat(new LeaseTable().forbidsToReceive(SECOND)).isPresent();
  }

  @Test
  void theSideOfTwoThatIsCutOffIsSoForTwoSecondsAfterItsVoterSaidSo() {
    long now = Long.MAX_VALUE - SECOND; // the clock overflows meanwhile
    assertThat(table.surrenderedAt(now)).isFalse();
    table.surrendered(now);
    assertThat(table.surrenderedAt(now + 2 * SECOND - 1)).isTrue();
    assertThat(table.surrenderedAt(now + 2 * SECOND)).isFalse();
  }

  @Test
  void aLeaseLastsAsLongAsItSaysAndAnEarlierLongerOneStaysAsLongAsItIs() {
    table.told(5, 1, Map.of(WEB, THREE));
    table.sent(1, SECOND);
    table.granted(5, 1, digest(Map.of(WEB, THREE)), LeaseLength.SHORT);
    assertThat(table.covers(WEB, THREE, 11 * SECOND - 1)).isTrue();
    assertThat(table.covers(WEB, THREE, 11 * SECOND)).isFalse();
    assertThat(table.current(11 * SECOND)).isFalse();
    table.sent(2, 12 * SECOND);
    table.granted(5, 2, digest(Map.of(WEB, THREE)), LeaseLength.LONG); // until 32 s
    table.sent(3, 13 * SECOND);
    table.granted(5, 3, digest(Map.of(WEB, THREE)), LeaseLength.SHORT);
    assertThat(Objects.requireNonNull(table.held().get(WEB)).length()).isEqualTo(LeaseLength.LONG);
    assertThat(table.covers(WEB, THREE, 32 * SECOND - 1)).isTrue();
    table.sent(4, 25 * SECOND);
    table.granted(5, 4, digest(Map.of(WEB, THREE)), LeaseLength.SHORT);
    assertThat(Objects.requireNonNull(table.held().get(WEB)).length()).isEqualTo(LeaseLength.SHORT);
  }

  @Test
  void aBoundIsTheSumOfItsParts() {
    assertThat(LeaseLength.SHORT.bound(Duration.ofSeconds(10))).isEqualTo(Duration.ofSeconds(24));
    assertThat(LeaseLength.LONG.bound(Duration.ofSeconds(10))).isEqualTo(Duration.ofSeconds(38));
    assertThat(LeaseLength.SHORT.duration()).isGreaterThan(Lease.TO_RUN);
  }
}
