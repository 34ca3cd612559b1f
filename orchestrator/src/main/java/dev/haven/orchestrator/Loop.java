package dev.haven.orchestrator;

import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.lead.Decider;
import dev.haven.core.lead.Leader;
import dev.haven.core.lead.World;
import dev.haven.model.DomainReport;
import dev.haven.model.Json;
import dev.haven.model.api.Command;
import dev.haven.model.api.FactWords;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The thread and the queue around {@link Leader}: one event after the other, and each waits for its
 * commit. On a voter that does not lead it does nothing at all.
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

  private final ReplicatedLog raft;
  private final Effects effects;
  private final LinkedBlockingQueue<Item> queue = new LinkedBlockingQueue<>(QUEUE);
  private final AtomicLong queued = new AtomicLong();
  private final Leader leader;
  private final Thread thread;

  private volatile boolean closed;

  /** When the thread last began something. */
  private volatile long turned = System.nanoTime();

  /**
   * @param done with the decision once it is committed; null if nobody waits
   */
  private record Item(
      Event event,
      boolean dryRun,
      @org.jspecify.annotations.Nullable CompletableFuture<Decision> done) {}

  /** The world, and whether this voter leads in it. */
  interface Effects extends World {
    /** This voter leads from now on. */
    void leading(long term);

    /** This voter does not lead any more: what is under way is let go, nothing is undone. */
    void following();
  }

  Loop(ReplicatedLog raft, Effects effects) {
    this(raft, effects, HaPolicy::decide);
  }

  Loop(ReplicatedLog raft, Effects effects, Decider decider) {
    this.raft = raft;
    this.effects = effects;
    this.leader = new Leader(effects, decider);
    this.thread = Thread.ofPlatform().name("loop").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** For how long the thread has been at one thing: a decision, or the commit of one entry. */
  Duration atOneThing() {
    return Duration.ofNanos(System.nanoTime() - turned);
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
          case Event.CommandReceived e ->
              e.command() instanceof Command.DescribesGuest c ? c.guest().domainXml().length() : 0;
          case Event.LeaderElected _,
              Event.HelloHeld _,
              Event.HostHeard _,
              Event.HostSilent _,
              Event.FencingConfirmed _,
              Event.HostPoisoned _,
              Event.BoundRanOut _,
              Event.LeasesShortened _,
              Event.WatchdogReported _,
              Event.FencedAlone _,
              Event.FencingFailed _,
              Event.HostSwitchedOn _,
              Event.ProofContradicted _,
              Event.ProofUnchecked _,
              Event.OrderAnswered _,
              Event.DisksResolved _,
              Event.DeviceChecked _,
              Event.EchoChecked _,
              Event.AgentChecked _,
              Event.Tick _,
              Event.VoterStands _,
              Event.GoOn _,
              Event.OutcomeWasUnknown _,
              Event.DecisionFailed _ ->
              0;
        };
  }

  private static long weight(List<DomainReport> domains) {
    return domains.stream().mapToLong(d -> 256L + d.name().length() + d.detail().length()).sum();
  }

  private void run() {
    long term = 0;
    long nextTick = System.nanoTime();
    while (!closed) {
      turned = System.nanoTime();
      try {
        var leadership = raft.leadership();
        if (!leadership.ready()) {
          if (term != 0) {
            leader.deposed();
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
          effects.leading(term);
          handle(new Item(leader.elected(term, raft.alone().generation()), false, null), term);
          nextTick = System.nanoTime();
        }
        long wait = nextTick - System.nanoTime();
        var item = wait > 0 ? poll(Math.min(wait, 20_000_000L)) : null;
        if (item != null) {
          handle(item, term);
        } else if (System.nanoTime() - nextTick >= 0) {
          nextTick = System.nanoTime() + TICK_MILLIS * 1_000_000L;
          leader.tick();
          handleNext(term);
        }
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        log.error("the loop met what it does not understand; nothing was changed by it", e);
      }
    }
  }

  private void handle(Item item, long term) throws InterruptedException {
    if (item.dryRun()) {
      preview(item);
    } else {
      decide(item, term);
      handleNext(term);
    }
  }

  private void handleNext(long term) throws InterruptedException {
    for (var next = leader.next(); next.isPresent(); next = leader.next()) {
      decide(new Item(next.get(), false, null), term);
    }
  }

  private void preview(Item item) {
    try {
      var decision = leader.preview(item.event());
      if (item.done() != null) {
        item.done().complete(decision);
      }
    } catch (RuntimeException e) {
      if (item.done() != null) {
        item.done().completeExceptionally(e);
      }
    }
  }

  private void decide(Item item, long term) throws InterruptedException {
    var step = leader.take(item.event());
    Optional<RuntimeException> rejected = Optional.empty();
    while (step instanceof Leader.Step.Propose p) {
      turned = System.nanoTime();
      try {
        var result = commit(p.entry(), term);
        step =
            switch (result.answer()) {
              case APPLIED -> leader.applied(p);
              case STALE -> leader.stale(p);
              case BROKEN -> leader.broken(p, result.detail());
            };
      } catch (ReplicatedLog.OutcomeUnknown e) {
        rejected = Optional.of(e);
        step = leader.unknown(p, words(e));
      } catch (ReplicatedLog.Rejection e) {
        rejected = Optional.of(e);
        step = leader.refused(p, words(e));
      }
    }
    switch (step) {
      case Leader.Step.Propose _ -> throw new AssertionError();
      case Leader.Step.Done d -> {
        if (d.committed()) {
          d.decision()
              .facts()
              .forEach(f -> log.info("{} {}: {}", f.kind().word(), f.subject(), FactWords.of(f)));
        }
        if (item.done() != null) {
          item.done().complete(d.decision());
        }
      }
      case Leader.Step.NotDecided n -> {
        if (item.done() != null) {
          item.done().completeExceptionally(rejected.or(n::fault).orElseGet(() -> rejection(n)));
        } else {
          log.info("{} was not decided: {}", item.event().getClass().getSimpleName(), n.why());
        }
      }
    }
  }

  private static String words(RuntimeException e) {
    return String.valueOf(e.getMessage());
  }

  private static ReplicatedLog.Rejection rejection(Leader.Step.NotDecided n) {
    return n.outcomeUnknown()
        ? new ReplicatedLog.OutcomeUnknown(n.why())
        : new ReplicatedLog.Refused(n.why());
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
