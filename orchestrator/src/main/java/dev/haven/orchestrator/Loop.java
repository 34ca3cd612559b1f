package dev.haven.orchestrator;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.lead.LongWaits;
import dev.haven.model.DomainReport;
import dev.haven.model.GuestId;
import dev.haven.model.Json;
import dev.haven.model.api.Command;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The leader's loop: decide, commit, act; only what an earlier commit has decided already goes
 * {@linkplain Decision ahead} of its own. One thread, one event after the other; on a voter that
 * does not lead it does nothing at all.
 */
final class Loop implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Loop.class);

  /**
   * Far more than a cluster of a thousand hosts says in a second; beyond it reports are dropped,
   * and come again.
   */
  private static final int QUEUE = 50_000;

  /** And never more of the heap than this: a report may be long. */
  private static final long QUEUE_BYTES = Math.max(16L << 20, Runtime.getRuntime().maxMemory() / 8);

  private static final long COMMIT_SECONDS = 10;
  private static final long TICK_MILLIS = 1_000;
  private static final int STALE_TRIES = 100;

  private final ReplicatedLog raft;
  private final StateKeeper keeper;
  private final Effects effects;
  private final LinkedBlockingQueue<Item> queue = new LinkedBlockingQueue<>(QUEUE);
  private final AtomicLong queued = new AtomicLong();
  private final Faults faults;
  private final List<Event> again = new ArrayList<>();
  private final LongWaits waits = new LongWaits();
  private final Thread thread;

  /** An entry may have been applied, or may yet be, whose actions nobody has begun. */
  private boolean outcomeUnknown;

  private volatile boolean closed;

  /**
   * @param done with the decision once it is committed; null if nobody waits
   */
  private record Item(
      Event event,
      boolean dryRun,
      @org.jspecify.annotations.Nullable CompletableFuture<Decision> done) {}

  /** What the decisions reach the world through. */
  interface Effects {
    /** Never blocks. */
    void start(Action action, long term);

    /** Whether what the event tells was true when it was posted and is no longer. */
    boolean outdated(Event event);

    /**
     * These changes are about to be proposed.
     *
     * @return why they must not be; empty if they may
     */
    Optional<String> proposing(List<Change> changes);

    /**
     * The same changes; each proof that was gathered here tells every voter since when it holds.
     */
    List<Change> dated(List<Change> changes);

    /** They were not applied, and certainly will not be. */
    void refused(List<Change> changes);

    /** The voters that this one hears. */
    Event.Quorum quorum();

    /** This voter leads from now on. */
    void leading(long term);

    /** This voter does not lead any more: what is under way is let go, nothing is undone. */
    void following();
  }

  /** How an event is judged. */
  interface Decider {
    /**
     * @param leftOut guests about which nothing is to be decided
     */
    Decision decide(ClusterState state, Event event, Set<GuestId> leftOut);
  }

  Loop(ReplicatedLog raft, StateKeeper keeper, Effects effects) {
    this(raft, keeper, effects, HaPolicy::decide);
  }

  Loop(ReplicatedLog raft, StateKeeper keeper, Effects effects, Decider decider) {
    this.faults = new Faults(decider);
    this.raft = raft;
    this.keeper = keeper;
    this.effects = effects;
    this.thread = Thread.ofPlatform().name("loop").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  void post(Event event) {
    if (!offer(new Item(event, false, null))) {
      log.warn("too much happens at once; dropped {}", event.getClass().getSimpleName());
    }
  }

  /** The decision on an event, once it is committed. */
  CompletableFuture<Decision> ask(Event event, boolean dryRun) {
    var done = new CompletableFuture<Decision>();
    if (!offer(new Item(event, dryRun, done))) {
      done.completeExceptionally(
          new ReplicatedLog.Refused("the leader has too much to do; try again"));
    }
    return done;
  }

  private boolean offer(Item item) {
    long bytes = weight(item.event());
    if (queued.addAndGet(bytes) <= QUEUE_BYTES && queue.offer(item)) {
      return true;
    }
    queued.addAndGet(-bytes);
    return false;
  }

  private @org.jspecify.annotations.Nullable Item poll(long nanos) throws InterruptedException {
    var item = queue.poll(nanos, TimeUnit.NANOSECONDS);
    if (item != null) {
      queued.addAndGet(-weight(item.event()));
    }
    return item;
  }

  /** About how many bytes of the heap an event keeps while it waits. */
  static long weight(Event event) {
    return 512
        + switch (event) {
          case Event.DomainsReported e -> weight(e.domains());
          case Event.AgentJoined e -> weight(e.hello().domains());
          case Event.CommandReceived e when e.command() instanceof Command.CreateGuest c ->
              c.guest().domainXml().length();
          case Event.CommandReceived e when e.command() instanceof Command.EditGuest c ->
              c.guest().domainXml().length();
          default -> 0;
        };
  }

  private static long weight(List<DomainReport> domains) {
    return domains.stream().mapToLong(d -> 256L + d.name().length() + d.detail().length()).sum();
  }

  private void run() {
    long term = 0;
    long nextTick = System.nanoTime();
    while (!closed) {
      try {
        var leadership = raft.leadership();
        if (!leadership.ready()) {
          if (term != 0) {
            again.clear(); // the next leader takes up what is under way
            outcomeUnknown = false;
            log.info("no longer leading");
            term = 0;
            effects.following();
          }
          var item = poll(5_000_000);
          if (item != null && item.done() != null) {
            item.done()
                .completeExceptionally(
                    new ReplicatedLog.NotLeader(leadership.leader(), "this voter does not lead"));
          }
          continue;
        }
        if (leadership.term() != term) {
          term = leadership.term();
          log.info("leading in term {}", term);
          waits.elected();
          effects.leading(term);
          var elected =
              new Event.LeaderElected(
                  term, raft.alone().generation(), effects.quorum(), Instant.now());
          handle(new Item(elected, false, null), term);
          nextTick = System.nanoTime();
        }
        long wait = nextTick - System.nanoTime();
        var item = wait > 0 ? poll(Math.min(wait, 20_000_000L)) : null;
        if (item != null) {
          handle(item, term);
        } else if (System.nanoTime() - nextTick >= 0) {
          nextTick = System.nanoTime() + TICK_MILLIS * 1_000_000L;
          var undecided = List.copyOf(again);
          again.clear();
          for (var event : undecided) {
            handle(new Item(event, false, null), term);
          }
          if (outcomeUnknown) {
            outcomeUnknown = false;
            handle(
                new Item(new Event.OutcomeWasUnknown(effects.quorum(), Instant.now()), false, null),
                term);
          }
          var lasting = waits.lasting(keeper.state(), System.nanoTime());
          handle(
              new Item(new Event.Tick(lasting, effects.quorum(), Instant.now()), false, null),
              term);
        }
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        log.error("the loop met what it does not understand; nothing was changed by it", e);
      }
    }
  }

  private void handle(Item item, long term) throws InterruptedException {
    waits.heard(item.event());
    try {
      var decision =
          item.dryRun()
              ? faults.decide(keeper.state(), item.event(), System.nanoTime())
              : decide(item.event(), term);
      if (item.done() != null) {
        item.done().complete(decision);
      }
      if (!item.dryRun()) {
        goOn(decision, term);
      }
    } catch (ReplicatedLog.Rejection e) {
      outcomeUnknown |= e instanceof ReplicatedLog.OutcomeUnknown;
      if (item.done() != null) {
        item.done().completeExceptionally(e);
      } else {
        log.info("{} was not decided: {}", item.event().getClass().getSimpleName(), e.getMessage());
        HaPolicy.again(item.event(), String.valueOf(e.getMessage())).ifPresent(again::add);
      }
    } catch (RuntimeException e) {
      log.error("no decision on {}: nothing was changed", item.event(), e);
      if (item.done() != null) {
        item.done().completeExceptionally(e);
      }
    }
    for (var told = faults.toTell(); told.isPresent(); told = faults.toTell()) {
      try {
        decide(told.get(), term);
      } catch (RuntimeException e) {
        log.warn("a fault could not be told: {}", e.getMessage());
        break;
      }
    }
  }

  /** What had no room in one entry follows at once, and not with the next tick. */
  private void goOn(Decision first, long term) throws InterruptedException {
    var last = first;
    while (last.more() && !last.changes().isEmpty() && raft.leadership().term() == term) {
      last = decide(new Event.GoOn(Instant.now()), term);
    }
  }

  private Decision decide(Event event, long term) throws InterruptedException {
    if (effects.outdated(event)) {
      return Decision.none("no longer true");
    }
    for (int i = 0; i < STALE_TRIES; i++) {
      ClusterState state = keeper.state();
      var decision = faults.decide(state, event, System.nanoTime());
      if (decision.changes().isEmpty() && decision.notes().isEmpty()) {
        decision.actions().forEach(a -> effects.start(a, term));
        return decision;
      }
      var entry =
          new Entry(
              Entry.FORMAT,
              state.version(),
              event.at(),
              effects.dated(decision.changes()),
              decision.notes());
      var no = effects.proposing(decision.changes());
      if (no.isPresent()) {
        effects.refused(decision.changes());
        throw new ReplicatedLog.Refused(no.get());
      }
      decision.ahead().forEach(a -> effects.start(a, term));
      StateKeeper.Result result;
      try {
        result = commit(entry, term);
      } catch (ReplicatedLog.OutcomeUnknown e) {
        throw e; // it may still be applied: what is withheld for it stays so in this term
      } catch (ReplicatedLog.Rejection e) {
        effects.refused(decision.changes());
        throw e;
      }
      switch (result.answer()) {
        case APPLIED -> {
          decision.actions().forEach(a -> effects.start(a, term));
          decision.notes().forEach(n -> log.info("{} {}: {}", n.kind(), n.subject(), n.message()));
          return decision;
        }
        case STALE -> // another leader's last entry came between: look again
            effects.refused(decision.changes());
        case BROKEN -> {
          effects.refused(decision.changes());
          faults.broken(state, event, result.detail(), System.nanoTime());
        }
      }
    }
    throw new ReplicatedLog.OutcomeUnknown("the state changed too fast under the decision");
  }

  private StateKeeper.Result commit(Entry entry, long term) throws InterruptedException {
    try {
      return Json.read(
          raft.propose(Json.bytes(entry), term).get(COMMIT_SECONDS, TimeUnit.SECONDS),
          StateKeeper.Result.class);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof ReplicatedLog.Rejection r) {
        throw r;
      }
      throw new ReplicatedLog.OutcomeUnknown("the log failed: " + e.getCause());
    } catch (TimeoutException e) {
      throw new ReplicatedLog.OutcomeUnknown("no quorum has answered for " + COMMIT_SECONDS + " s");
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
