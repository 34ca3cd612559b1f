package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Who counts as silent, and for how long. Times in seconds here. */
class HeardTableGraceTest {
  private static final HostId H = new HostId("h");
  private static final List<String> VOTERS = List.of("a", "b", "c");
  private static final long SECOND = 1_000_000_000L;

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - 15 * SECOND;

  private final HeardTable table = new HeardTable("a", START);
  private long sequence;

  private void beat(double at) {
    beat("agent-1", at);
  }

  private void beat(String process, double at) {
    table.heard(H, new BootId("boot"), new ProcessId(process), "control", ++sequence, at(at));
  }

  private static long nanos(double duration) {
    return (long) (duration * SECOND);
  }

  private static long at(double at) {
    return START + nanos(at);
  }

  /** Voter b says how long it has not heard the host. */
  private void says(String voter, double age, double at) {
    table.digest(voter, true, Map.of(H, age < 0 ? HeardTable.CANNOT_SAY : nanos(age)), 0, at(at));
    table.watchQuorum(VOTERS, at(at));
  }

  private double silence(double at) {
    return (double) table.silence(H, VOTERS, at(at)) / SECOND;
  }

  @Test
  void aHostIsSilentOnlyWhenAMajorityDoesNotHearIt() {
    says("b", 0.4, 1);
    beat(1);
    assertThat(silence(5)).as("nobody else says anything any more").isZero();
    table.digest("c", true, Map.of(), 0, at(5));
    table.digest("b", true, Map.of(H, nanos(3)), 0, at(5));
    table.watchQuorum(VOTERS, at(5));
    assertThat(silence(5)).as("c hears it; of a and b the later one").isEqualTo(3);
  }

  @Test
  void aVoterThatCannotSayCountsAsHearing() {
    says("b", -1, 1);
    says("c", -1, 1);
    beat(1);
    table.digest("b", true, Map.of(H, HeardTable.CANNOT_SAY), 0, at(9));
    table.digest("c", true, Map.of(H, HeardTable.CANNOT_SAY), 0, at(9));
    table.watchQuorum(VOTERS, at(9));
    assertThat(silence(9)).isZero();
  }

  @Test
  void aVoterWithoutAQuorumCannotSay() {
    says("b", 0.4, 1);
    beat(1);
    table.watchQuorum(VOTERS, at(9));
    assertThat(table.counts()).isFalse();
    assertThat(table.ages(List.of(H), at(9))).containsEntry(H, HeardTable.CANNOT_SAY);
  }

  @Test
  void aHostLastHeardBeforeTheQuorumCameBackGetsGrace() {
    says("b", 0.4, 1);
    beat(1);
    table.watchQuorum(VOTERS, at(9)); // lost
    says("b", 0.4, 20); // back
    assertThat(table.ages(List.of(H), at(20.4))).containsEntry(H, HeardTable.CANNOT_SAY);
    says("b", 0.4, 49.9);
    assertThat(table.ages(List.of(H), at(49.9))).containsEntry(H, HeardTable.CANNOT_SAY);
    for (double t = 50; t < 52; t += 1) {
      says("b", 0.4, t);
    }
    assertThat(table.ages(List.of(H), at(52)).get(H)).isPositive();
  }

  @Test
  void anAgentThatIsTakenInIsNotSilentForWhatCameBefore() {
    says("b", 0.4, 1);
    beat(1);
    table.seated(H, new ProcessId("agent-1"), at(1));
    for (double t = 2; t <= 60; t += 1) {
      says("b", t - 1, t);
    }
    assertThat(silence(60)).isEqualTo(59);
    table.seated(H, new ProcessId("agent-2"), at(60));
    assertThat(silence(60.2)).isLessThan(0.3);
    table.seated(H, new ProcessId("agent-2"), at(64));
    says("b", 64, 65);
    assertThat(silence(65)).as("if it never beats, it counts from there").isEqualTo(5);
  }

  @Test
  void aBeatThatComesTwiceIsNoSignOfLife() {
    assertThat(table.heard(H, new BootId("b"), new ProcessId("p"), "control", 5, at(1))).isTrue();
    assertThat(table.heard(H, new BootId("b"), new ProcessId("p"), "control", 5, at(2))).isFalse();
    assertThat(table.heard(H, new BootId("b"), new ProcessId("p"), "migration", 5, at(3))).isTrue();
    assertThat(table.networks(H)).isEqualTo(2);
  }

  @Test
  void theLastSignOfLifeErrsOnTheLaterSide() {
    says("b", 0.4, 1);
    beat(1);
    says("b", 2, 5);
    assertThat(table.lastSign(H, at(5))).contains(at(3));
    table.digest("c", true, Map.of(), 0, at(5)); // hears it
    assertThat(table.lastSign(H, at(5)).orElseThrow() - at(4.6)).isPositive();
  }
}
