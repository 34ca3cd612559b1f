package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.AT;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static dev.haven.core.ha.Hosts.WEB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** A host that was proven off lives after all: what becomes of the guests that it may still run. */
class VoidedProofsTest {
  private static final Epoch ONE = new Epoch(1);
  private static final Epoch TWO = new Epoch(2);

  private ClusterState state = Hosts.running(Hosts.online(true, A, B), WEB, B);
  private final List<Action> actions = new ArrayList<>();

  private void happens(Event event) {
    var d = HaPolicy.decide(state, event);
    actions.addAll(d.actions());
    d.changes().forEach(c -> state = state.apply(c));
  }

  /** The host is proven off, and nobody has room for its guest. */
  private void provenOff(HostId host, Epoch ran) {
    var proof = Hosts.off(host, BOOT);
    state =
        state
            .apply(new Change.HostStateChanged(host, new HostState.Fenced(BOOT, proof)))
            .apply(new Change.HolderCleared(WEB, host, proof))
            .apply(new Change.PhaseChanged(WEB, new GuestPhase.Waiting("no room")));
    assertThat(state.guest(WEB).orElseThrow().epoch()).isEqualTo(ran);
  }

  private void stillThere(HostId host, Epoch epoch, DomainState how) {
    happens(
        new Event.OrderAnswered(
            host,
            BOOT,
            new Order.ConfirmGone(WEB, epoch, false),
            new Answer.StillThere(new DomainReport("web", how, epoch, false, how.toString())),
            AT));
  }

  @Test
  void aGuestThatTwoHostsMayRunGoesOnOnNeither() {
    provenOff(B, ONE);
    state = state.apply(new Change.GuestPlaced(WEB, new Holding(A, BOOT, TWO)));
    provenOff(A, TWO);
    happens(new Event.HostHeard(A, BOOT, AT));
    happens(new Event.HostHeard(B, BOOT, AT));
    var web = state.guest(WEB).orElseThrow();
    assertThat(web.holders()).containsOnlyKeys(A, B);
    assertThat(actions)
        .contains(new Action.Send(A, BOOT, new Order.ConfirmGone(WEB, TWO, true)))
        .noneMatch(Action.Start.class::isInstance);
    stillThere(A, TWO, DomainState.RUNNING); // asked before host b was heard
    assertThat(state.guest(WEB).orElseThrow().phase())
        .as("it does not count as running while host b may run it too")
        .isInstanceOf(GuestPhase.Vacating.class);
  }

  @Test
  void aCopyThatHasOnlyArrivedIsEndedAndNotTakenForTheRunningGuest() {
    provenOff(B, ONE);
    state = state.apply(new Change.HostCordoned(A, true));
    happens(new Event.HostHeard(B, BOOT, AT));
    actions.clear();
    stillThere(B, ONE, DomainState.INCOMING);
    assertThat(state.guest(WEB).orElseThrow().phase())
        .as("nobody would ever let it run")
        .isInstanceOfSatisfying(GuestPhase.Vacating.class, v -> assertThat(v.destroy()).isTrue());
    assertThat(actions).contains(new Action.Send(B, BOOT, new Order.ConfirmGone(WEB, ONE, true)));
  }

  private static final BootId NEXT = new BootId("boot-2");

  private Optional<Proof> voided() {
    return state.voided(state.guest(WEB).orElseThrow());
  }

  @Test
  void aProofIsVoidedByALifeUnderItsOwnBootAndNotByTheNextBoot() {
    provenOff(B, ONE);
    assertThat(voided()).as("it is off").isEmpty();
    var off = state;
    state = off.apply(new Change.HostStateChanged(B, new HostState.Online()));
    assertThat(voided()).contains(Hosts.off(B, BOOT));
    state = boots(off, B).apply(new Change.HostStateChanged(B, new HostState.Online()));
    assertThat(voided()).as("what ran under the boot before is gone").isEmpty();
  }

  private static ClusterState boots(ClusterState state, HostId host) {
    return state.apply(
        new Change.AgentSeated(
            host,
            NEXT,
            new Host.Agent(new ProcessId("p-2"), "a2V5", "1"),
            new Capacity(8192, 8, "test")));
  }

  @Test
  void whatItsAgentSaidBeforeHoldsThoughTheHostLives() {
    var said = new Proof.AgentsWord(B, BOOT, WEB, ONE, "off", AT);
    state =
        state
            .apply(new Change.HolderCleared(WEB, B, said))
            .apply(new Change.PhaseChanged(WEB, new GuestPhase.Waiting("no room")))
            .apply(new Change.HostStateChanged(A, new HostState.Fenced(BOOT, Hosts.off(A, BOOT))))
            .apply(new Change.HostStateChanged(B, new HostState.Fenced(BOOT, Hosts.off(B, BOOT))));
    happens(new Event.HostHeard(B, BOOT, AT));
    assertThat(state.guest(WEB).orElseThrow().holders()).isEmpty();
  }

  @Test
  void aMigrationThatWasUndoneOnlyByTheTargetsDeathIsUndoneOnceMoreWhenItLives() {
    var checking =
        new GuestPhase.Migrating(
            new Holding(B, BOOT, ONE),
            new Holding(A, BOOT, TWO),
            GuestPhase.Step.CHECKING,
            "",
            Optional.empty());
    var staying = checking.at(GuestPhase.Step.STAYING, "host a is off");
    var off = Hosts.off(A, BOOT);
    state =
        state
            .apply(new Change.PhaseChanged(WEB, checking))
            .apply(new Change.MigrationBegun(WEB))
            .apply(new Change.HostStateChanged(A, new HostState.Fenced(BOOT, off)))
            .apply(new Change.HolderCleared(WEB, A, off))
            .apply(new Change.PhaseChanged(WEB, staying));
    happens(new Event.HostHeard(A, BOOT, AT));
    var web = state.guest(WEB).orElseThrow();
    assertThat(web.holders()).containsOnlyKeys(A, B);
    assertThat(web.phase())
        .as("nothing of it may be left at the target before it goes on at the source")
        .isInstanceOfSatisfying(
            GuestPhase.Migrating.class,
            m -> assertThat(m.step()).isEqualTo(GuestPhase.Step.UNDOING));
  }
}
