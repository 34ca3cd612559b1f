package dev.haven.orchestrator;

import static dev.haven.orchestrator.OneLeader.A;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.core.ha.HostState;
import dev.haven.model.api.Command;
import dev.haven.raft.port.ReplicatedLog;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The loop that ships, where the log does not say what became of an entry. */
@Timeout(60)
class LoopTest {
  @Test
  void aFenceWhoseEntryWasAppliedAfterAllIsCarriedOut() throws Exception {
    try (var leader = OneLeader.withThreeHosts()) {
      leader.guestsOnA(1);
      leader.log.losesTheNextAnswer = true;
      assertThatThrownBy(() -> leader.command(new Command.Fence(A)))
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(ReplicatedLog.OutcomeUnknown.class);
      assertThat(leader.state().host(A).orElseThrow().state())
          .as("its entry stands in the log all the same")
          .isInstanceOf(HostState.Fencing.class);
      while (leader.devices.cut.isEmpty()) { // until the test's own limit
        Thread.sleep(20);
      }
      assertThat(leader.devices.cut).containsOnly(A);
    }
  }
}
