package dev.haven.agent.libvirt;

import java.time.Duration;
import java.util.List;

/**
 * Whether the copying of a guest's memory comes to an end. It goes in passes: the first copies
 * everything, each later one what the guest has written during the one before. A pass makes headway
 * if it begins with less than every one before it did; within such a pass, whatever shrinks the
 * rest does. A long pass is no standstill, as a fixed time without a new low would have it: 64 GiB
 * over 1 Gbit/s take nine minutes.
 */
final class Convergence {
  private static final Duration BETWEEN_STEPS = Duration.ofSeconds(1);

  private final List<Duration> ladder;
  private final Duration noProgress;
  private int step;
  private Duration stepAt = Duration.ZERO;
  private long pass = -1;
  private boolean headway;
  private long leastAtStart = Long.MAX_VALUE;
  private long leastInPass = Long.MAX_VALUE;
  private Duration progressAt = Duration.ZERO;

  /** What to do about it. */
  enum Advice {
    GO_ON,
    /** Allow the longer pause that {@link #downtime} gives now. */
    ALLOW_MORE,
    GIVE_UP
  }

  Convergence(List<Duration> ladder, Duration noProgress) {
    this.ladder = List.copyOf(ladder);
    this.noProgress = noProgress;
  }

  /** The pause that is allowed now. */
  Duration downtime() {
    return ladder.get(step);
  }

  /**
   * @param elapsed since the migration began
   * @param passNow counts up; always the same where libvirt does not tell
   * @param remaining bytes
   */
  Advice note(Duration elapsed, long passNow, long remaining) {
    var stepUp = false;
    if (passNow != pass) {
      pass = passNow;
      headway = lessByAHundredth(remaining, leastAtStart);
      leastAtStart = Math.min(leastAtStart, remaining);
      leastInPass = Long.MAX_VALUE;
      stepUp = !headway;
    }
    if (headway && lessByAHundredth(remaining, leastInPass)) {
      leastInPass = remaining;
      progressAt = elapsed;
    }
    if (elapsed.minus(progressAt).compareTo(noProgress) > 0) {
      return Advice.GIVE_UP;
    }
    if (stepUp && step + 1 < ladder.size() && elapsed.minus(stepAt).compareTo(BETWEEN_STEPS) > 0) {
      step++;
      stepAt = elapsed;
      return Advice.ALLOW_MORE;
    }
    return Advice.GO_ON;
  }

  // a guest that writes as fast as we copy wins a page now and then
  private static boolean lessByAHundredth(long now, long before) {
    return now < before - before / 100;
  }
}
