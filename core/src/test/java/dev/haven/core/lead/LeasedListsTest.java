package dev.haven.core.lead;

import static dev.haven.core.lead.WatchRig.A;
import static dev.haven.core.lead.WatchRig.B;
import static dev.haven.core.lead.WatchRig.BOOT;
import static dev.haven.core.lead.WatchRig.C;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Holding;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** An agent hears which guests its leases name, once for each change of that list. */
class LeasedListsTest {
  private static final GuestId WEB = new GuestId("web");

  private final WatchRig rig = new WatchRig();
  private final LeasedLists lists = new LeasedLists();

  private ClusterState placed() {
    return rig.state
        .apply(
            new Change.GuestDescribed(
                new GuestSpec(
                    WEB,
                    "uuid-web",
                    512,
                    1,
                    0,
                    "<domain/>",
                    Map.of(),
                    List.of(),
                    GuestSpec.Restart.ANYWHERE,
                    3),
                true))
        .apply(new Change.GuestPlaced(WEB, new Holding(A, BOOT, new Epoch(1))));
  }

  @Test
  void anAgentThatJoinsIsToldAndAgainWhenItsGuestsChange() {
    var first = lists.joined(A, rig.state, 7, true).orElseThrow();
    assertThat(first.host()).isEqualTo(A);
    assertThat(first.boot()).isEqualTo(BOOT);
    assertThat(first.list().exclusives()).isEmpty();
    assertThat(lists.hosts()).containsExactly(A);
    var after = placed();
    var told = lists.applied(rig.state, after, 7, true);
    assertThat(told).hasSize(1);
    assertThat(told.getFirst().list().exclusives()).containsEntry(WEB, new Epoch(1));
    assertThat(lists.applied(after, after, 7, true)).as("nothing has changed").isEmpty();
  }

  @Test
  void whatChangesElsewhereIsNotToldHere() {
    rig.add(B);
    lists.joined(B, rig.state, 7, true);
    assertThat(lists.applied(rig.state, placed(), 7, true)).isEmpty();
  }

  @Test
  void aChangeThatSaysTheSameToTheAgentIsNotTold() {
    lists.joined(A, rig.state, 7, true);
    var before = rig.state;
    rig.isSuspect(A);
    assertThat(lists.applied(before, rig.state, 7, true)).isEmpty();
  }

  @Test
  void anAgentThatJoinsAgainIsToldAgain() {
    assertThat(lists.joined(A, rig.state, 7, true)).isPresent();
    assertThat(lists.joined(A, rig.state, 7, true)).isPresent();
  }

  @Test
  void whoHasLeftIsToldNothing() {
    rig.add(B);
    lists.joined(A, rig.state, 7, true);
    lists.joined(B, rig.state, 7, true);
    lists.left(A);
    assertThat(lists.applied(rig.state, placed(), 7, true)).isEmpty();
    assertThat(lists.hosts()).containsExactly(B);
    lists.clear();
    assertThat(lists.hosts()).isEmpty();
  }

  @Test
  void aHostThatIsNotOfTheClusterIsToldNothing() {
    assertThat(lists.joined(C, rig.state, 7, true)).isEmpty();
  }
}
