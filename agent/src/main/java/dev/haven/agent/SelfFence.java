package dev.haven.agent;

import dev.haven.agent.guest.GuestKeeper;
import dev.haven.agent.guest.GuestPauses;
import dev.haven.agent.guest.HostLeases;
import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.LeasedRight;
import dev.haven.core.lease.Enforcement;
import dev.haven.core.lease.Handover;
import dev.haven.core.lease.Opened;
import dev.haven.core.lease.SelfFencing;
import dev.haven.model.BootId;
import dev.haven.model.DomainReport;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads, the watchdog, the files and the libvirt of {@link SelfFencing}, which decides.
 * Guests are paused on threads of their own, so that many of them, slow ones and a slow disk keep
 * nobody from feeding while that is allowed.
 */
final class SelfFence implements Readiness.Guarded, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SelfFence.class);
  private static final Duration STEP = Duration.ofMillis(200);

  /**
   * A judgement that is older feeds no watchdog: the lease may be over since, and the bound counts
   * no longer. With {@link #STEP} it stays far below the margin of the bound.
   */
  private static final Duration FRESH = Duration.ofMillis(500);

  private final GuestPauses pauses;
  private final OrderBook book;
  private final LeaseFile file;
  private final Supplier<Reports.Seen> seen;
  private final Supplier<List<String>> hazards;
  private final @Nullable WatchdogDevice watchdog;
  private final @Nullable PoisonPillListener pillListener;
  private final Consumer<Watchdog> changed;
  private final OwnFaults faults;
  private final LongSupplier clock;
  private final Executor workers;
  private final Thread thread;
  private final SelfFencing rules;
  private final GuestKeeper.Right right;

  private volatile boolean closed;

  /** What the leader was told of it. */
  private Opened toldOpened;

  /**
   * @param seen what libvirt said last
   * @param watchdog null if there is none: then nothing is enforced
   * @param pillListener null if it listens to no SBD disk
   * @param changed hears of the watchdog whenever what the leader knows of it is no longer true
   * @param clock nanoseconds of the boot's own clock
   * @param workers for calls that pause guests and let them go on, several at a time
   */
  SelfFence(
      BootId boot,
      Hypervisor hypervisor,
      OrderBook book,
      HostLeases leases,
      LeaseFile file,
      Supplier<Reports.Seen> seen,
      Supplier<List<String>> hazards,
      @Nullable WatchdogDevice watchdog,
      @Nullable PoisonPillListener pillListener,
      Consumer<Watchdog> changed,
      OwnFaults faults,
      LongSupplier clock,
      Executor workers) {
    this.clock = clock;
    this.workers = workers;
    this.book = book;
    this.file = file;
    this.seen = seen;
    this.hazards = hazards;
    this.watchdog = watchdog;
    this.pillListener = pillListener;
    this.changed = changed;
    this.faults = faults;
    pauses = new GuestPauses(hypervisor, this::missingNow, clock, log);
    rules = new SelfFencing(boot, leases.table(), file.read(boot), new Here(), clock.getAsLong());
    right = new LeasedRight(leases, rules);
    rules.keep();
    toldOpened = opened();
    thread =
        Thread.ofPlatform().name("self-fence").priority(Thread.MAX_PRIORITY).unstarted(this::run);
  }

  void start() {
    if (pillListener != null) {
      pillListener.start();
    }
    thread.start();
  }

  /** What the leader is to know of the watchdog; empty if there is none. */
  Optional<Watchdog> watchdog() {
    return rules.watchdog();
  }

  private Opened opened() {
    return watchdog == null ? Opened.NOT : watchdog.opened();
  }

  private Optional<String> missingNow(GuestId guest, Epoch epoch) {
    return right.missingNow(guest, epoch);
  }

  /** Whether a guest may be let run here. */
  GuestKeeper.Right right() {
    return right;
  }

  /**
   * The leader says what this host is given, and whether others are to rely on its leases.
   *
   * @return whether it counts; false of a leader that leads no more
   */
  boolean told(ToAgent.Leased leased) {
    boolean before = rules.enforcing();
    boolean counts = rules.told(leased);
    if (rules.enforcing() != before) {
      log.info(
          before
              ? "leases are not enforced: nobody relies on it"
              : "leases are enforced: others rely on it");
    }
    return counts;
  }

  /** Stops feeding the watchdog, if no guest of ours is here. */
  void test() {
    log.warn(
        rules.test()
            ? "the watchdog is not fed any more: it is to reset this host"
            : "the watchdog is not tried: a guest is here, or libvirt does not answer");
  }

  @Override
  public Optional<Readiness.Guard> now() {
    if (watchdog == null || !rules.enforcing()) {
      return Optional.empty();
    }
    return Optional.of(new Readiness.Guard(watchdog.timeout(), pauses.mean()));
  }

  @Override
  public void asks(LeaseLength length) {
    rules.asks(length);
  }

  @Override
  public Optional<String> forgotten() {
    return rules.forgotten()
        ? Optional.of(
            "%s, which the agent's processes hand on to each other, was empty at its start while guests ran: each of its restarts pauses them for a moment. Put RuntimeDirectoryPreserve=yes into its unit"
                .formatted(file.directory()))
        : Optional.empty();
  }

  private void run() {
    RealTime.thread();
    while (!closed) {
      try {
        step(clock.getAsLong());
      } catch (RuntimeException e) {
        faults.met("feeding the watchdog", e);
      }
      try {
        Thread.sleep(STEP);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  /** Pauses what must not run, feeds the watchdog if it may, lets go on what may run again. */
  void step(long now) {
    if (rules.mayFeed(now) && watchdog != null) {
      if (clock.getAsLong() - now > FRESH.toNanos()) {
        log.warn("this process stood still before it could feed the watchdog; it judges again");
        return;
      }
      try {
        watchdog.feed();
      } catch (IOException e) {
        log.error("{}", e.getMessage());
      }
    }
    var open = opened();
    if (open != toldOpened) {
      toldOpened = open;
      watchdog().ifPresent(changed);
    }
    rules.afterFeeding(now);
  }

  /** Threads for {@code workers}; a call that hangs keeps one until its own limit. */
  static ThreadPoolExecutor threads() {
    var threads =
        new ThreadPoolExecutor(
            Enforcement.AT_A_TIME,
            Enforcement.AT_A_TIME,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // two rounds of all guests at most
            Thread.ofPlatform().daemon().name("pause-", 1).factory());
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  /** The parts of this host, as {@link SelfFencing} needs them. */
  private final class Here implements SelfFencing.Host, SelfFencing.Notes {
    @Override
    public Optional<List<DomainReport>> seen() {
      var now = seen.get();
      return now.libvirtUp() ? Optional.of(now.domains()) : Optional.empty();
    }

    @Override
    public SelfFencing.Guests guests() {
      return pauses;
    }

    @Override
    public void begin(Runnable job) {
      try {
        workers.execute(job);
      } catch (RejectedExecutionException e) {
        log.debug("this process ends");
      }
    }

    @Override
    public void keep(Handover page) throws IOException {
      try {
        file.write(page);
      } catch (IOException e) {
        log.error("leases cannot be kept for the next process: {}", e.toString());
        throw e;
      }
    }

    @Override
    public Optional<Watchdog> watchdog() {
      return Optional.ofNullable(watchdog)
          .map(
              w ->
                  new Watchdog(
                      w.kind(),
                      w.identity(),
                      w.timeout(),
                      w.resetThisHost(),
                      false,
                      Optional.empty(),
                      Optional.empty()));
    }

    @Override
    public Opened opened() {
      return SelfFence.this.opened();
    }

    @Override
    public boolean armedBefore() {
      return watchdog != null && watchdog.armedBefore();
    }

    @Override
    public List<String> hazards() {
      return hazards.get();
    }

    @Override
    public Optional<SelfFencing.Hearing> hearing() {
      return Optional.ofNullable(pillListener).map(PoisonPillListener::hearing);
    }

    @Override
    public void pillsAreReliedOn() {
      if (pillListener != null) {
        pillListener.reliedOn();
      }
    }

    @Override
    public void tell(Watchdog now) {
      changed.accept(now);
    }

    @Override
    public void failed(String doing, RuntimeException e) {
      faults.met(doing, e);
    }

    @Override
    public SelfFencing.Notes notes() {
      return this;
    }

    @Override
    public boolean mayRun(GuestId id, Epoch epoch) {
      return book.mayRun(id, epoch);
    }

    @Override
    public Map<GuestId, Epoch> created() {
      return book.created();
    }

    @Override
    public Map<GuestId, Epoch> notRun() {
      return book.notRun();
    }

    @Override
    public Map<GuestId, Epoch> paused() {
      return book.paused();
    }

    @Override
    public Map<GuestId, Epoch> unnoted() {
      return book.unnoted();
    }

    @Override
    public void pausing(Map<GuestId, Epoch> guests) throws IOException {
      try {
        book.pausing(guests);
      } catch (IOException e) {
        log.error(
            "guests {} are paused, but this cannot be noted on disk ({}): make room there. Until"
                + " then {} alone knows it",
            guests.keySet(),
            e.toString(),
            file.directory());
        throw e;
      }
    }

    @Override
    public void goesOn(Set<GuestId> guests) throws IOException {
      try {
        book.goesOn(guests);
      } catch (IOException e) {
        log.error("guests {} go on, but this cannot be noted on disk: {}", guests, e.toString());
        throw e;
      }
    }

    @Override
    public void gone(GuestId id, Epoch epoch) throws IOException {
      try {
        book.gone(id, epoch);
      } catch (IOException e) {
        log.warn("guest {} is gone, but this cannot be noted on disk: {}", id, e.toString());
        throw e;
      }
    }
  }

  /** The watchdog goes on counting: the next process feeds it. */
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    if (pillListener != null) {
      pillListener.close();
    }
    rules.keep();
  }
}
