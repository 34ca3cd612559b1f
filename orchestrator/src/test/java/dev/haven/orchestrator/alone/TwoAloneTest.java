package dev.haven.orchestrator.alone;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.core.ha.Event;
import dev.haven.orchestrator.alone.TwoAlone.Act;
import dev.haven.orchestrator.alone.TwoAlone.State;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What one of two voters does about the other, row by row. */
class TwoAloneTest {
  private static final State LOOKING = new State.Looking(0);
  private static final State FENCING = new State.Fencing(false);
  private static final int ASKING = -1;

  /** A silence that began at 0, of a side that comes first and has everything. */
  private record Sight(
      double seconds,
      boolean may,
      int targets,
      int reached,
      Event.Power power,
      boolean outweighed,
      boolean second,
      double awake,
      double heard) {
    static Sight after(double seconds) {
      return new Sight(seconds, true, 3, 3, Event.Power.ON, false, false, -60, 0);
    }

    Sight mayNot() {
      return new Sight(seconds, false, targets, reached, power, outweighed, second, awake, heard);
    }

    Sight reached(int now) {
      return new Sight(seconds, may, targets, now, power, outweighed, second, awake, heard);
    }

    Sight power(Event.Power now) {
      return new Sight(seconds, may, targets, reached, now, outweighed, second, awake, heard);
    }

    Sight lessImportant() {
      return new Sight(seconds, may, targets, reached, power, true, second, awake, heard);
    }

    Sight comingSecond() {
      return new Sight(seconds, may, targets, reached, power, outweighed, true, awake, heard);
    }

    Sight awakeSince(double at) {
      return new Sight(seconds, may, targets, reached, power, outweighed, second, at, heard);
    }

    Sight lastHeard(double at) {
      return new Sight(seconds, may, targets, reached, power, outweighed, second, awake, at);
    }

    TwoAlone.Seen seen() {
      return new TwoAlone.Seen(
          nanos(seconds),
          may,
          0,
          nanos(heard),
          nanos(awake),
          targets,
          reached == ASKING ? OptionalInt.empty() : OptionalInt.of(reached),
          power,
          outweighed,
          second,
          Duration.ofSeconds(3));
    }
  }

  private static long nanos(double seconds) {
    return (long) (seconds * 1e9);
  }

  static Stream<Arguments> rows() {
    return Stream.of(
        row("heard just now", Sight.after(0.9), LOOKING, TwoAlone.START, Act.NOTHING),
        row(
            "the targets are being asked",
            Sight.after(1.1).reached(ASKING),
            TwoAlone.START,
            new State.Looking(nanos(1.1)),
            Act.NOTHING),
        row(
            "its power is gone: no need to wait",
            Sight.after(1.2).power(Event.Power.ALL_OFF),
            LOOKING,
            new State.Fencing(true),
            Act.FENCE),
        row("it may be a moment's trouble", Sight.after(2.9), LOOKING, LOOKING, Act.NOTHING),
        row("our turn", Sight.after(3.1), LOOKING, FENCING, Act.FENCE),
        row(
            "its device does not answer: it is tried all the same",
            Sight.after(3.1).power(Event.Power.UNREACHABLE),
            LOOKING,
            FENCING,
            Act.FENCE),
        row(
            "its power was not read yet",
            Sight.after(3.1).power(Event.Power.UNKNOWN),
            LOOKING,
            LOOKING,
            Act.NOTHING),
        row(
            "we slept: what we did not hear meanwhile proves nothing",
            Sight.after(9).awakeSince(7),
            LOOKING,
            LOOKING,
            Act.NOTHING),
        row(
            "its agent was heard later than its voter",
            Sight.after(4).lastHeard(2),
            LOOKING,
            LOOKING,
            Act.NOTHING),
        row(
            "the other side's name comes first",
            Sight.after(3.1).comingSecond(),
            LOOKING,
            new State.Waiting(nanos(35)),
            Act.NOTHING),
        row(
            "now it is the second's turn",
            Sight.after(35).comingSecond(),
            new State.Waiting(0),
            FENCING,
            Act.FENCE),
        row(
            "the other side's guests are more important",
            Sight.after(3.1).lessImportant(),
            LOOKING,
            new State.Waiting(nanos(70)),
            Act.NOTHING),
        row(
            "we miss a target",
            Sight.after(3.1).reached(2),
            LOOKING,
            new State.Waiting(nanos(140)),
            Act.NOTHING),
        row(
            "too late in our turn: the fence would end in the other's",
            Sight.after(10.1),
            LOOKING,
            new State.Waiting(nanos(70)),
            Act.NOTHING),
        row(
            "cut off ourselves",
            Sight.after(1.1).reached(0),
            LOOKING,
            new State.Surrendered(),
            Act.NOTHING),
        row(
            "cut off ourselves, whatever a device says",
            Sight.after(9).reached(0).power(Event.Power.ALL_OFF),
            LOOKING,
            new State.Surrendered(),
            Act.NOTHING),
        row(
            "cut off while we fence",
            Sight.after(4).reached(0),
            FENCING,
            new State.Surrendered(),
            Act.DROP_FENCE),
        row(
            "it was off, and somebody has switched it on: it boots",
            Sight.after(4),
            new State.Looking(0, true),
            new State.Booting(nanos(604)),
            Act.NOTHING),
        row(
            "it boots",
            Sight.after(140),
            new State.Booting(nanos(604)),
            new State.Booting(nanos(604)),
            Act.NOTHING),
        row(
            "it did not boot in time, and it is our turn",
            Sight.after(630.5),
            new State.Booting(nanos(604)),
            FENCING,
            Act.FENCE),
        row(
            "it is off again",
            Sight.after(140).power(Event.Power.ALL_OFF),
            new State.Booting(nanos(604)),
            new State.Fencing(true),
            Act.FENCE),
        row(
            "its new boot is heard",
            Sight.after(140).lastHeard(139.5),
            new State.Booting(nanos(604)),
            TwoAlone.START,
            Act.NOTHING),
        row("the fence goes on", Sight.after(4), FENCING, FENCING, Act.NOTHING),
        row(
            "heard while we fence",
            Sight.after(4).lastHeard(3.9),
            FENCING,
            TwoAlone.START,
            Act.DROP_FENCE),
        row(
            "heard again after we gave up",
            Sight.after(4).lastHeard(3.9),
            new State.Surrendered(),
            TwoAlone.START,
            Act.NOTHING),
        row(
            "it has just booted, or there are three, or fencing is paused",
            Sight.after(99).mayNot(),
            LOOKING,
            TwoAlone.START,
            Act.NOTHING),
        row(
            "what is being written is written",
            Sight.after(9).mayNot(),
            new State.Shrinking(),
            new State.Shrinking(),
            Act.NOTHING));
  }

