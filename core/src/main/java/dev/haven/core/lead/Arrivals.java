package dev.haven.core.lead;

import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * When the last heartbeats of each host arrived at this voter. A lease answers a heartbeat that
 * came before a round of the log that a majority answered: so a leader that stood still, and whose
 * clock stood still with it, has to find out that it leads no more before it grants anything.
 */
public final class Arrivals {
  /** More than arrive between two rounds. */
  private static final int KEPT = 10;

  private final Map<HostId, Deque<Arrival>> last = new ConcurrentHashMap<>();

  /**
   * One heartbeat.
   *
   * @param sentNanos on the agent's own clock, as it says
   * @param at on this voter's {@link System#nanoTime}, on whichever network it came first
   */
  public record Arrival(ProcessId process, long sequence, long sentNanos, long at) {}

  /** A heartbeat whose signature was checked; the same one may come over several networks. */
  public void came(HostId host, ProcessId process, long sequence, long sentNanos, long now) {
    last.compute(
        host,
        (_, known) ->
            known == null || !known.peekLast().process().equals(process)
                ? first(new Arrival(process, sequence, sentNanos, now))
                : next(known, new Arrival(process, sequence, sentNanos, now)));
  }

  private static Deque<Arrival> first(Arrival arrival) {
    var all = new ArrayDeque<Arrival>();
    all.add(arrival);
    return all;
  }

  private static Deque<Arrival> next(Deque<Arrival> known, Arrival arrival) {
    if (arrival.sequence() <= known.getLast().sequence()) {
      return known;
    }
    var all = new ArrayDeque<>(known);
    all.add(arrival);
    if (all.size() > KEPT) {
      all.removeFirst();
    }
    return all;
  }

  /**
   * The last heartbeat of this process that had arrived before the round was sent; empty if none.
   *
   * @param round when it was sent
   */
  public Optional<Arrival> before(HostId host, ProcessId process, long round) {
    var known = last.get(host);
    if (known == null) {
      return Optional.empty();
    }
    return java.util.stream.StreamSupport.stream(
            ((Iterable<Arrival>) known::descendingIterator).spliterator(), false)
        .filter(a -> a.process().equals(process) && a.at() - round < 0)
        .findFirst();
  }
}
