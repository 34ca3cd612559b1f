package dev.haven.orchestrator.alone;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.HostState;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * What one of two voters does about the other one. Pure; all times are on one monotonic clock of
 * this side, in nanoseconds.
 *
 * <pre>
 *            unheard for 1 s                 its power is on, or unknown
 * Together ─────────────────► Looking ◄────────────────────────────────► Waiting
 *    ▲                        │     │ ▲ failed                              │ our turn
 *    │ heard, from anywhere   │     │ └──────────── Fencing ◄───────────────┘
 *    ├────────────────────────┤     │                ▲  │
 *    │        no ping target  ▼     └─ power is off ─┘  │ read back off, twice
 *    ├─────────────────── Surrendered                   ▼
 *    └─────────────────────────── refused ───────── Shrinking ──► the only voter
 * </pre>
 *
 * <p>The two take turns, so that they never fence each other at once: time since their last contact
 * is divided into turns longer than a whole fence with its read-back, the even ones belong to the
 * side whose name comes first, the odd ones to the other, whatever else the two believe. Which of
 * its own turns is a side's first depends on its missing ping targets and on the priorities of its
 * guests.
 */
public final class TwoAlone {
  /**
   * Of a fence: no order to switch off leaves later. A device that says off already may be read for
   * longer, which harms nobody in the other side's turn.
   */
  public static final Duration FENCE = Duration.ofSeconds(20);

  /** Into a turn of ours, in which a fence may begin. */
  static final Duration BEGIN = Duration.ofSeconds(10);

  /** The two sides' clocks begin when they last answered each other; so much they may differ. */
  static final Duration SKEW = Duration.ofSeconds(5);

  static final Duration TURN = FENCE.plus(BEGIN).plus(SKEW);

  /** Below it nothing is looked at. */
  static final Duration SILENT = Duration.ofSeconds(1);

  /** A device that refused is not asked again at once. */
  private static final Duration REST = Duration.ofSeconds(1);

  private TwoAlone() {}

  /** How this side stands. */
  public sealed interface State {
    record Together() implements State {}

    /**
     * The other one is unheard; evidence is being gathered.
     *
     * @param wasOff its devices have said off after our order, though it was no proof
     */
    record Looking(long restUntil, boolean wasOff) implements State {
      Looking(long restUntil) {
        this(restUntil, false);
      }
    }

    /** Its devices had said off and say on: somebody has switched it on, and it boots. */
    record Booting(long until) implements State {}

    /** We are cut off ourselves: guests pause, and the other side goes on. */
    record Surrendered() implements State {}

    /** For our turn. */
    record Waiting(long turn) implements State {}

    /**
     * The other one's power is being cut.
     *
     * @param wasOff whether it read off before
     */
    record Fencing(boolean wasOff) implements State {}

    /** It is proven off; the log is being told that this voter is the only one. */
    record Shrinking() implements State {}
  }

  public static final State START = new State.Together();

  /** What happened. */
  public sealed interface News {
    long at();
  }

  /**
   * What is seen; comes all the time.
   *
   * @param mayOutlive whether the log allows this voter to go on alone and nothing else forbids it
   * @param contact when the two voters last answered each other: both sides count their turns from
   *     it, and from nothing that only one of them knows
   * @param unheardSince when the last of the two was last heard
   * @param awakeSince since when this process has run without standing still
   * @param targets how many ping targets this side has, at least 1
   * @param reached how many of them answer; empty while that is not known
   * @param outweighed whether the guests of the other side have the higher priorities
   * @param second whether the other side's name comes first
   * @param patience with a silence while its power is on or unknown
   */
  public record Seen(
      long at,
      boolean mayOutlive,
      long contact,
      long unheardSince,
      long awakeSince,
      int targets,
      OptionalInt reached,
      Event.Power power,
      boolean outweighed,
      boolean second,
      Duration patience)
      implements News {}

  /** It was read back off as {@code Proof.PowerReadOff} demands. */
  public record FenceConfirmed(long at) implements News {}

  /**
   * @param saidOff whether its devices have said off after our order, though it was no proof
   */
  public record FenceFailed(long at, String why, boolean saidOff) implements News {
    public FenceFailed(long at, String why) {
      this(at, why, false);
    }
  }

  /** This voter is the only one. */
  public record Shrunk(long at) implements News {}

  /** The log would not have it. */
  public record ShrinkRefused(long at, String why) implements News {}

  /** What is to be done now. */
  public enum Act {
    NOTHING,
    /** Note the intent on the disk, then cut the other one's power. */
    FENCE,
    DROP_FENCE,
    /** Note on the disk that this voter is the only one. */
    SHRINK
  }

