package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.model.GuestId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;

/**
 * Contains a fault of ours: a decision that throws, or that breaks a rule, is taken again without
 * the guests that make it fail. Which those are is found by trying. For one thread.
 */
public final class Containment {
  /** A guest is left out for so long, then it is tried again. */
  private static final long LEFT_OUT_NANOS = 60_000_000_000L;

  /** A fault with no guest behind it counts as over when it has not happened for so long. */
  private static final long QUIET_NANOS = 3_600_000_000_000L;

  /** Before the subject in the id of an alarm about a fault. */
  private static final String ALARM = "fault-";

  private static final String GUEST = "guest ";
  private static final String EVENT = "event ";

  private final Decider decider;
  private final BiConsumer<Event, RuntimeException> log;
  private final Map<GuestId, Long> leftOut = new HashMap<>();
  private final Map<GuestId, Integer> times = new HashMap<>();
  private final Map<String, Integer> events = new HashMap<>();

  /** Since when each kind of event has not failed, as far as this process knows. */
  private final Map<String, Long> quietSince = new HashMap<>();

  private final ArrayDeque<Event> toTell = new ArrayDeque<>();

  /**
   * @param log is told of each fault
   */
  public Containment(Decider decider, BiConsumer<Event, RuntimeException> log) {
    this.decider = decider;
    this.log = log;
  }

  /** What is to be told next about faults: an event of its own. */
  public Optional<Event> toTell() {
    return Optional.ofNullable(toTell.poll());
  }

  /**
   * @throws RuntimeException if it fails whatever is left out
   */
  public Decision decide(ClusterState state, Event event, long now) {
    var without = leftOutAt(now);
    try {
      var decision = decider.decide(state, event, without);
      if (event instanceof Event.Tick) {
        worksAgain(without, event);
        over(state, event, now);
      }
      return decision;
    } catch (RuntimeException e) {
      log.accept(event, e);
      blame(state, event, e.getClass().getSimpleName() + ": " + e.getMessage(), now, false, e);
      return decider.decide(state, event, leftOutAt(now));
    }
  }

  /**
   * What was decided breaks a rule.
   *
   * @throws IllegalStateException if it does whatever is left out
   */
  public void broken(ClusterState state, Event event, String rule, long now) {
    blame(
        state,
        event,
        "breaks a rule: " + rule,
        now,
        true,
        new IllegalStateException("the decision on %s breaks a rule: %s".formatted(event, rule)));
  }

  private Set<GuestId> leftOutAt(long now) {
    var without = new TreeSet<GuestId>();
    leftOut.forEach(
        (guest, since) -> {
          if (now - since < LEFT_OUT_NANOS) {
            without.add(guest);
          }
        });
    return without;
  }

  /** Guests that were left out and did no harm this time. */
  private void worksAgain(Set<GuestId> without, Event event) {
    for (var guest : List.copyOf(leftOut.keySet())) {
      if (!without.contains(guest)) {
        leftOut.remove(guest);
        times.remove(guest);
        toTell.add(new Event.DecisionFailed(GUEST + guest, "", 0, event.at()));
      }
    }
  }

  /** Takes back what was told, by an earlier leader too, and has not happened again. */
  private void over(ClusterState state, Event tick, long now) {
    for (var alarm : state.alarms()) {
      if (alarm.id().startsWith(ALARM + GUEST)) {
        var guest = new GuestId(alarm.id().substring((ALARM + GUEST).length()));
        if (!leftOut.containsKey(guest)) { // this very decision was about it too
          toTell.add(new Event.DecisionFailed(GUEST + guest, "", 0, tick.at()));
        }
      } else if (alarm.id().startsWith(ALARM + EVENT)) {
        var name = alarm.id().substring((ALARM + EVENT).length());
        if (now - quietSince.computeIfAbsent(name, _ -> now) >= QUIET_NANOS) {
          events.remove(name);
          quietSince.remove(name);
          toTell.add(new Event.DecisionFailed(EVENT + name, "", 0, tick.at()));
        }
      }
    }
  }

  private void blame(
      ClusterState state,
      Event event,
      String what,
      long now,
      boolean applied,
      RuntimeException otherwise) {
    var already = leftOutAt(now);
    var suspects = new TreeSet<GuestId>();
    state.guests().forEach(g -> suspects.add(g.id()));
    suspects.removeAll(already);
    if (suspects.isEmpty() || fails(state, event, union(already, suspects), applied)) {
      var name = event.getClass().getSimpleName();
      int count = events.merge(name, 1, Integer::sum);
      quietSince.put(name, now);
      if (Integer.bitCount(count) == 1) { // the 1st, 2nd, 4th, …: each is an entry of the log
        toTell.add(new Event.DecisionFailed(EVENT + name, what, count, event.at()));
      }
      throw otherwise;
    }
    for (var guest : culprits(state, event, already, List.copyOf(suspects), applied)) {
      leftOut.put(guest, now);
      int count = times.merge(guest, 1, Integer::sum);
      toTell.add(new Event.DecisionFailed(GUEST + guest, what, count, event.at()));
    }
  }

  /**
   * The guests without which it works, few of them: halves are tried.
   *
   * @param without these and those that are returned it works
   * @param of without all of these it works
   */
  private List<GuestId> culprits(
      ClusterState state, Event event, Set<GuestId> without, List<GuestId> of, boolean applied) {
    if (of.size() == 1) {
      return of;
    }
    var first = of.subList(0, of.size() / 2);
    var second = of.subList(of.size() / 2, of.size());
    if (!fails(state, event, union(without, first), applied)) {
      return culprits(state, event, without, first, applied);
    }
    if (!fails(state, event, union(without, second), applied)) {
      return culprits(state, event, without, second, applied);
    }
    var found = new ArrayList<>(culprits(state, event, union(without, second), first, applied));
    found.addAll(culprits(state, event, union(without, found), second, applied));
    return found;
  }

  private boolean fails(ClusterState state, Event event, Set<GuestId> without, boolean applied) {
    try {
      var d = decider.decide(state, event, without);
      var entry = new Entry(Entry.FORMAT, state.version(), event.at(), d.changes(), d.facts());
      return applied && state.apply(entry) instanceof ClusterState.Outcome.Broken;
    } catch (RuntimeException e) {
      return true;
    }
  }

  private static Set<GuestId> union(Set<GuestId> one, java.util.Collection<GuestId> other) {
    var all = new TreeSet<>(one);
    all.addAll(other);
    return all;
  }
}
