package dev.haven.agent;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Faults of Haven's own in this agent. Each is contained where it happens, so that an event, a
 * frame or a report that this agent cannot bear costs nothing but itself, however often it comes:
 * the agent beats on, and its host is not fenced for it. The log has the stack, at most once a
 * minute for each place, and the leader is told for an hour.
 */
final class OwnFaults {
  private static final Logger log = LoggerFactory.getLogger(OwnFaults.class);
  private static final long TOLD_NANOS = Duration.ofHours(1).toNanos();
  private static final long LOG_NANOS = Duration.ofMinutes(1).toNanos();

  private final LongSupplier clock;
  private final Map<String, Fault> faults = new TreeMap<>();

  private record Fault(String what, long at, long loggedAt) {}

  /**
   * @param clock nanoseconds
   */
  OwnFaults(LongSupplier clock) {
    this.clock = clock;
  }

  /**
   * @param where what the agent was at, such as "looking at the guests"
   */
  synchronized void met(String where, RuntimeException e) {
    long now = clock.getAsLong();
    var before = faults.get(where);
    long loggedAt = before == null ? now - LOG_NANOS : before.loggedAt();
    if (now - loggedAt >= LOG_NANOS) {
      log.error("a fault of Haven's own while {}; everything else goes on", where, e);
      loggedAt = now;
    }
    faults.put(where, new Fault(e.toString(), now, loggedAt));
  }

  /** One sentence for each place where there was one within the last hour. */
  synchronized List<String> warnings() {
    long now = clock.getAsLong();
    faults.values().removeIf(f -> now - f.at() >= TOLD_NANOS);
    return faults.entrySet().stream()
        .map(
            f ->
                ("its agent met a fault of Haven's own while %s (%s). Everything else goes on;"
                        + " please report it with the agent's log")
                    .formatted(f.getKey(), f.getValue().what()))
        .toList();
  }
}
