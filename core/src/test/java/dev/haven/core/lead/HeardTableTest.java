package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HeardTableTest {
  private static final HostId HOST = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final ProcessId PROCESS = new ProcessId("p1");
  private static final List<String> VOTERS = List.of("a", "b", "c");

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - seconds(11);

  private final HeardTable table = new HeardTable("b", START);
  private long sequence;

  private static long seconds(double s) {
    return Math.round(s * 1e9);
  }

  private static long at(double s) {
    return START + seconds(s);
  }

  @BeforeEach
  void aQuorumSinceTheStart() {
    hear("c", Map.of(), 0);
    table.watchQuorum(VOTERS, START);
    table.seated(HOST, PROCESS, START);
  }

  private void hear(String voter, Map<HostId, Long> ages, double at) {
    table.digest(voter, true, ages, 0, at(at));
    table.watchQuorum(VOTERS, at(at));
  }

  private void beat(ProcessId process, double at) {
    assertThat(table.heard(HOST, BOOT, process, "control", ++sequence, at(at))).isTrue();
  }

  @Test
  void aSilenceIsWhatAMajorityDidNotHear() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(0.9)), 11);
    assertThat(table.silence(HOST, VOTERS, at(11))).isEqualTo(seconds(0.9));
    hear("c", Map.of(), 11.1);
    assertThat(table.silence(HOST, VOTERS, at(11.1))).isZero();
  }

  @Test
  void withoutAQuorumNoSilenceCountsAndItsReturnGivesGrace() {
    beat(PROCESS, 10);
    table.watchQuorum(VOTERS, at(15));
    assertThat(table.counts()).isFalse();
    assertThat(table.silence(HOST, VOTERS, at(15))).isZero();
    hear("c", Map.of(HOST, seconds(10)), 20);
    assertThat(table.silence(HOST, VOTERS, at(20))).isZero();
    hear("c", Map.of(HOST, seconds(41)), 51);
    assertThat(table.silence(HOST, VOTERS, at(51))).isEqualTo(seconds(1));
  }

  @Test
  void aProcessThatHasJustJoinedIsNotJudgedByTheSilenceOfTheOneBeforeIt() {
    beat(PROCESS, 10);
    hear("c", Map.of(), 300);
    table.seated(HOST, new ProcessId("p2"), at(300));
    assertThat(table.silence(HOST, VOTERS, at(300.1))).isZero();
    beat(new ProcessId("p2"), 300.2);
    hear("c", Map.of(HOST, seconds(1.5)), 302);
    assertThat(table.silence(HOST, VOTERS, at(302))).isEqualTo(seconds(1.5));
  }

  @Test
  void aVoterThatCannotSayIsNoSignOfLife() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, HeardTable.CANNOT_SAY), 12);
    assertThat(table.lastSign(HOST, at(12))).contains(at(10));
    hear("c", Map.of(HOST, seconds(0.5)), 12);
    assertThat(table.lastSign(HOST, at(12))).contains(at(11.5));
  }

  @Test
  void aRepeatedBeatIsNone() {
    beat(PROCESS, 10);
    assertThat(table.heard(HOST, BOOT, PROCESS, "control", sequence, at(11))).isFalse();
    assertThat(table.lastSign(HOST, at(11))).contains(at(10));
  }

  private void quiet(String voter, Map<HostId, Long> ages, double at) {
    table.quiet(voter, ages, at(at));
  }

  @Test
  void anOlderBootIsUnheardByTheWordOfTheVotersOnOtherMachines() {
    beat(PROCESS, 10);
    assertThat(table.unheard(HOST, VOTERS, at(15))).as("c has said nothing").isEmpty();
    quiet("a", Map.of(HOST, seconds(60)), 15);
    assertThat(table.unheard(HOST, VOTERS, at(15))).as("a is on the host").isEmpty();
    quiet("c", Map.of(HOST, seconds(4)), 15);
    assertThat(table.unheard(HOST, VOTERS, at(15))).contains(seconds(4));
    quiet("c", Map.of(), 15.1);
    assertThat(table.unheard(HOST, VOTERS, at(15.1))).as("c hears it").contains(0L);
    quiet("c", Map.of(HOST, seconds(60)), 16);
    assertThat(table.unheard(HOST, VOTERS, at(17))).as("that is old by now").isEmpty();
  }

  @Test
  void aVoterThatHasJustStartedKnowsOfNoLongerSilenceThanItsOwnLife() {
    var young = new HeardTable("b", at(100));
    assertThat(young.quiet(List.of(HOST), at(103))).containsEntry(HOST, seconds(3));
    young.quiet("c", Map.of(HOST, seconds(90)), at(103));
    assertThat(young.unheard(HOST, VOTERS, at(103))).contains(seconds(3));
  }

  @Test
  void theOnlyVoterHasTheSayEvenOnTheHostItself() {
    beat(PROCESS, 10);
    assertThat(new HeardTable("a", START).unheard(HOST, List.of("a"), at(9))).contains(seconds(9));
  }

  private Map<HostId, Long> ages(double at) {
    return table.ages(List.of(HOST), at(at));
  }

  @Test
  void aVoterThatLostHeartbeatsItselfCannotSayForASecondAndCountsFromThereOn() {
    beat(PROCESS, 10);
    table.deaf(at(20));
    assertThat(table.deafAt(at(20.9))).isTrue();
    assertThat(ages(20.9)).containsEntry(HOST, HeardTable.CANNOT_SAY);
    assertThat(table.deafAt(at(21))).isFalse();
    assertThat(ages(21)).containsEntry(HOST, seconds(1));
    beat(PROCESS, 24);
    assertThat(ages(25)).as("the host's own silence is shorter").containsEntry(HOST, seconds(1));
  }

  @Test
  void aHostThatWasHeardWithinThreeTenthsOfASecondIsNoLineInADigest() {
    assertThat(table.counts()).isTrue();
    beat(PROCESS, 10);
    assertThat(ages(10.299)).isEmpty();
    assertThat(ages(10.3)).containsEntry(HOST, seconds(0.3));
    assertThat(table.quiet(List.of(HOST), at(10.999))).isEmpty();
    assertThat(table.quiet(List.of(HOST), at(11))).containsEntry(HOST, seconds(1));
  }

  @Test
  void aSilenceIsOverOnceTheHostWasHeardSinceItWasMeasured() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(2)), 12);
    assertThat(table.over(HOST, Duration.ofSeconds(2), VOTERS, at(12))).isFalse();
    assertThat(table.over(HOST, Duration.ofMillis(2_100), VOTERS, at(12)))
        .as("two readings of one silence may differ by a tenth of a second")
        .isFalse();
    assertThat(table.over(HOST, Duration.ofMillis(2_101), VOTERS, at(12))).isTrue();
    beat(PROCESS, 12.1);
    assertThat(table.over(HOST, Duration.ofSeconds(2), VOTERS, at(12.2))).isTrue();
  }

  @Test
  void aHelloIsASignOfLifeThoughNoHeartbeat() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(4)), 14);
    assertThat(table.silence(HOST, VOTERS, at(14))).isEqualTo(seconds(4));
    table.greeted(HOST, PROCESS, at(13));
    assertThat(table.silence(HOST, VOTERS, at(14))).isEqualTo(seconds(1));
  }

  @Test
  void aDigestCountsForSixTenthsOfASecondAndItsSilencesGrowMeanwhile() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(1)), 11);
    assertThat(table.silence(HOST, VOTERS, at(11.6))).isEqualTo(seconds(1.6));
    assertThat(table.lastSign(HOST, at(11.6))).contains(at(10));
    assertThat(table.silence(HOST, VOTERS, at(11.6) + 1)).isZero();
  }

  @Test
  void aDigestThatIsTooOldIsNoSignOfLife() {
    beat(PROCESS, 10);
    hear("c", Map.of(), 12); // it hears the host: at 11.7 at the earliest
    assertThat(table.lastSign(HOST, at(12.6))).contains(at(11.7));
    assertThat(table.lastSign(HOST, at(12.6) + 1)).contains(at(10));
  }

  @Test
  void anEarlierSignThatAnotherVoterHadTakesNothingAway() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(5)), 12);
    assertThat(table.lastSign(HOST, at(12))).contains(at(10));
    assertThat(table.lastSign(new HostId("nobody"), at(12))).isEmpty();
  }

  @Test
  void anotherVoterIsHeardForASecondAndAHalf() {
    hear("c", Map.of(), 10);
    assertThat(table.voters(VOTERS, at(11.5) - 1)).containsExactly("b", "c");
    assertThat(table.voters(VOTERS, at(11.5))).containsExactly("b");
  }

  @Test
  void halfOfTheVotersAreNoQuorum() {
    table.watchQuorum(List.of("b", "c"), at(9)); // c was heard last at 0
    assertThat(table.counts()).isFalse();
  }

  @Test
  void aVoterThatHearsNoQuorumHasNoSayInASilence() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(5)), 15);
    table.digest("c", false, Map.of(HOST, seconds(5)), 0, at(15));
    assertThat(table.silence(HOST, VOTERS, at(15))).isZero();
  }

  @Test
  void whatTheOldProcessWasHeardOfSaysNothingOfTheOneThatJoinedAfterIt() {
    beat(PROCESS, 10);
    hear("c", Map.of(), 12);
    table.seated(HOST, new ProcessId("p2"), at(12));
    assertThat(ages(12.5))
        .as("its silence begins with its joining")
        .containsEntry(HOST, seconds(0.5));
  }

  @Test
  void anotherVotersWordOfAQuietHostCountsForSixTenthsOfASecond() {
    beat(PROCESS, 10);
    quiet("c", Map.of(HOST, seconds(4)), 15);
    assertThat(table.unheard(HOST, VOTERS, at(15.6))).contains(seconds(4));
    assertThat(table.unheard(HOST, VOTERS, at(15.6) + 1)).isEmpty();
  }

  @Test
  void aHostThatWasRemovedWasNeverHeard() {
    beat(PROCESS, 10);
    assertThat(table.networks(HOST)).isEqualTo(1);
    assertThat(table.lastSign(HOST, at(10))).contains(at(10));
    table.forget(HOST);
    assertThat(table.networks(HOST)).isZero();
    assertThat(table.lastSign(HOST, at(10))).isEmpty();
  }

  @Test
  void aHostThatWasNotHeardSinceTheQuorumBeganIsGivenThirtySeconds() {
    assertThat(ages(29.9)).containsEntry(HOST, HeardTable.CANNOT_SAY);
    assertThat(ages(30)).as("its silence begins only now").isEmpty();
    assertThat(ages(31)).containsEntry(HOST, seconds(1));
  }

  @Test
  void aSuddenSilenceIsTheShortestOneOfTheMajorityByItsOwnRecentWord() {
    var two = new HeardTable("b", at(0));
    two.digest("a", true, Map.of(), 0, at(0));
    two.watchQuorum(VOTERS, at(0));
    two.runs(at(0.1));
    two.heard(HOST, BOOT, PROCESS, "control", 1, at(1));
    two.digest("a", true, Map.of(HOST, millis(500)), millis(9_000), at(2));
    two.digest("c", true, Map.of(HOST, millis(700)), millis(9_000), at(2));
    two.runs(at(1.85));
    assertThat(two.witnessed(HOST, VOTERS, at(2))).as("b stood still").isEqualTo(millis(150));
    two.runs(at(2));
    var three = new HeardTable("b", at(-9));
    three.digest("a", true, Map.of(), 0, at(-9));
    three.watchQuorum(VOTERS, at(-9));
    three.heard(HOST, BOOT, PROCESS, "control", 1, at(1));
    three.digest("a", true, Map.of(HOST, millis(500)), millis(9_000), at(2));
    three.digest("c", true, Map.of(HOST, millis(700)), millis(9_000), at(2));
    assertThat(three.witnessed(HOST, VOTERS, at(2))).isEqualTo(millis(700));
    assertThat(three.witnessed(HOST, VOTERS, at(2.25))).isEqualTo(millis(700));
    assertThat(three.witnessed(HOST, VOTERS, at(2.25) + 1)).as("an old word").isZero();
    three.runs(at(-9) + millis(150));
    assertThat(three.witnessed(HOST, VOTERS, at(2))).as("not too long").isEqualTo(millis(700));
  }

  private static long millis(long some) {
    return some * 1_000_000L;
  }
}
