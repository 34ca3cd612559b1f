package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Holding;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.lease.Lease;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which list of guests a lease names. */
class LeaseDigestsTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final BootId BOOT = new BootId("boot-1");
  private static final GuestId WEB = new GuestId("web");

  private final LeaseDigests digests = new LeaseDigests();

  private static ClusterState committed(ClusterState state, Change... changes) {
    return state
        .apply(new Entry(Entry.FORMAT, state.version(), Instant.EPOCH, List.of(changes), List.of()))
        .state();
  }

  @Test
  void aLeaseNamesTheGuestsOfTheStateThatItIsGrantedUnder() {
    var before =
        committed(
            ClusterState.EMPTY,
            described("a"),
            new Change.AgentSeated(
                A,
                BOOT,
                new Host.Agent(new ProcessId("p"), "a2V5", "1"),
                new Capacity(8192, 8, "test")),
            new Change.HostStateChanged(A, new HostState.Online()),
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
                true));
    assertThat(digests.of(before, A)).isEqualTo(Lease.digest(before.leased(A)));
    var placed = committed(before, new Change.GuestPlaced(WEB, new Holding(A, BOOT, new Epoch(1))));
    assertThat(placed.leased(A)).containsOnlyKeys(WEB);
    assertThat(digests.of(placed, A)).isEqualTo(Lease.digest(placed.leased(A)));
    assertThat(digests.of(placed, A)).isNotEqualTo(digests.of(before, A));
  }

  @Test
  void aChangeOfAnotherHostChangesNoDigestAndARemovedHostIsForgotten() {
    var before = committed(ClusterState.EMPTY, described("a"), described("b"));
    long ofA = digests.of(before, A);
    assertThat(digests.of(before, B)).isEqualTo(Lease.digest(before.leased(B)));
    var after =
        committed(
            before,
            new Change.AgentSeated(
                B,
                BOOT,
                new Host.Agent(new ProcessId("p"), "a2V5", "1"),
                new Capacity(8192, 8, "test")));
    assertThat(after.leasedAsIn(before, A)).isTrue();
    assertThat(digests.of(after, A)).isEqualTo(ofA);
    assertThat(after.leasedAsIn(before, B)).isFalse();
    var without = committed(after, new Change.HostRemoved(B));
    assertThat(digests.of(without, A)).isEqualTo(ofA);
    assertThat(digests.hosts()).containsExactly(A);
  }

  private static Change described(String host) {
    return new Change.HostDescribed(
        new HostSpec(
            new HostId(host),
            Optional.empty(),
            "qemu+tcp://%s/system".formatted(host),
            List.of(),
            List.of(),
            Map.of(),
            Optional.empty(),
            1024,
            4));
  }
}
