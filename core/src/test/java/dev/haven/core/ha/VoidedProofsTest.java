package dev.haven.core.ha;

import static dev.haven.core.ha.Hosts.A;
import static dev.haven.core.ha.Hosts.AT;
import static dev.haven.core.ha.Hosts.B;
import static dev.haven.core.ha.Hosts.BOOT;
import static dev.haven.core.ha.Hosts.WEB;
import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.HostId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.util.ArrayList;
import java.util.List;
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
    state = state.apply(new Change.GuestPlaced(WEB, A, BOOT, TWO));
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
}
