package dev.haven.raft;

import dev.haven.raft.port.ReplicatedLog.Leadership;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** What other threads may know of the Raft thread's state without asking it. */
final class Bulletin {
  private static final long TICK = TimeUnit.MILLISECONDS.toNanos(10);

  /** The state at the last change, or a tick ago. */
  record Published(
      long term,
      Optional<String> leader,
      boolean self,
      boolean noOpApplied,
      Voters voters,
      Map<String, Long> matches,
      long lastIndex,
      long commitIndex,
      long generation,
      Optional<String> mayOutlive) {}

  private final HavenRaft raft;
  private final Consumer<Runnable> listenerThread;
  private final List<Consumer<Leadership>> listeners = new ArrayList<>();

  private volatile Published published =
      new Published(
          0, Optional.empty(), false, false, Voters.NONE, Map.of(), 0, 0, 0, Optional.empty());
  private volatile long quorumRound;
  private volatile long contactNanos;
  private Leadership lastTold = new Leadership(0, Optional.empty(), false, false);
  private long nextPublish;

  Bulletin(HavenRaft raft, Consumer<Runnable> listenerThread) {
    this.raft = raft;
    this.listenerThread = listenerThread;
  }

  /** Any thread. */
  Published published() {
    return published;
  }

  /** A majority has answered what was sent then; 0 for none. Belongs to the Raft thread. */
  void quorumRound(long sentAt) {
    quorumRound = sentAt;
  }

  /** Any thread. */
  long quorumRound() {
    return quorumRound;
  }

  /** Any thread. Looks at the clock, so a leader that was stopped knows it as soon as it wakes. */
  Leadership leadership() {
    var known = published;
    return new Leadership(
        known.term(),
        known.leader(),
        known.self(),
        known.self() && known.noOpApplied() && inContact(HavenRaft.now()));
  }

  boolean inContact(long now) {
    long round = quorumRound;
    return round != 0 && now - round < contactNanos;
  }

  /** Belongs to the Raft thread. */
  void addListener(Consumer<Leadership> listener) {
    listeners.add(listener);
    var told = lastTold;
    listenerThread.accept(() -> listener.accept(told));
  }

  /**
   * Belongs to the Raft thread. Details may be a tick old, but not who leads and whether it is
   * ready.
   */
  void publish(long now) {
    contactNanos = raft.waited(raft.settings.timing().quorumContact(), now);
    boolean leads = raft.leads();
    boolean applied =
        raft.leading() instanceof Leading of && raft.applier.applied() >= of.noOpIndex();
    var known = published;
    if (known.term() == raft.currentTerm()
        && known.self() == leads
        && known.noOpApplied() == applied
        && known.leader().isPresent() == (raft.leader() != null)
        && now - nextPublish < 0) {
      return;
    }
    nextPublish = now + TICK;
    var leader = Optional.ofNullable(raft.leader()).map(HavenRaft::nameOf);
    Map<String, Long> matches = raft.leading() instanceof Leading of ? of.matches() : Map.of();
    published =
        new Published(
            raft.currentTerm(),
            leader,
            leads,
            applied,
            raft.voters(),
            matches,
            raft.lastAppended(),
            raft.commitIndex(),
            raft.generation(),
            raft.goingAlone.mayOutlive().map(Voters.Voter::name));
    var leadership = leadership();
    if (!leadership.equals(lastTold)) {
      lastTold = leadership;
      for (var listener : listeners) {
        listenerThread.accept(() -> listener.accept(leadership));
      }
    }
  }
}