  private static Arguments row(String reason, Sight sight, State before, State after, Act act) {
    return Arguments.of(reason, sight, before, after, act);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("rows")
  void decides(String reason, Sight sight, State before, State after, Act act) {
    var step = TwoAlone.decide(before, sight.seen());
    assertThat(step.next()).as(reason).isEqualTo(after);
    assertThat(step.act()).as(reason).isEqualTo(act);
  }

  /** Whatever each side believes of targets and priorities, and a few seconds of skew. */
  @Test
  void theTwoNeverFenceAtTheSameTime() {
    long fence = TwoAlone.FENCE.toMillis();
    for (int skew = -5_000; skew <= 5_000; skew += 500) {
      for (int mine = 0; mine < 8; mine++) {
        for (int theirs = 0; theirs < 8; theirs++) {
          long lastA = -fence;
          long lastB = -fence;
          for (long at = 6_000; at < 700_000; at += 250) {
            if (begins(at, mine, false)) {
              lastA = at;
            }
            if (begins(at - skew, theirs, true)) {
              lastB = at;
            }
            assertThat(at - lastA < fence && at - lastB < fence)
                .as("at %d ms, skew %d, %d against %d", at, skew, mine, theirs)
                .isFalse();
          }
        }
      }
    }
  }

  /**
   * @param belief its lowest bit is the priorities', the rest are missing targets
   */
  private static boolean begins(long millis, int belief, boolean second) {
    var sight =
        new Sight(
            millis / 1e3, true, 4, 4 - belief / 2, Event.Power.ON, belief % 2 == 1, second, -60, 0);
    return TwoAlone.decide(LOOKING, sight.seen()).act() == Act.FENCE;
  }

  @Test
  void aFenceThatFailedIsTriedAgainAfterARest() {
    var failed = TwoAlone.decide(FENCING, new TwoAlone.FenceFailed(nanos(5), "the device refuses"));
    assertThat(failed.next()).isEqualTo(new State.Looking(nanos(6)));
    assertThat(TwoAlone.decide(FENCING, new TwoAlone.FenceFailed(nanos(5), "no name", true)).next())
        .as("that it was off is kept")
        .isEqualTo(new State.Looking(nanos(6), true));
    var early = TwoAlone.decide(failed.next(), Sight.after(5.5).seen());
    assertThat(early.act()).isEqualTo(Act.NOTHING);
    assertThat(TwoAlone.decide(early.next(), Sight.after(6.1).seen()).act()).isEqualTo(Act.FENCE);
  }

  @Test
  void onlyAProvenFenceIsWrittenDown() {
    assertThat(TwoAlone.decide(FENCING, new TwoAlone.FenceConfirmed(1)).act())
        .isEqualTo(Act.SHRINK);
    assertThat(TwoAlone.decide(TwoAlone.START, new TwoAlone.FenceConfirmed(1)).act())
        .as("it was dropped: the other side was heard")
        .isEqualTo(Act.NOTHING);
    assertThat(
            TwoAlone.decide(new State.Shrinking(), new TwoAlone.ShrinkRefused(1, "heard")).next())
        .isInstanceOf(State.Looking.class);
  }
}
