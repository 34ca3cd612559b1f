package dev.haven.orchestrator.power;

import dev.haven.model.HostId;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * On every voter: how often it has switched each host on. A host that goes off again and again
 * stays off until an operator looks.
 */
final class PowerOns {
  /** A host is switched on at most so often within an hour. */
  static final int PER_HOUR = 2;

  private static final long HOUR_NANOS = 3_600_000_000_000L;

  private final Map<HostId, Deque<Long>> times = new HashMap<>();

  /**
   * Whether the host may be switched on now; it counts as switched on if so.
   *
   * @param now on the monotonic clock, nanoseconds
   */
  synchronized boolean may(HostId host, long now) {
    var on = times.computeIfAbsent(host, _ -> new ArrayDeque<>());
    while (!on.isEmpty() && now - on.peekFirst() > HOUR_NANOS) {
      on.removeFirst();
    }
    if (on.size() >= PER_HOUR) {
      return false;
    }
    on.addLast(now);
    return true;
  }
}
