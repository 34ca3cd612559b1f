package dev.haven.core.lead;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Holding;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Which guests come no further, for how long, and what was said about them last. */
class LongWaitsTest {
  private static final HostId A = new HostId("a");
  private static final BootId BOOT = new BootId("boot-1");
  private static final GuestId WEB = new GuestId("web");
  private static final Epoch ONE = new Epoch(1);
  private static final long SECOND = 1_000_000_000L;

  /** System.nanoTime may have any value, and overflows here while the tests go on. */
  private static final long START = Long.MAX_VALUE - 5 * SECOND;

  private final LongWaits waits = new LongWaits();
  private ClusterState state =
      ClusterState.EMPTY
          .apply(
              new Change.HostDescribed(
                  new HostSpec(
                      A,
                      Optional.empty(),
                      "qemu+tcp://a/system",
                      List.of(),
                      List.of(),
                      Map.of(),
                      Optional.empty(),
                      1024,
                      4)))
          .apply(
              new Change.AgentSeated(
                  A,
                  BOOT,
                  new Host.Agent(new ProcessId("p"), "a2V5", "1"),
                  new Capacity(8192, 8, "test")))
          .apply(new Change.HostStateChanged(A, new HostState.Online()))
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
          .apply(new Change.GuestPlaced(WEB, new Holding(A, BOOT, ONE)));

  private void phase(GuestPhase phase) {
    state = state.apply(new Change.PhaseChanged(WEB, phase));
  }

  private List<Event.Lasting> lasting(long seconds) {
    return waits.lasting(state, START + seconds * SECOND);
  }

  private void answers(Answer answer) {
    waits.heard(
        new Event.OrderAnswered(
            A, BOOT, new Order.ConfirmGone(WEB, ONE, false), answer, Instant.EPOCH));
  }

  private void reports(boolean libvirtUp, DomainState how, Epoch epoch) {
    waits.heard(
        new Event.DomainsReported(
            A,
            BOOT,
            libvirtUp,
            List.of(new DomainReport("web", how, epoch, false, "")),
            Instant.EPOCH));
  }

  @Test
  void aGuestThatStartsForFifteenSecondsIsToldWithWhatItsHostSaidLast() {
    assertThat(lasting(0)).isEmpty();
    assertThat(lasting(14)).isEmpty();
    answers(new Answer.Refused("an older term"));
    assertThat(lasting(15))
        .containsExactly(
            new Event.Lasting(
                WEB, Duration.ofSeconds(15), "host a: refused: an older term", false));
    answers(new Answer.Failed("no memory"));
    assertThat(lasting(20))
        .containsExactly(new Event.Lasting(WEB, Duration.ofSeconds(20), "host a: no memory", true));
  }

  @Test
  void onlyWhatLibvirtWasAskedAndCouldNotOrDidNotSayCountsAsTried() {
    lasting(0);
    var report = new DomainReport("web", DomainState.RUNNING, ONE, false, "running");
    assertThat(tried(new Answer.StillThere(report))).isTrue();
    assertThat(tried(new Answer.Done("started"))).isFalse();
    assertThat(tried(new Answer.Unknown("libvirt went away"))).isTrue();
    assertThat(tried(new Answer.NotNoted("disk full"))).isFalse();
    assertThat(tried(new Answer.Failed("no memory"))).isTrue();
    assertThat(tried(new Answer.Gone("off", Optional.empty()))).isFalse();
  }

  private boolean tried(Answer answer) {
    answers(answer);
    return lasting(20).getFirst().tried();
  }

  @Test
  void aGuestThatComesFurtherWaitsAnew() {
    lasting(0);
    phase(new GuestPhase.Stopping(new Holding(A, BOOT, ONE), Duration.ofSeconds(60)));
    assertThat(lasting(20)).isEmpty();
    assertThat(lasting(34)).isEmpty();
    assertThat(lasting(35)).hasSize(1);
    phase(new GuestPhase.Running(new Holding(A, BOOT, ONE)));
    assertThat(lasting(40)).isEmpty();
    phase(new GuestPhase.Stopping(new Holding(A, BOOT, ONE), Duration.ofSeconds(60)));
    assertThat(lasting(60)).as("it ran in between").isEmpty();
  }

  @Test
  void aNewLeaderCountsAnewAndKnowsNoAnswer() {
    lasting(0);
    answers(new Answer.Failed("no memory"));
    waits.elected();
    assertThat(lasting(20)).isEmpty();
    assertThat(lasting(35).getFirst().lastAnswer()).isEmpty();
  }

  @Test
  void aGuestThatCountsAsRunningButWaitsToBeLetRunIsTold() {
    phase(new GuestPhase.Running(new Holding(A, BOOT, ONE)));
    reports(true, DomainState.INCOMING, ONE);
    assertThat(lasting(0)).isEmpty();
    assertThat(lasting(15)).hasSize(1);
    reports(false, DomainState.RUNNING, ONE);
    assertThat(lasting(16)).as("libvirt is down: nothing new is known").hasSize(1);
    reports(true, DomainState.RUNNING, ONE);
    assertThat(lasting(17)).isEmpty();
  }

  @Test
  void whatWaitsToBeLetRunUnderAnotherEpochIsNotThisGuest() {
    phase(new GuestPhase.Running(new Holding(A, BOOT, ONE)));
    reports(true, DomainState.INCOMING, new Epoch(2));
    lasting(0);
    assertThat(lasting(15)).isEmpty();
  }

  @Test
  void aNewLeaderKnowsOfNoGuestThatWaitsToBeLetRunUntilItsHostReports() {
    phase(new GuestPhase.Running(new Holding(A, BOOT, ONE)));
    reports(true, DomainState.INCOMING, ONE);
    waits.elected();
    lasting(0);
    assertThat(lasting(15)).isEmpty();
  }
}
