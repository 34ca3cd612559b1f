package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.AT;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static dev.haven.core.ha.Hosts.WEB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A host whose fence proves nothing, and that somebody switches on: it is not shot again in the
 * middle of its boot.
 */
final class SwitchedOnByHandTest {
  private ClusterState state =
      Hosts.running(Hosts.online(true, A, B, new dev.haven.model.HostId("c")), WEB, A);
  private final List<Action.FenceHost> fences = new ArrayList<>();
  private Instant now = AT;

  private void happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    var outcome =
        state.apply(
            new Entry(Entry.FORMAT, state.version(), now, decision.changes(), decision.facts()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Applied.class);
    state = outcome.state();
    fences.clear();
    decision.actions().stream()
        .filter(Action.FenceHost.class::isInstance)
        .forEach(f -> fences.add((Action.FenceHost) f));
  }

  private HostState.Fencing fencing() {
    return (HostState.Fencing) state.host(A).orElseThrow().state();
  }

  @BeforeEach
  void theFenceProvesNothing() {
    happens(
        new Event.HostSilent(
            A,
            BOOT,
            new Event.Silence(
                Duration.ofSeconds(9), 1, Event.Echo.SILENT, Event.Power.ON, "nothing answers"),
            now));
    assertThat(fences).singleElement().satisfies(f -> assertThat(f.unlessOn()).isEmpty());
    happens(
        new Event.FencingConfirmed(
            A,
            BOOT,
            1,
            new Proof.PowerReadOff(A, BOOT, List.of("bmc says off"), now),
            List.of("bmc"), // nothing shows that it is this host's
            "",
            new TreeMap<>(),
            now));
    assertThat(fences)
        .singleElement()
        .satisfies(
            f -> {
              assertThat(f.unlessOn()).as("it looks before it shoots").hasValue(1);
              assertThat(f.attempt()).isEqualTo(2);
            });
  }

  private void somebodySwitchesItOn() {
    happens(new Event.HostSwitchedOn(A, BOOT, 2, now));
    assertThat(fences).isEmpty();
  }

  @Test
  void itIsLeftToBootAndPeopleAreToldForHowLong() {
    somebodySwitchesItOn();
    assertThat(fencing().bootLeft(now.plusSeconds(20))).contains(Duration.ofSeconds(580));
    assertThat(state.alarm("fencing-a").orElseThrow().message())
        .contains("somebody has switched it on", "10 min to boot");
    now = now.plusSeconds(599);
    happens(new Event.Tick(now));
    assertThat(fences).isEmpty();
    assertThat(state.guest(WEB).orElseThrow().holders()).containsKey(A);
  }

  @Test
  void aNewLeaderLeavesItToBootToo() {
    somebodySwitchesItOn();
    happens(new Event.LeaderElected(7, 1, Event.Quorum.NONE, now.plusSeconds(60)));
    assertThat(fences).isEmpty();
  }

  @Test
  void aNewLeaderLooksBeforeItShootsWhereItWasOffOnce() {
    happens(new Event.LeaderElected(7, 1, Event.Quorum.NONE, now));
    assertThat(fences).singleElement().satisfies(f -> assertThat(f.unlessOn()).hasValue(1));
  }

  @Test
  void whatDoesNotBootIn10MinutesIsFencedAgain() {
    somebodySwitchesItOn();
    now = now.plus(Duration.ofMinutes(10));
    happens(new Event.Tick(now));
    assertThat(fences)
        .singleElement()
        .satisfies(
            f -> {
              assertThat(f.unlessOn()).as("this time it is shot").isEmpty();
              assertThat(f.attempt()).isEqualTo(3);
            });
    happens(new Event.HostSwitchedOn(A, BOOT, 2, now)); // of the attempt before, late
    assertThat(fencing().bootLeft(now)).isEmpty();
  }

  @Test
  void aClockThatIsSetBackCostsNoBoot() {
    somebodySwitchesItOn();
    now = now.minus(Duration.ofHours(1));
    happens(new Event.Tick(now));
    assertThat(fences).isEmpty();
    assertThat(fencing().bootLeft(now)).contains(Duration.ofMinutes(10));
  }

  @Test
  void anOperatorWhoOrdersTheFenceWaitsForNoBoot() {
    somebodySwitchesItOn();
    happens(
        new Event.CommandReceived(
            new RequestId("r"), "admin", new Command.Fence(A), Event.Outlook.NONE, now));
    assertThat(fences).singleElement().satisfies(f -> assertThat(f.unlessOn()).isEmpty());
  }

  @Test
  void aLevelThatSaidOffAndCouldNotBeReadTwiceIsLookedAtToo() {
    happens(
        new Event.FencingFailed(
            A,
            BOOT,
            2,
            "no answer at the second reading",
            OptionalInt.of(1),
            Event.Quorum.NONE,
            now));
    assertThat(fences).singleElement().satisfies(f -> assertThat(f.unlessOn()).hasValue(1));
    assertThat(fencing().off()).contains(new HostState.Off(1, Optional.empty()));
  }
}
