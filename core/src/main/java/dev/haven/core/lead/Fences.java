package dev.haven.core.lead;

import dev.haven.core.ha.Action;
import dev.haven.model.HostId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * On the leader: which attempt to cut a host's power is under way. There is at most one for each
 * host; a newer one takes the place of an older one, which is dropped.
 */
public final class Fences {
  private final Map<HostId, Attempt> running = new TreeMap<>();

  /** One attempt. Two with the same number are not the same: each has its own course. */
  public static final class Attempt {
    private final Action.FenceHost action;
    private boolean over;

    private Attempt(Action.FenceHost action) {
      this.action = action;
    }

    public Action.FenceHost action() {
      return action;
    }

    private boolean is(Action.FenceHost other) {
      return action.boot().equals(other.boot()) && action.attempt() == other.attempt();
    }
  }

  /**
   * @param begun what is to be done now
   * @param dropped the older one that is to be let go for it
   */
  public record Begun(Attempt begun, Optional<Attempt> dropped) {}

  /** A fence was decided on; empty if that very attempt is under way. */
  public synchronized Optional<Begun> begin(Action.FenceHost action) {
    var older = Optional.ofNullable(running.get(action.host()));
    if (older.filter(a -> a.is(action)).isPresent()) {
      return Optional.empty();
    }
    older.ifPresent(a -> a.over = true);
    var attempt = new Attempt(action);
    running.put(action.host(), attempt);
    return Optional.of(new Begun(attempt, older));
  }

  /** Nobody wants the host's power cut any more; what was under way, if anything. */
  public synchronized Optional<Attempt> drop(HostId host) {
    var attempt = Optional.ofNullable(running.remove(host));
    attempt.ifPresent(a -> a.over = true);
    return attempt;
  }

  /** This voter leads no more; what was under way. */
  public synchronized List<Attempt> dropAll() {
    var all = List.copyOf(running.values());
    all.forEach(a -> a.over = true);
    running.clear();
    return all;
  }

  /** Whether it is neither dropped nor ended. */
  public synchronized boolean wanted(Attempt attempt) {
    return !attempt.over;
  }

  /** It has come to an end, whatever that was: the same attempt may be begun again. */
  public synchronized void ended(Attempt attempt) {
    attempt.over = true;
    running.remove(attempt.action().host(), attempt);
  }
}
