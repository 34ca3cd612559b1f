package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.lead.Containment;
import dev.haven.model.GuestId;
import dev.haven.model.Json;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A fault of ours in the judgement of one guest stops nothing else, on the loop that ships. */
class ContainmentTest {
  private static final GuestId POISON = new GuestId("g1");
  private static final Instant AT = Instant.parse("2026-11-29T00:00:00Z");

  /** Whatever looks at all that waits stumbles over one guest. */
  private static Decision stumbling(ClusterState state, Event event, Set<GuestId> leftOut) {
    boolean looks = event instanceof Event.Tick || event instanceof Event.CommandReceived;
    if (looks && state.guest(POISON).isPresent() && !leftOut.contains(POISON)) {
      throw new IllegalArgumentException("index -1 of guest g1");
    }
    return HaPolicy.decide(state, event, leftOut);
  }

  @Test
  void aGuestWhoseDecisionThrowsIsLeftOutAndToldAndEverythingElseGoesOn() throws Exception {
    try (var leader = OneLeader.withThreeHosts(ContainmentTest::stumbling)) {
      leader.guestsOnA(3);
      leader.command(new Command.Uncordon(OneLeader.B)); // needs a decision on everything
      assertThat(leader.state().host(OneLeader.B).orElseThrow().cordoned()).isFalse();
      leader.allIsDone();
      assertThat(leader.state().alarm("fault-guest g1").map(Alarm::message))
          .hasValueSatisfying(
              words -> assertThat(words).contains("guest g1", "index -1 of guest g1", "1 times"));
      assertThat(leader.state().alarms()).noneMatch(a -> a.id().contains("g0"));
    }
  }

  @Test
  void theAlarmOfAnEarlierLeaderAboutAGuestEndsOnceADecisionOnAllSucceeds() {
    var state =
        applied(ClusterState.EMPTY, new Event.DecisionFailed("guest g1", "index -1", 1, AT));
    assertThat(state.alarm("fault-guest g1")).isPresent();
    var faults = new Containment(HaPolicy::decide, (_, _) -> {});
    faults.decide(state, new Event.Tick(AT), 0);
    assertThat(told(faults, state).alarm("fault-guest g1")).isEmpty();
  }

  @Test
  void theAlarmAboutAKindOfEventEndsAfterAnHourWithoutAnotherFault() {
    boolean[] fails = {true};
    var faults =
        new Containment(
            (state, event, leftOut) -> {
              if (fails[0] && event instanceof Event.GoOn) {
                throw new IllegalArgumentException("index -1");
              }
              return HaPolicy.decide(state, event, leftOut);
            },
            (_, _) -> {});
    var state = ClusterState.EMPTY;
    long minute = 60_000_000_000L;
    for (int i = 0; i < 2; i++) {
      long now = i * 30 * minute;
      assertThatThrownBy(() -> faults.decide(ClusterState.EMPTY, new Event.GoOn(AT), now))
          .hasMessageContaining("index -1");
      state = told(faults, state);
      assertThat(state.alarm("fault-event GoOn")).isPresent();
    }
    faults.decide(state, new Event.Tick(AT), 89 * minute);
    state = told(faults, state);
    assertThat(state.alarm("fault-event GoOn")).isPresent();
    faults.decide(state, new Event.Tick(AT), 90 * minute);
    state = told(faults, state);
    assertThat(state.alarm("fault-event GoOn")).isEmpty();
    var again = state;
    assertThatThrownBy(() -> faults.decide(again, new Event.GoOn(AT), 91 * minute))
        .hasMessageContaining("index -1");
    assertThat(told(faults, state).alarm("fault-event GoOn")).as("told again").isPresent();
  }

  private static ClusterState told(Containment faults, ClusterState state) {
    for (var fault = faults.toTell(); fault.isPresent(); fault = faults.toTell()) {
      state = applied(state, fault.get());
    }
    return state;
  }

