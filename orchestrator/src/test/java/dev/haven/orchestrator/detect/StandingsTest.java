package dev.haven.orchestrator.detect;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.lead.Standing;
import dev.haven.model.api.Alarm;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Of what voters say of themselves, what an operator is told. */
class StandingsTest {
  private static final long SECOND = 1_000_000_000L;

  private final Standings standings = new Standings();
  private ClusterState state = ClusterState.EMPTY;
  private List<String> members = List.of("a", "b", "c");
  private Optional<String> sealedWith = Optional.empty();
  private long now = 1_000 * SECOND;

  private static Standing key(String id) {
    return new Standing(id, Optional.empty());
  }

  private static Standing waits(String why) {
    return new Standing("1111", Optional.of(why));
  }

  private void say(String voter, Standing standing) {
    standings.said(voter, standing, now);
  }

  /** The leader, with this standing, looks, and what it decides is committed. */
  private int look(Standing leaders) {
    now += SECOND;
    var events = standings.look(state, "a", leaders, members, sealedWith, now, Instant.EPOCH);
    for (var event : events) {
      for (var change : HaPolicy.decide(state, event).changes()) {
        state = state.apply(change);
      }
    }
    return events.size();
  }

  private List<String> alarms() {
    return state.alarms().stream().map(Alarm::id).toList();
  }

  @Test
  void aVoterWithAnotherSecretsKeyIsNamedUntilItHasTheRightOne() {
    say("b", key("1111"));
    say("c", key("2222"));
    assertThat(look(key("1111"))).isEqualTo(1);
    assertThat(alarms()).containsExactly("secrets-c");
    assertThat(state.alarm("secrets-c").orElseThrow().message())
        .contains("voter c has another secrets.key")
        .contains("2222 and not 1111")
        .contains("Copy secrets.key from a voter");
    assertThat(look(key("1111"))).as("it is told once").isZero();
    now += 20 * SECOND;
    say("b", key("1111"));
    look(key("1111"));
    assertThat(alarms()).as("one that is down may still have it").containsExactly("secrets-c");
    say("c", key("1111"));
    look(key("1111"));
    assertThat(alarms()).isEmpty();
  }

  /** Whoever leads is not right for that. */
  @Test
  void theKeyOfTheLogsSecretsIsTheRightOneAndThenThatOfMost() {
    say("b", key("1111"));
    say("c", key("1111"));
    look(key("2222"));
    assertThat(alarms()).containsExactly("secrets-a");
    sealedWith = Optional.of("2222");
    look(key("2222"));
    assertThat(alarms()).containsExactly("secrets-b", "secrets-c");
    members = List.of("a", "b");
    look(key("2222"));
    assertThat(alarms()).as("c was removed").containsExactly("secrets-b");
  }

  @Test
  void aVoterThatFollowsNoSecondGenerationIsNamedWithTheWayOut() {
    members = List.of("a");
    say("b", waits("move what is in /data away and start this voter again"));
    look(key("1111"));
    assertThat(state.alarm("generation-b").orElseThrow().message())
        .isEqualTo(
            "voter b waits for a person: move what is in /data away and start this voter again");
    now += 60 * SECOND;
    look(key("1111"));
    assertThat(alarms()).as("it is being looked at").containsExactly("generation-b");
    say("b", key("1111"));
    look(key("1111"));
    assertThat(alarms()).isEmpty();
  }

  @Test
  void nobodySaysMoreThanALine() {
    say("b", waits("w".repeat(100_000)));
    look(key("1111"));
    assertThat(state.alarm("generation-b").orElseThrow().message()).hasSizeLessThan(600);
  }

  private void countsForTenSeconds(Standing said, String alarm) {
    say("b", said);
    now += 9 * SECOND;
    look(key("1111"));
    assertThat(alarms()).as("10 s ago").isEmpty();
    say("b", said);
    now += 9 * SECOND - 1;
    look(key("1111"));
    assertThat(alarms()).containsExactly(alarm);
  }

  @Test
  void whatAVoterSaidTenSecondsAgoSaysNothingAboutNow() {
    members = List.of("a", "b");
    sealedWith = Optional.of("1111");
    countsForTenSeconds(key("2222"), "secrets-b");
  }

  @Test
  void whatAVoterWaitsForIsToldForTenSecondsAfterItSaidSo() {
    members = List.of("a");
    countsForTenSeconds(waits("a person"), "generation-b");
  }

  @Test
  void halfOfTheKeysAreNotMost() {
    members = List.of("a", "b");
    say("b", key("2222"));
    look(key("1111"));
    assertThat(alarms()).as("the leader's own is the right one then").containsExactly("secrets-b");
  }

  @Test
  void aVoterThatWaitedAndIsGoneForTenMinutesIsNotComingBack() {
    now = Long.MAX_VALUE - 100 * SECOND; // the clock overflows meanwhile
    members = List.of("a");
    say("b", waits("a person"));
    look(key("1111"));
    assertThat(alarms()).containsExactly("generation-b");
    for (int s = 0; s < 600; s++) {
      look(key("1111"));
    }
    assertThat(alarms()).containsExactly("generation-b");
    look(key("1111"));
    assertThat(alarms()).as("it was last seen by this leader 601 s ago").isEmpty();
  }

  @Test
  void aVoterThatLeadsAgainWaitsTenMinutesForWhatItDidNotHearMeanwhile() {
    members = List.of("a");
    say("b", waits("a person"));
    look(key("1111"));
    now += 700 * SECOND; // another one led
    look(key("1111"));
    assertThat(alarms()).containsExactly("generation-b");
    for (int s = 0; s < 600; s++) {
      look(key("1111"));
    }
    assertThat(alarms()).containsExactly("generation-b");
    look(key("1111"));
    assertThat(alarms()).isEmpty();
  }

  @Test
  void aVoterThatWaitsAndWasHeardSinceIsWaitedForTenMinutesFromThen() {
    members = List.of("a");
    say("b", waits("a person"));
    look(key("1111"));
    for (int s = 0; s < 300; s++) {
      look(key("1111"));
    }
    say("b", waits("a person"));
    for (int s = 0; s < 600; s++) {
      look(key("1111"));
    }
    assertThat(alarms()).containsExactly("generation-b");
    look(key("1111"));
    assertThat(alarms()).isEmpty();
  }
}
