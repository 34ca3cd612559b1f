package dev.haven.core.obey;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent.OrderFrame;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class LanesTest {
  private static final GuestId WEB = new GuestId("web");
  private static final GuestId DB = new GuestId("db");
  private static final Epoch FOUR = new Epoch(4);
  private static final Epoch FIVE = new Epoch(5);
  private static final Duration NOW = Duration.ZERO;
  private static final Duration LATER = Duration.ofMinutes(1);

  private boolean diskFails;
  private final Refusals book =
      new Refusals(Refusals.Noted.NOTHING) {
        @Override
        protected void write(Noted next) throws IOException {
          if (diskFails) {
            throw new IOException("No space left on device");
          }
        }
      };
  private final Lanes lanes = new Lanes(book);

  private static Order start(String xml) {
    return new Order.StartGuest(WEB, FOUR, xml);
  }

  private static Order stop(Duration grace) {
    return new Order.StopGuest(WEB, FOUR, grace);
  }

  private static Order gone(boolean destroy) {
    return new Order.ConfirmGone(WEB, FOUR, destroy);
  }

  private static Order migrate(String uri, Epoch target) {
    return new Order.MigrateOut(
        WEB, FOUR, target, new dev.haven.model.HostId("b"), uri, "10.0.0.2", 100);
  }

  private static Order abort() {
    return new Order.AbortMigration(WEB, FOUR, FIVE);
  }

  private List<Lanes.Step> give(long number, Order order) {
    return give(number, 5, order);
  }

  private List<Lanes.Step> give(long number, long term, Order order) {
    return lanes.take(new OrderFrame(1, number, term, 0, order));
  }

  private Lanes.Work begun(GuestId guest) {
    return lanes.next(guest).orElseThrow();
  }

  // ---- turns ----

  @Test
  void ordersOfOneGuestAreDoneOneAfterAnother() {
    assertThat(give(1, start("<a/>"))).containsExactly(new Lanes.Step.Lane(WEB));
    assertThat(give(2, stop(LATER))).as("its lane is somebody's").isEmpty();
    var first = begun(WEB);
    assertThat(first.order()).isEqualTo(start("<a/>"));
    assertThat(lanes.ended(first)).containsExactly(1L);
    var second = begun(WEB);
    assertThat(second.order()).isEqualTo(stop(LATER));
    assertThat(lanes.ended(second)).containsExactly(2L);
    assertThat(lanes.next(WEB)).isEmpty();
    assertThat(give(3, start("<a/>"))).containsExactly(new Lanes.Step.Lane(WEB));
  }

  @Test
  void ordersOfDifferentGuestsWaitForNoneOfTheOthers() {
    give(1, start("<a/>"));
    begun(WEB);
    assertThat(give(2, new Order.StopGuest(DB, FOUR, LATER)))
        .containsExactly(new Lanes.Step.Lane(DB));
    assertThat(begun(DB).order().exclusive()).isEqualTo(DB);
  }

  @Test
  void anOrderThatComesBetweenTheLastOneAndTheLooksOfItsLaneIsDone() {
    give(1, start("<a/>"));
    lanes.ended(begun(WEB));
    assertThat(give(2, stop(LATER))).as("whoever has the lane will ask").isEmpty();
    assertThat(lanes.next(WEB)).isPresent();
  }

  static List<Arguments> twins() {
    return List.of(
        Arguments.of("a start, described again", start("<a/>"), start("<b/>"), true),
        Arguments.of("a start and a stop", start("<a/>"), stop(LATER), false),
        Arguments.of("a stop with another grace", stop(LATER), stop(NOW), true),
        Arguments.of(
            "a stop of another epoch", stop(LATER), new Order.StopGuest(WEB, FIVE, LATER), false),
        Arguments.of(
            "a start of another epoch", start(""), new Order.StartGuest(WEB, FIVE, ""), false),
        Arguments.of("a migration by another way", migrate("x", FIVE), migrate("y", FIVE), true),
        Arguments.of(
            "a migration to another epoch", migrate("x", FIVE), migrate("x", new Epoch(6)), false),
        Arguments.of("a question", gone(false), gone(false), true),
        Arguments.of("a question, and an end", gone(false), gone(true), false),
        Arguments.of(
            "an end of it here",
            new Order.ForgetGuest(WEB, FOUR),
            new Order.ForgetGuest(WEB, FOUR),
            true));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("twins")
  void whatIsGivenAgainIsDoneOnceAndAnsweredEachTime(
      String what, Order first, Order second, boolean same) {
    give(1, first);
    var work = begun(WEB);
    give(2, second);
    give(2, second); // the frame comes twice
    if (same) {
      assertThat(lanes.number(work)).isEqualTo(2);
      assertThat(lanes.ended(work)).containsExactly(1L, 2L);
      assertThat(lanes.next(WEB)).isEmpty();
    } else {
      assertThat(lanes.ended(work)).containsExactly(1L);
      assertThat(lanes.ended(begun(WEB))).containsExactly(2L);
    }
  }

  @Test
  void anAnswerThatIsCertainEarlyIsNotGivenAgainAtTheEnd() {
    give(1, migrate("x", FIVE));
    var work = begun(WEB);
    assertThat(lanes.answered(work)).containsExactly(1L);
    give(2, migrate("x", FIVE));
    assertThat(lanes.ended(work)).containsExactly(2L);
  }

  // ---- in a hurry ----

  @Test
  void aStopAtOnceCutsTheGraceOfAnEarlierOneAndNothingElse() {
    give(1, stop(LATER));
    var work = begun(WEB);
    give(2, stop(LATER));
    assertThat(work.hurried()).isFalse();
    give(3, stop(NOW));
    assertThat(work.hurried()).isTrue();
    give(4, new Order.StartGuest(DB, FOUR, ""));
    var other = begun(DB);
    give(5, new Order.StopGuest(DB, FOUR, NOW));
    assertThat(other.hurried()).as("a start takes the time that it takes").isFalse();
  }

  @Test
  void anEndOfWhatIsLeftCallsOffAMigrationThatIsUnderWay() {
    give(1, migrate("x", FIVE));
    var work = begun(WEB);
    assertThat(give(2, gone(false))).as("a question does not").isEmpty();
    assertThat(work.aborted()).isFalse();
    assertThat(give(3, gone(true))).containsExactly(new Lanes.Step.CallOff(WEB, FOUR));
    assertThat(work.aborted()).isTrue();
    assertThat(work.hurried()).isTrue();
  }

  @Test
  void aMigrationIsCalledOffWithoutWaitingForItsEnd() {
    give(1, stop(LATER));
    give(2, migrate("x", FIVE));
    var first = begun(WEB);
    var steps = give(3, abort());
    assertThat(steps).singleElement().isInstanceOf(Lanes.Step.Aside.class);
    assertThat(first.aborted()).as("a stop is none").isFalse();
    var aside = ((Lanes.Step.Aside) steps.getFirst()).work();
    assertThat(lanes.ended(aside)).containsExactly(3L);
    lanes.ended(first);
    var migration = begun(WEB);
    assertThat(migration.order())
        .as("the order beside the lane took nobody's turn")
        .isEqualTo(migrate("x", FIVE));
    assertThat(migration.aborted()).isTrue();
  }

  // ---- leaders ----

  @Test
  void anOrderThatWaitedIsNotObeyedOnceANewerLeaderHasSpoken() {
    give(1, 5, start("<a/>"));
    var work = begun(WEB);
    assertThat(lanes.refused(work)).isEmpty();
    give(2, 6, new Order.StopGuest(DB, FOUR, LATER));
    assertThat(lanes.refused(work)).containsInstanceOf(Answer.Refused.class);
    give(3, 6, start("<a/>"));
    assertThat(lanes.refused(work)).as("unless it wants that too").isEmpty();
    assertThat(work.term()).isEqualTo(6);
    assertThat(give(4, 5, stop(LATER)))
        .singleElement()
        .isInstanceOfSatisfying(
            Lanes.Step.Answered.class,
            s -> assertThat(s.answer()).isInstanceOf(Answer.Refused.class));
  }

  @Test
  void anOrderOfALeaderThatCannotBeNotedIsNotTaken() {
    diskFails = true;
    assertThat(give(1, start("<a/>")))
        .singleElement()
        .isInstanceOfSatisfying(
            Lanes.Step.Answered.class,
            s ->
                assertThat(s.answer())
                    .isInstanceOf(Answer.NotNoted.class)
                    .asString()
                    .contains("nothing was done", "term 5", "No space left", "data directory"));
    assertThat(lanes.next(WEB)).isEmpty();
  }

  // ---- what is to come ----

  @Test
  void whatIsExpectedIsNotedBeforeItsOrderIsDone() throws Exception {
    assertThat(lanes.expect(Map.of(WEB, FOUR, DB, FOUR)))
        .containsExactly(Map.entry(DB, FOUR), Map.entry(WEB, FOUR));
    assertThat(give(1, start("<a/>"))).as("it waits for the note").isEmpty();
    assertThat(lanes.expect(Map.of(WEB, FOUR))).as("somebody is about to note it").isEmpty();
    book.admit(WEB, FOUR, false, Refusals.Here.NO);
    lanes.ended(begun(WEB));
    assertThat(lanes.next(WEB)).isEmpty();
    assertThat(lanes.expect(Map.of(WEB, FOUR))).as("it is noted").isEmpty();
    assertThat(lanes.expect(Map.of(WEB, FIVE))).hasSize(1);
  }

  @Test
  void moreOrdersThanAnybodyGivesAreNotTaken() {
    for (int i = 0; i < Lanes.WAITING; i++) {
      give(i, new Order.StopGuest(WEB, new Epoch(i + 1), LATER));
    }
    for (var order : List.of(stop(LATER), abort())) {
      assertThat(give(9_999, order))
          .singleElement()
          .isInstanceOfSatisfying(
              Lanes.Step.Answered.class,
              s -> assertThat(s.answer()).asString().contains("2000 orders waiting"));
    }
    lanes.ended(begun(WEB));
    assertThat(give(9_999, abort())).singleElement().isInstanceOf(Lanes.Step.Aside.class);
  }
}
