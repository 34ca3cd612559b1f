package dev.haven.orchestrator;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.model.GuestId;
import dev.haven.model.Json;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What becomes of a committed entry on each voter. */
class StateKeeperTest {
  private static final Instant AT = Instant.parse("2026-11-21T00:00:00Z");

  private final StateKeeper keeper = new StateKeeper();
  private final List<Long> told = new ArrayList<>();
  private long index;

  StateKeeperTest() {
    keeper.onApplied((before, after) -> told.add(after.version() - before.version()));
  }

  private StateKeeper.Answer apply(int format, long base, Change... changes) {
    var entry = new Entry(format, base, AT, List.of(changes), List.of());
    return Json.read(keeper.apply(++index, 1, Json.bytes(entry)), StateKeeper.Result.class)
        .answer();
  }

  /** A leader's, before it is on the disk. */
  @Test
  void aStateThatIsNoneIsSaidToBeNone() {
    apply(0);
    var before = keeper.state();
    for (int length : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 2, 9}) {
      var bytes = new byte[] {0, 0, 0, 0, '[', ']', 0, 0};
      java.nio.ByteBuffer.wrap(bytes).putInt(length);
      assertThatThrownBy(() -> keeper.check(new DataInputStream(new ByteArrayInputStream(bytes))))
          .as("a state of %d bytes", length)
          .isInstanceOf(java.io.IOException.class);
    }
    assertThat(keeper.state()).isSameAs(before);
  }

  private StateKeeper.Answer apply(long base, Change... changes) {
    return apply(Entry.FORMAT, base, changes);
  }

  @Test
  void anEntryIsAppliedAndToldOrChangesNothing() {
    assertThat(apply(0, new Change.HostDescribed(OneLeader.spec(OneLeader.A))))
        .isEqualTo(StateKeeper.Answer.APPLIED);
    assertThat(apply(0, new Change.HostDescribed(OneLeader.spec(OneLeader.B))))
        .as("decided on an older state")
        .isEqualTo(StateKeeper.Answer.STALE);
    assertThat(
            apply(
                1,
                new Change.HostDescribed(OneLeader.spec(OneLeader.B)),
                new Change.GuestRemoved(new GuestId("unknown"))))
        .as("breaks a rule half way")
        .isEqualTo(StateKeeper.Answer.BROKEN);
    assertThat(keeper.state().hosts()).hasSize(1);
    assertThat(told).as("once for each applied entry").containsExactly(1L);
  }

  @Test
  void anEntryOfANewerHavenEndsThisVoterAndNotTheState() {
    assertThatThrownBy(() -> apply(Entry.FORMAT + 1, 0)).hasMessageContaining("upgrade this one");
    assertThat(keeper.state().version()).isZero();
  }

  /** Fields have changed since, so it may read well and mean something else, or not read at all. */
  @Test
  void anEntryOfAnOlderHavenEndsThisVoterWithTheWayOut() {
    assertThatThrownBy(() -> apply(Entry.FORMAT - 1, 0))
        .hasMessageContaining("entry 1 of the log has format " + (Entry.FORMAT - 1))
        .hasMessageContaining("Install that version again");
    var unreadable = "{\"format\":1,\"base\":\"of another kind\"}".getBytes(UTF_8);
    assertThatThrownBy(() -> keeper.apply(2, 1, unreadable)).hasMessageContaining("has format 1");
    assertThat(keeper.state().version()).isZero();
  }

  @Test
  void aSnapshotLeadsToTheSameState() throws Exception {
    apply(0, new Change.HostDescribed(OneLeader.spec(OneLeader.A)));
    var bytes = new ByteArrayOutputStream();
    keeper.snapshot(new DataOutputStream(bytes));
    var other = new StateKeeper();
    other.restore(new DataInputStream(new ByteArrayInputStream(bytes.toByteArray())));
    assertThat(other.state().snapshot()).isEqualTo(keeper.state().snapshot());
    assertThat(ClusterState.EMPTY.snapshot()).isNotEqualTo(other.state().snapshot());
  }
}
