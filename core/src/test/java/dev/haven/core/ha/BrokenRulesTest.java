package dev.haven.core.ha;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the state refuses whatever was decided. */
class BrokenRulesTest {
  private static final Epoch ONE = new Epoch(1);
  private static final Epoch TWO = new Epoch(2);
  private static final GuestId NEW = new GuestId("new");

  private static final ClusterState STATE =
      Hosts.running(Hosts.online(true, Hosts.A, Hosts.B), Hosts.WEB, Hosts.A)
          .apply(new Change.GuestDescribed(Hosts.guest(NEW, 1024), true));

  private static GuestPhase.Migrating migrating(GuestPhase.Step step) {
    return new GuestPhase.Migrating(
        new Holding(Hosts.A, Hosts.BOOT, ONE),
        new Holding(Hosts.B, Hosts.BOOT, TWO),
        step,
        "test",
        Optional.empty());
  }

  static Stream<Arguments> rules() {
    return Stream.of(
        Arguments.of(
            "a guest that a host may run is placed nowhere else",
            new Change.GuestPlaced(Hosts.WEB, new Holding(Hosts.B, Hosts.BOOT, TWO))),
        Arguments.of(
            "an epoch is never given twice",
            new Change.GuestPlaced(NEW, new Holding(Hosts.B, Hosts.BOOT, new Epoch(0)))),
        Arguments.of(
            "no epoch is left out",
            new Change.GuestPlaced(NEW, new Holding(Hosts.B, Hosts.BOOT, TWO))),
        Arguments.of(
            "a host takes guests only under the boot that joined",
            new Change.GuestPlaced(NEW, new Holding(Hosts.B, new BootId("boot-0"), ONE))),
        Arguments.of(
            "a proof of another boot takes nothing away",
            new Change.HolderCleared(Hosts.WEB, Hosts.A, Hosts.off(Hosts.A, new BootId("boot-0")))),
        Arguments.of(
            "a proof of another host takes nothing away",
            new Change.HolderCleared(Hosts.WEB, Hosts.A, Hosts.off(Hosts.B, Hosts.BOOT))),
        Arguments.of(
            "an agent's word for an earlier epoch takes nothing away",
            new Change.HolderCleared(
                Hosts.WEB,
                Hosts.A,
                new Proof.AgentsWord(Hosts.A, Hosts.BOOT, Hosts.WEB, Epoch.NONE, "off", Hosts.AT))),
        Arguments.of(
            "an agent's word for another guest takes nothing away",
            new Change.HolderCleared(
                Hosts.WEB,
                Hosts.A,
                new Proof.AgentsWord(Hosts.A, Hosts.BOOT, NEW, ONE, "off", Hosts.AT))),
        Arguments.of(
            "another guest's disks, cut off, take nothing away",
            new Change.HolderCleared(Hosts.WEB, Hosts.A, revoked(NEW, ONE))),
        Arguments.of(
            "disks that were cut off under an earlier epoch take nothing away",
            new Change.HolderCleared(Hosts.WEB, Hosts.A, revoked(Hosts.WEB, Epoch.NONE))),
        Arguments.of(
            "a guest that a host may run is not stopped",
            new Change.PhaseChanged(Hosts.WEB, new GuestPhase.Stopped("test"))),
        Arguments.of(
            "a guest that a host may run does not wait",
            new Change.PhaseChanged(Hosts.WEB, new GuestPhase.Waiting("test"))),
        Arguments.of(
            "a guest runs only where it was placed",
            new Change.PhaseChanged(
                Hosts.WEB, new GuestPhase.Running(new Holding(Hosts.B, Hosts.BOOT, ONE)))),
        Arguments.of(
            "a guest runs only under the boot under which it was placed",
            new Change.PhaseChanged(
                Hosts.WEB,
                new GuestPhase.Running(new Holding(Hosts.A, new BootId("boot-0"), ONE)))),
        Arguments.of(
            "a guest stops only under the epoch under which it was placed",
            new Change.PhaseChanged(
                Hosts.WEB,
                new GuestPhase.Stopping(
                    new Holding(Hosts.A, Hosts.BOOT, TWO), Duration.ofSeconds(1)))),
        Arguments.of(
            "a start needs a place",
            new Change.PhaseChanged(
                NEW, new GuestPhase.Starting(new Holding(Hosts.B, Hosts.BOOT, ONE)))),
        Arguments.of("a migration needs a check", new Change.MigrationBegun(Hosts.WEB)),
        Arguments.of(
            "a guest has not arrived while its source holds it",
            new Change.PhaseChanged(Hosts.WEB, migrating(GuestPhase.Step.ARRIVED))),
        Arguments.of(
            "a guest moves only with an intent",
            new Change.PhaseChanged(Hosts.WEB, migrating(GuestPhase.Step.MOVING))),
        Arguments.of(
            "a guest that a host may run is not forgotten", new Change.GuestRemoved(Hosts.WEB)),
        Arguments.of(
            "a host that holds a guest is not forgotten", new Change.HostRemoved(Hosts.A)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("rules")
  void whatBreaksARuleIsNotApplied(String rule, Change change) {
    var outcome =
        STATE.apply(
            new Entry(
                Entry.FORMAT,
                STATE.version(),
                Hosts.AT,
                List.of(new Change.HostCordoned(Hosts.B, true), change),
                List.of()));
    assertThat(outcome).as(rule).isInstanceOf(ClusterState.Outcome.Broken.class);
    assertThat(outcome.state()).as("nothing of the entry is applied").isSameAs(STATE);
  }

  @Test
  void anEntryThatWasDecidedOnAnotherStateIsStale() {
    var outcome =
        STATE.apply(new Entry(Entry.FORMAT, STATE.version() + 1, Hosts.AT, List.of(), List.of()));
    assertThat(outcome).isInstanceOf(ClusterState.Outcome.Stale.class);
    assertThat(outcome.state()).isSameAs(STATE);
  }

  @Test
  void nothingRestsOnAContradictedProof() {
    var state =
        STATE
            .apply(
                new Change.HostStateChanged(
                    Hosts.A, new HostState.Fenced(Hosts.BOOT, Hosts.off(Hosts.A, Hosts.BOOT))))
            .apply(new Change.HolderCleared(Hosts.WEB, Hosts.A, Hosts.off(Hosts.A, Hosts.BOOT)))
            .apply(new Change.PhaseChanged(Hosts.WEB, new GuestPhase.Waiting("test")))
            .apply(new Change.GuestPlaced(Hosts.WEB, new Holding(Hosts.B, Hosts.BOOT, TWO)));
    var decision =
        HaPolicy.decide(
            state, new Event.ProofContradicted(Hosts.A, Hosts.BOOT, "it was heard", Hosts.AT));
    var after =
        state
            .apply(
                new Entry(
                    Entry.FORMAT, state.version(), Hosts.AT, decision.changes(), decision.facts()))
            .state();
    var web = after.guest(Hosts.WEB).orElseThrow();
    assertThat(web.holders()).containsOnlyKeys(Hosts.A, Hosts.B);
    assertThat(web.proofs()).isEmpty();
    var tick = HaPolicy.decide(after, new Event.Tick(Hosts.AT));
    assertThat(tick.actions()).noneMatch(BrokenRulesTest::startsWeb);
    assertThat(tick.actions())
        .as("the host that lives is asked for its word")
        .anyMatch(a -> a instanceof Action.Send s && s.host().equals(Hosts.A));
    // the other one dies meanwhile: nothing is thrown, and nothing starts
    var lost =
        HaPolicy.decide(
            after.apply(
                new Change.HostStateChanged(
                    Hosts.B, new HostState.Fencing(1, HostState.Cause.POWER_LOSS, Hosts.AT, ""))),
            new Event.FencingConfirmed(
                Hosts.B,
                Hosts.BOOT,
                1,
                (Proof.PowerReadOff) Hosts.off(Hosts.B, Hosts.BOOT),
                java.util.List.of(),
                "",
                new java.util.TreeMap<>(),
                Hosts.AT));
    assertThat(lost.actions()).noneMatch(BrokenRulesTest::startsWeb);
  }

  @Test
  void aGuestIsNotPlacedWhileAHostThatItWasProvenOffLives() {
    var waiting =
        STATE
            .apply(new Change.HolderCleared(Hosts.WEB, Hosts.A, Hosts.off(Hosts.A, Hosts.BOOT)))
            .apply(new Change.PhaseChanged(Hosts.WEB, new GuestPhase.Waiting("test")));
    var placed = new Change.GuestPlaced(Hosts.WEB, new Holding(Hosts.B, Hosts.BOOT, TWO));
    assertThatThrownBy(() -> waiting.apply(placed)).hasMessageContaining("its host lives");
    var proven =
        waiting.apply(
            new Change.HostStateChanged(
                Hosts.A, new HostState.Fenced(Hosts.BOOT, Hosts.off(Hosts.A, Hosts.BOOT))));
    assertThat(proven.apply(placed).guest(Hosts.WEB).orElseThrow().holders())
        .containsOnlyKeys(Hosts.B);
  }

  private static Proof revoked(GuestId guest, Epoch epoch) {
    return new Proof.StorageRevoked(
        Hosts.A, Hosts.BOOT, guest, epoch, List.of("vda: blocklisted"), Hosts.AT);
  }

  @Test
  void aGuestWhoseDisksWereCutOffMayRunElsewhere() {
    var cleared =
        STATE.apply(new Change.HolderCleared(Hosts.WEB, Hosts.A, revoked(Hosts.WEB, ONE)));
    assertThat(cleared.guest(Hosts.WEB).orElseThrow().holders()).isEmpty();
    assertThatThrownBy(
            () ->
                new Proof.StorageRevoked(Hosts.A, Hosts.BOOT, Hosts.WEB, ONE, List.of(), Hosts.AT))
        .as("a guest without a writable disk")
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static boolean startsWeb(Action action) {
    return action instanceof Action.Start s && s.guest().equals(Hosts.WEB);
  }

  @Test
  void aStopIsWantedEvenIfItComesInTheMiddle() {
    var state =
        STATE.apply(new Change.PhaseChanged(Hosts.WEB, migrating(GuestPhase.Step.CHECKING)));
    var decision =
        HaPolicy.decide(
            state,
            new Event.CommandReceived(
                new dev.haven.model.RequestId("r"),
                "admin",
                new dev.haven.model.api.Command.StopGuest(Hosts.WEB, Duration.ZERO),
                Event.Outlook.NONE,
                Hosts.AT));
    assertThat(decision.changes()).contains(new Change.GuestWanted(Hosts.WEB, false));
    assertThat(decision.actions())
        .anyMatch(
            a ->
                a instanceof Action.Send s
                    && s.order() instanceof dev.haven.model.wire.Order.StopGuest);
  }
}
