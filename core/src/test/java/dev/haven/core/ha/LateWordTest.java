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
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A guest's host answers an order that is over: what it proves holds, and nothing else does. */
class LateWordTest {
  private static final Epoch ONE = new Epoch(1);

  private ClusterState state = Hosts.running(Hosts.online(true, A, B), WEB, A);

  private Guest web() {
    return state.guest(WEB).orElseThrow();
  }

  private Decision happens(Event event) {
    var decision = HaPolicy.decide(state, event);
    decision.changes().forEach(c -> state = state.apply(c));
    return decision;
  }

  private Decision answered(Epoch stopped, Answer answer) {
    var stop = new Order.StopGuest(WEB, stopped, Duration.ZERO);
    return happens(new Event.OrderAnswered(A, BOOT, stop, answer, AT));
  }

  /** Its agent is asked for its word, and nobody waits for the end of a stop any more. */
  @BeforeEach
  void webHasCrashed() {
    var off = new DomainReport("web", DomainState.OFF_CRASHED, ONE, false, "crashed");
    happens(new Event.DomainsReported(A, BOOT, true, List.of(off), AT));
    assertThat(web().phase()).isInstanceOf(GuestPhase.Vacating.class);
    assertThat(web().holders()).containsOnlyKeys(A);
  }

  @Test
  void aGuestThatIsGoneByALateWordStartsAgain() {
    var decision = answered(ONE, new Answer.Gone("shut off", Optional.empty()));
    assertThat(decision.actions()).anyMatch(Action.Start.class::isInstance);
    assertThat(web().epoch()).isEqualTo(new Epoch(2));
  }

  @Test
  void aGuestThatHasMovedByALateWordIsNotHereAnyMore() {
    answered(ONE, new Answer.Migrated(Duration.ofSeconds(1), Optional.empty(), "moved"));
    assertThat(web().epoch()).isEqualTo(new Epoch(2));
  }

  @Test
  void aWordOfAnOlderEpochProvesNothingOfTheOneOfToday() {
    var decision = answered(Epoch.NONE, new Answer.Gone("shut off", Optional.empty()));
    assertThat(decision.actions()).isEmpty();
    assertThat(web().holders()).containsOnlyKeys(A);
  }

  static Stream<Answer> provesNothing() {
    var running = new DomainReport("web", DomainState.RUNNING, ONE, false, "running");
    return Stream.of(
        new Answer.Done("stopping"),
        new Answer.StillThere(running),
        new Answer.Failed("libvirt refused"),
        new Answer.Unknown("no answer in time"),
        new Answer.NotNoted("the disk is full"),
        new Answer.Refused("an older term"));
  }

  @ParameterizedTest
  @MethodSource("provesNothing")
  void whatProvesNothingWhenItComesInTimeProvesNothingLate(Answer answer) {
    assertThat(answered(ONE, answer).actions()).isEmpty();
    assertThat(web().holders()).containsOnlyKeys(A);
    assertThat(web().epoch()).isEqualTo(ONE);
  }
}
