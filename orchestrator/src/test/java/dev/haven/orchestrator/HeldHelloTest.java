package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.ProcessId;
import dev.haven.model.api.Command;
import dev.haven.model.wire.FromAgent;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A stolen key, or a cloned disk, is no reboot: seen on the parts that ship. */
class HeldHelloTest {
  private OneLeader leader;

  @BeforeEach
  void aGuestOnA() throws Exception {
    leader = OneLeader.withThreeHosts();
    leader.guestsOnA(1);
    leader.command(new Command.Uncordon(B));
  }

  @AfterEach
  void close() {
    leader.close();
  }

  private static FromAgent.Hello stranger() {
    return new FromAgent.Hello(
        1,
        A,
        new BootId("made-up"),
        new ProcessId("thief"),
        "a2V5",
        Optional.empty(),
        new Capacity(65_536, 64, "test"),
        "1",
        0,
        Optional.empty(),
        true,
        List.of());
  }

  @Test
  void aStrangerWithAHostsKeyIsHeldWhileTheHostIsHeardAndTakesNothingFromIt() throws Exception {
    leader.otherVotersHear(A);
    assertThat(leader.effects.held(stranger())).isPresent();
    // should it come to a decision all the same, nothing is proven by it and it gets no seat
    leader.happens(
        new Event.AgentJoined(stranger(), Event.Newcomer.UNKNOWN, java.time.Instant.now()));
    leader.effects.hello(stranger());
    leader.allIsDone();
    assertThat(leader.agents.welcomed).isEmpty();
    assertThat(leader.state().host(A).orElseThrow().boot()).contains(OneLeader.BOOT);
    assertThat(leader.state().guests()).allMatch(g -> g.phase() instanceof GuestPhase.Running);
    assertThat(leader.startsSentTo(B)).isEmpty();
  }

  @Test
  void whereNoOtherVoterCanSayAHelloIsHeld() {
    assertThat(leader.effects.held(stranger()).orElseThrow()).contains("too few voters can say");
  }

  /** Host a boots again; the voter on host c is down, so nobody but the leader can say. */
  private String whyHostAIsHeld() {
    return leader.effects.held(stranger()).orElse("it is not");
  }

  @Test
  void aHoldForWantOfAVoterEndsOnceThatVotersHostIsProvenOff() throws Exception {
    leader.voterNames = List.of("v", "a", "c");
    assertThat(whyHostAIsHeld()).contains("too few voters can say");
    leader.committed(
        new dev.haven.core.ha.Change.HostStateChanged(
            OneLeader.C,
            new dev.haven.core.ha.HostState.Fenced(
                OneLeader.BOOT,
                new dev.haven.core.ha.Proof.PowerReadOff(
                    OneLeader.C, OneLeader.BOOT, List.of("off"), java.time.Instant.now()))));
    assertThat(whyHostAIsHeld()).doesNotContain("too few");
  }

  @Test
  void aHoldForWantOfAVoterEndsOnceThatVoterIsBack() {
    leader.voterNames = List.of("v", "a", "c");
    assertThat(whyHostAIsHeld()).contains("too few voters can say");
    leader.saysAsVoter("c", "{\"counts\":true,\"ages\":{},\"quietMillis\":{\"a\":60000}}");
    assertThat(whyHostAIsHeld()).doesNotContain("too few");
  }

  @Test
  void aMachineThatIsHeldIsKnownToBoot() {
    assertThat(leader.detector.watch().asking().boots(A, System.nanoTime())).isFalse();
    whyHostAIsHeld();
    assertThat(leader.detector.watch().asking().boots(A, System.nanoTime())).isTrue();
    assertThat(leader.detector.watch().asking().boots(B, System.nanoTime())).isFalse();
  }

  @Test
  void theHostsOwnAgentIsNotHeld() {
    assertThat(
            leader.effects.held(
                new FromAgent.Hello(
                    1,
                    A,
                    OneLeader.BOOT,
                    new ProcessId("restarted"),
                    "a2V5",
                    Optional.empty(),
                    new Capacity(65_536, 64, "test"),
                    "1",
                    0,
                    Optional.empty(),
                    true,
                    List.of())))
        .isEmpty();
  }

  @Test
  void anAgentWhoseHelloCouldNotBeCommittedIsTurnedAwayAtOnceAndAsksAgain() throws Exception {
    leader.log.losesTheNextAnswer = true;
    leader.effects.hello(
        new FromAgent.Hello(
            1,
            B,
            OneLeader.BOOT,
            new ProcessId("restarted"),
            "a2V5",
            Optional.empty(),
            new Capacity(65_536, 64, "test"),
            "1",
            0,
            Optional.empty(),
            true,
            List.of()));
    leader.allIsDone();
    assertThat(leader.agents.welcomed).isEmpty();
    assertThat(leader.agents.turnedAway.get(B)).contains("no quorum has answered");
  }
}
