package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HeardTableTest {
  private static final HostId HOST = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final ProcessId PROCESS = new ProcessId("p1");
  private static final List<String> VOTERS = List.of("a", "b", "c");

  private final HeardTable table = new HeardTable("b", 0);
  private long sequence;

  private static long seconds(double s) {
    return (long) (s * 1e9);
  }

  @BeforeEach
  void aQuorumSinceTheStart() {
    hear("c", Map.of(), 0);
    table.watchQuorum(VOTERS, 0);
    table.seated(HOST, PROCESS, 0);
  }

  private void hear(String voter, Map<HostId, Long> ages, double at) {
    table.digest(voter, true, ages, seconds(at));
    table.watchQuorum(VOTERS, seconds(at));
  }

  private void beat(ProcessId process, double at) {
    assertThat(table.heard(HOST, BOOT, process, "control", ++sequence, seconds(at))).isTrue();
  }

  @Test
  void aSilenceIsWhatAMajorityDidNotHear() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, seconds(0.9)), 11);
    assertThat(table.silence(HOST, VOTERS, seconds(11))).isEqualTo(seconds(0.9));
    hear("c", Map.of(), 11.1);
    assertThat(table.silence(HOST, VOTERS, seconds(11.1))).isZero();
  }

  @Test
  void withoutAQuorumNoSilenceCountsAndItsReturnGivesGrace() {
    beat(PROCESS, 10);
    table.watchQuorum(VOTERS, seconds(15));
    assertThat(table.counts()).isFalse();
    assertThat(table.silence(HOST, VOTERS, seconds(15))).isZero();
    hear("c", Map.of(HOST, seconds(10)), 20);
    assertThat(table.silence(HOST, VOTERS, seconds(20))).isZero();
    hear("c", Map.of(HOST, seconds(41)), 51);
    assertThat(table.silence(HOST, VOTERS, seconds(51))).isEqualTo(seconds(1));
  }

  @Test
  void aProcessThatHasJustJoinedIsNotJudgedByTheSilenceOfTheOneBeforeIt() {
    beat(PROCESS, 10);
    hear("c", Map.of(), 300);
    table.seated(HOST, new ProcessId("p2"), seconds(300));
    assertThat(table.silence(HOST, VOTERS, seconds(300.1))).isZero();
    beat(new ProcessId("p2"), 300.2);
    hear("c", Map.of(HOST, seconds(1.5)), 302);
    assertThat(table.silence(HOST, VOTERS, seconds(302))).isEqualTo(seconds(1.5));
  }

  @Test
  void aVoterThatCannotSayIsNoSignOfLife() {
    beat(PROCESS, 10);
    hear("c", Map.of(HOST, HeardTable.CANNOT_SAY), 12);
    assertThat(table.lastSign(HOST, seconds(12))).contains(seconds(10));
    hear("c", Map.of(HOST, seconds(0.5)), 12);
    assertThat(table.lastSign(HOST, seconds(12))).contains(seconds(11.5));
  }

  @Test
  void aRepeatedBeatIsNone() {
    beat(PROCESS, 10);
    assertThat(table.heard(HOST, BOOT, PROCESS, "control", sequence, seconds(11))).isFalse();
    assertThat(table.lastHeard(HOST, BOOT)).contains(seconds(10));
  }

  private void quiet(String voter, Map<HostId, Long> ages, double at) {
    table.quiet(voter, ages, seconds(at));
  }

  @Test
  void anOlderBootIsUnheardByTheWordOfTheVotersOnOtherMachines() {
    beat(PROCESS, 10);
    assertThat(table.unheard(HOST, VOTERS, seconds(15))).as("c has said nothing").isEmpty();
    quiet("a", Map.of(HOST, seconds(60)), 15);
    assertThat(table.unheard(HOST, VOTERS, seconds(15))).as("a is on the host").isEmpty();
    quiet("c", Map.of(HOST, seconds(4)), 15);
    assertThat(table.unheard(HOST, VOTERS, seconds(15))).contains(seconds(4));
    quiet("c", Map.of(), 15.1);
    assertThat(table.unheard(HOST, VOTERS, seconds(15.1))).as("c hears it").contains(0L);
    quiet("c", Map.of(HOST, seconds(60)), 16);
    assertThat(table.unheard(HOST, VOTERS, seconds(17))).as("that is old by now").isEmpty();
  }

  @Test
  void aVoterThatHasJustStartedKnowsOfNoLongerSilenceThanItsOwnLife() {
    var young = new HeardTable("b", seconds(100));
    assertThat(young.quiet(List.of(HOST), seconds(103))).containsEntry(HOST, seconds(3));
    young.quiet("c", Map.of(HOST, seconds(90)), seconds(103));
    assertThat(young.unheard(HOST, VOTERS, seconds(103))).contains(seconds(3));
  }

  @Test
  void theOnlyVoterHasTheSayEvenOnTheHostItself() {
    beat(PROCESS, 10);
    assertThat(new HeardTable("a", 0).unheard(HOST, List.of("a"), seconds(9))).contains(seconds(9));
  }
}
