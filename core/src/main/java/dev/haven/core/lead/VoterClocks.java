package dev.haven.core.lead;

import dev.haven.core.ha.VoterClock;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * On a leader: what each voter's own clock showed when it sent something that had arrived here by
 * some time. It was sent before it arrived, so no clock has to be right, or agree with another.
 * Safe for several threads.
 */
public final class VoterClocks {
  /** Longer than the bound of a watchdog with its longest timeout. */
  private static final long KEPT_NANOS = Duration.ofMinutes(5).toNanos();

  /** Half of a digest's time, so that a voter takes at most 6,000 places, however fast it talks. */
  private static final long APART_NANOS = Duration.ofMillis(50).toNanos();

  /**
   * @param at when it had arrived, by {@link System#nanoTime} of this voter
   */
  private record Arrived(long at, VoterClock clock) {}

  private final Map<String, Deque<Arrived>> voters = new HashMap<>();

  /** Something came from a voter that bears its clock. */
  public synchronized void arrived(String voter, VoterClock clock, long now) {
    var known = voters.computeIfAbsent(voter, _ -> new ArrayDeque<>());
    var last = known.peekLast();
    if (last != null && now - last.at() < APART_NANOS) {
      return;
    }
    known.addLast(new Arrived(now, clock));
    while (now - known.getFirst().at() > KEPT_NANOS) {
      known.removeFirst();
    }
  }

  /** The latest of each voter that had arrived by then; a voter without one is left out. */
  public synchronized SortedMap<String, VoterClock> before(long time) {
    var clocks = new TreeMap<String, VoterClock>();
    voters.forEach(
        (voter, known) -> {
          for (var newest = known.descendingIterator(); newest.hasNext(); ) {
            var arrived = newest.next();
            if (arrived.at() - time <= 0) {
              clocks.put(voter, arrived.clock());
              return;
            }
          }
        });
    return clocks;
  }
}
