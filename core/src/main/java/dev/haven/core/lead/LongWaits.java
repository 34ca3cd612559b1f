package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.wire.Answer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * How long each guest has been in the phase that it is in, and what was said about it last. Soft
 * state of one leader, by its own monotonic clock: a new leader begins to count again. For one
 * thread.
 */
public final class LongWaits {
  /** What takes less long is of no interest yet. */
  private static final Duration FROM = Duration.ofSeconds(15);

  private final Map<GuestId, Wait> waits = new HashMap<>();

  /** By host, the guests of its last report that wait there, paused, to be let run. */
  private final Map<HostId, Map<String, Epoch>> notLetRun = new HashMap<>();

  private static final class Wait {
    final String phase;
    final long since;
    String answer = "";
    boolean tried;

    Wait(String phase, long since) {
      this.phase = phase;
      this.since = since;
    }
  }

  /** This voter leads from now on. */
  public void elected() {
    waits.clear();
    notLetRun.clear();
  }

  /**
   * An event is about to be decided: an answer to an order is kept for people, and which guests of
   * a host wait to be let run.
   */
  public void heard(Event event) {
    if (event instanceof Event.OrderAnswered e) {
      var wait = waits.get(e.order().exclusive());
      if (wait != null) {
        wait.answer = "host " + e.host() + ": " + words(e.answer());
        wait.tried =
            e.answer() instanceof Answer.StillThere
                || e.answer() instanceof Answer.Failed
                || e.answer() instanceof Answer.Unknown;
      }
    } else if (event instanceof Event.DomainsReported e && e.libvirtUp()) {
      var waiting = new HashMap<String, Epoch>();
      for (var domain : e.domains()) {
        if (domain.state() == DomainState.INCOMING) {
          waiting.put(domain.name(), domain.epoch());
        }
      }
      notLetRun.put(e.host(), waiting);
    }
  }

  /**
   * The guests that something is to be done about or that wait to be let run, and for how long that
   * has been so; at least once a second.
   *
   * @param now on the caller's monotonic clock, nanoseconds
   */
  public List<Event.Lasting> lasting(ClusterState state, long now) {
    var unsettled = new TreeSet<>(state.unsettled());
    notLetRun.keySet().removeIf(host -> state.host(host).isEmpty());
    notLetRun.forEach(
        (host, guests) -> {
          Set<GuestId> there = state.load(host).guests();
          for (var id : there) {
            if (guests.containsKey(id.value()) && runs(state, id, host, guests)) {
              unsettled.add(id);
            }
          }
        });
    waits.keySet().removeIf(id -> !unsettled.contains(id));
    var all = new ArrayList<Event.Lasting>();
    for (var id : unsettled) {
      var phase = state.guest(id).map(g -> name(g.phase())).orElse("");
      var wait = waits.get(id);
      if (wait == null || !wait.phase.equals(phase)) {
        wait = new Wait(phase, now);
        waits.put(id, wait);
      }
      var since = Duration.ofNanos(now - wait.since);
      if (since.compareTo(FROM) >= 0) {
        all.add(new Event.Lasting(id, since, wait.answer, wait.tried));
      }
    }
    return all;
  }

  /** Whether it counts as running there, under the epoch under which it waits to be let run. */
  private static boolean runs(
      ClusterState state, GuestId id, HostId host, Map<String, Epoch> guests) {
    return state
        .guest(id)
        .filter(
            g ->
                g.phase() instanceof GuestPhase.Running p
                    && p.host().equals(host)
                    && p.epoch().equals(guests.get(id.value())))
        .isPresent();
  }

  /** The same for as long as the guest comes no further. */
  private static String name(GuestPhase phase) {
    return switch (phase) {
      case GuestPhase.Stopped _ -> "stopped";
      case GuestPhase.Waiting _ -> "waiting";
      case GuestPhase.Starting p -> "starting %s %s".formatted(p.host(), p.epoch());
      case GuestPhase.Running _ -> "running";
      case GuestPhase.Stopping p -> "stopping %s %s".formatted(p.host(), p.epoch());
      case GuestPhase.Vacating p -> "vacating %s %s".formatted(p.host(), p.epoch());
      case GuestPhase.Migrating p -> "%s %s".formatted(p.step(), p.to().epoch());
      case GuestPhase.Failed _ -> "failed";
    };
  }

  private static String words(Answer answer) {
    return switch (answer) {
      case Answer.Done a -> "done: " + a.detail();
      case Answer.Gone a -> a.failure().orElse(a.detail());
      case Answer.StillThere a -> "still there: " + a.domain().detail();
      case Answer.Migrated a -> a.detail();
      case Answer.Failed a -> a.reason();
      case Answer.Refused a -> "refused: " + a.reason();
      case Answer.Unknown a -> "unknown: " + a.reason();
      case Answer.NotNoted a -> a.reason();
    };
  }
}