  private static ClusterState applied(ClusterState state, Event event) {
    var d = HaPolicy.decide(state, event);
    return state
        .apply(new Entry(Entry.FORMAT, state.version(), event.at(), d.changes(), d.facts()))
        .state();
  }

  @Test
  void aBrokenEntryIsToldForADayAfterTheLastOne() {
    var hour = java.time.Duration.ofHours(1);
    var state = applied(ClusterState.EMPTY.withBrokenEntry(7), new Event.Tick(AT));
    assertThat(state.alarm("broken-entry").map(Alarm::since)).hasValue(AT);
    var second = AT.plus(hour);
    state = applied(state.withBrokenEntry(9), new Event.Tick(second));
    state = applied(state, new Event.Tick(second.plus(hour.multipliedBy(24)).minusSeconds(1)));
    assertThat(state.alarm("broken-entry").map(Alarm::since)).hasValue(second);
    state = applied(state, new Event.Tick(second.plus(hour.multipliedBy(24))));
    assertThat(state.alarm("broken-entry")).isEmpty();
  }

  @Test
  void aDecisionThatBreaksARuleIsTakenAgainWithoutItsGuest() throws Exception {
    try (var leader =
        OneLeader.withThreeHosts(
            (state, event, leftOut) -> {
              var d = HaPolicy.decide(state, event, leftOut);
              if (!(event instanceof Event.Tick)
                  || state.guest(POISON).isEmpty()
                  || leftOut.contains(POISON)) {
                return d;
              }
              var changes = new ArrayList<>(d.changes());
              changes.add(new Change.PhaseChanged(POISON, new GuestPhase.Stopped("wrong")));
              return new Decision(
                  changes, List.of(), List.of(), List.<Fact>of(), "wrong", d.reply(), false);
            })) {
      leader.guestsOnA(2);
      leader.happens(new Event.Tick(Instant.now()));
      leader.allIsDone();
      assertThat(leader.state().alarm("fault-guest g1").map(Alarm::message))
          .hasValueSatisfying(words -> assertThat(words).contains("breaks a rule", "held by"));
      assertThat(leader.state().alarm("broken-entry")).isPresent();
    }
  }

  @Test
  void anEntryThatCannotBeReadOrAppliedIsRecordedAlikeOnEveryVoter() {
    var one = new StateKeeper();
    var other = new StateKeeper();
    one.onApplied(
        (_, _) -> {
          throw new IllegalStateException("a listener that fails ends nothing");
        });
    for (var voter : List.of(one, other)) {
      voter.apply(
          1,
          1,
          "{\"format\":%d,\"changes\":[{\"type\":\"Nonsense\"}]}"
              .formatted(Entry.FORMAT)
              .getBytes(StandardCharsets.UTF_8));
      var broken =
          new Entry(
              Entry.FORMAT,
              voter.state().version(),
              Instant.EPOCH,
              List.of(new Change.GuestWanted(new GuestId("nobody"), true)),
              List.of());
      assertThat(
              Json.read(voter.apply(2, 1, Json.bytes(broken)), StateKeeper.Result.class).answer())
          .isEqualTo(StateKeeper.Answer.BROKEN);
      var good =
          new Entry(
              Entry.FORMAT,
              voter.state().version(),
              Instant.EPOCH,
              List.of(new Change.HostDescribed(OneLeader.spec(OneLeader.A))),
              List.of());
      voter.apply(3, 1, Json.bytes(good));
      assertThat(voter.state().host(OneLeader.A)).isPresent();
    }
    assertThat(one.state().snapshot()).isEqualTo(other.state().snapshot());
    assertThat(one.state().alarm("broken-entry").map(Alarm::message))
        .hasValueSatisfying(words -> assertThat(words).contains("(2)"));
    var newer = new Entry(Entry.FORMAT + 1, 0, Instant.EPOCH, List.of(), List.of());
    assertThatThrownBy(() -> one.apply(4, 1, Json.bytes(newer)))
        .hasMessageContaining("upgrade this one");
  }
}