  /**
   * @param why for people
   */
  public record Step(State next, Act act, String why) {}

  public static Step decide(State state, News news) {
    return switch (news) {
      case Seen seen -> seen(state, seen);
      case FenceConfirmed _ ->
          state instanceof State.Fencing
              ? new Step(new State.Shrinking(), Act.SHRINK, "the other side is proven off")
              : stay(state, "no fence is under way any more");
      case FenceFailed e ->
          state instanceof State.Fencing f
              ? new Step(
                  new State.Looking(e.at() + REST.toNanos(), e.saidOff() || f.wasOff()),
                  Act.NOTHING,
                  "the other side could not be fenced: " + e.why())
              : stay(state, "no fence is under way any more");
      case Shrunk _ -> new Step(START, Act.NOTHING, "");
      case ShrinkRefused e ->
          new Step(
              new State.Looking(e.at() + REST.toNanos()), Act.NOTHING, "not alone: " + e.why());
    };
  }

  private static Step stay(State state, String why) {
    return new Step(state, Act.NOTHING, why);
  }

  private static Step seen(State state, Seen s) {
    if (state instanceof State.Shrinking) {
      return stay(state, "the log is being told that this voter is the only one");
    }
    var drop = state instanceof State.Fencing ? Act.DROP_FENCE : Act.NOTHING;
    if (!s.mayOutlive() || s.at() - s.unheardSince() < SILENT.toNanos()) {
      return new Step(START, drop, "");
    }
    if (s.reached().isPresent() && s.reached().getAsInt() == 0) {
      return new Step(
          new State.Surrendered(),
          drop,
          "surrendered: neither the other side nor any ping target answers, so this side is the one"
              + " cut off; its guests are paused until the other side is heard");
    }
    if (state instanceof State.Fencing) {
      return stay(state, "the other side's power is being cut");
    }
    if (s.reached().isEmpty()) {
      return looking(state, s, "the other side is unheard; the ping targets are being asked");
    }
    if (state instanceof State.Looking l && s.at() - l.restUntil() < 0) {
      return stay(state, "the fence failed; tried again soon");
    }
    if (state instanceof State.Booting b && s.at() - b.until() < 0 && !saysOff(s)) {
      return stay(state, booting(b.until() - s.at()));
    }
    if (s.power() == Event.Power.ON && state instanceof State.Looking l && l.wasOff()) {
      long until = s.at() + HostState.BOOTS_WITHIN.toNanos();
      return new Step(new State.Booting(until), Act.NOTHING, booting(until - s.at()));
    }
    if (saysOff(s)) {
      return new Step(
          new State.Fencing(true), Act.FENCE, "the other side is unheard and its power reads off");
    }
    long patient = Math.max(s.unheardSince(), s.awakeSince()) + s.patience().toNanos();
    if (s.at() - patient < 0 || s.power() == Event.Power.UNKNOWN) {
      return looking(state, s, "the other side is unheard; its power is being read");
    }
    long turn = turn(s);
    return turn <= 0
        ? new Step(
            new State.Fencing(false),
            Act.FENCE,
            "the other side is unheard, our ping targets answer and it is our turn")
        : new Step(
            new State.Waiting(s.at() + turn),
            Act.NOTHING,
            "the other side is unheard; it is fenced in %d s, in our turn"
                .formatted(turn / 1_000_000_000 + 1));
  }

  private static boolean saysOff(Seen s) {
    return s.power() == Event.Power.ALL_OFF;
  }

  private static String booting(long left) {
    return "the other side was off, and somebody has switched it on: it has %d s to boot before its power is cut again"
        .formatted(left / 1_000_000_000 + 1);
  }

  private static Step looking(State state, Seen s, String why) {
    return new Step(
        state instanceof State.Looking ? state : new State.Looking(s.at()), Act.NOTHING, why);
  }

  /** How long until our next turn; 0 within the beginning of one. */
  private static long turn(Seen s) {
    long missing = s.targets() - s.reached().orElse(0);
    long first = 4 * missing + (s.outweighed() ? 2 : 0) + (s.second() ? 1 : 0);
    long gone = s.at() - s.contact();
    long length = TURN.toNanos();
    long now = gone / length;
    if (now >= first && (now - first) % 2 == 0 && gone - now * length <= BEGIN.toNanos()) {
      return 0;
    }
    long next = Math.max(now + 1, first);
    next += (next - first) % 2;
    return next * length - gone;
  }
}
