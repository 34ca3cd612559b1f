package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static dev.haven.orchestrator.OneLeader.B;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.HostState;
import dev.haven.model.HostId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.CommandRequest;
import dev.haven.model.api.Reply;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What callers of a leader get, on the parts that ship. */
class ClusterTest {
  private OneLeader leader;
  private Cluster cluster;

  @BeforeEach
  void threeHosts() throws Exception {
    leader = OneLeader.withThreeHosts();
    cluster =
        new Cluster(
            "v",
            "cluster",
            leader.log,
            leader.keeper,
            leader.loop,
            leader.effects,
            leader.detector,
            Optional.empty(),
            SealedSecrets.with(Optional.empty()),
            OneLeader.NO_TOKENS);
  }

  @AfterEach
  void close() {
    leader.close();
  }

  private Reply says(String request, Command command, boolean dryRun) throws Exception {
    return cluster
        .command(new CommandRequest(new RequestId(request), command, dryRun), "admin")
        .get(30, TimeUnit.SECONDS);
  }

  private boolean isCut(HostId host) {
    return leader.state().host(host).orElseThrow().state() instanceof HostState.Fencing;
  }

  @Test
  void aFenceThatWouldTakeTheQuorumIsRefusedByTheVotersThatTheLeaderHears() throws Exception {
    leader.voterNames = List.of("v", "a", "b");
    var heard = new AtomicReference<>(List.of("a"));
    var others =
        Thread.ofVirtual()
            .start(
                () -> {
                  while (!Thread.interrupted()) {
                    heard
                        .get()
                        .forEach(v -> leader.saysAsVoter(v, "{\"counts\":true,\"ages\":{}}"));
                    java.util.concurrent.locks.LockSupport.parkNanos(20_000_000);
                  }
                });
    try {
      while (!leader.detector.quorum().heard().contains("a")) {
        Thread.onSpinWait();
      }
      assertThat(says("1", new Command.Fence(A), false))
          .isInstanceOfSatisfying(
              Reply.Refused.class,
              no -> assertThat(no.message()).contains("of 3 voters b are off, being cut"));
      assertThat(isCut(A)).isFalse();
      heard.set(List.of("a", "b"));
      while (!leader.detector.quorum().heard().contains("b")) {
        Thread.onSpinWait();
      }
      assertThat(says("2", new Command.Fence(A), false)).isInstanceOf(Reply.Accepted.class);
      assertThat(isCut(A)).isTrue();
      assertThat(says("3", new Command.Fence(B), false))
          .as("in the same second")
          .isInstanceOf(Reply.Refused.class);
      assertThat(isCut(B)).isFalse();
    } finally {
      others.interrupt();
    }
  }

  @Test
  void aCommandThatIsSentAgainGetsTheSameAnswerAndIsDoneOnce() throws Exception {
    var first = says("same", new Command.Evacuate(A), false);
    assertThat(first).isInstanceOf(Reply.Accepted.class);
    says("other", new Command.Uncordon(A), false);
    assertThat(says("same", new Command.Evacuate(A), false)).isEqualTo(first);
    assertThat(leader.state().host(A).orElseThrow().cordoned()).isFalse();
  }

  @Test
  void aDryRunSaysWhatWouldBeDoneAndDoesNothing() throws Exception {
    assertThat(says("try", new Command.Evacuate(A), true))
        .isInstanceOfSatisfying(
            Reply.Accepted.class,
            yes -> {
              assertThat(yes.message()).startsWith("would be done: ");
              assertThat(yes.plan()).contains("cordon host a");
              assertThat(yes.operation()).isEmpty();
            });
    assertThat(leader.state().host(A).orElseThrow().cordoned()).isFalse();
    assertThat(says("try", new Command.Evacuate(A), false))
        .as("the same request in earnest")
        .isInstanceOfSatisfying(
            Reply.Accepted.class, yes -> assertThat(yes.operation()).isPresent());
  }
}
