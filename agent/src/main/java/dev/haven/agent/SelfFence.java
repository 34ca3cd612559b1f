package dev.haven.agent;

import dev.haven.agent.Hypervisor.Domain;
import dev.haven.agent.Hypervisor.Outcome;
import dev.haven.core.lease.Enforcement;
import dev.haven.core.lease.LeaseTable;
import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees to it that no guest runs here without a lease, where others rely on that: it pauses those
 * whose lease has ended, and feeds the watchdog only while every guest here has a lease or is
 * proven paused. What it cannot prove, the watchdog ends. The rules are {@link Enforcement}'s; here
 * are the threads, the watchdog, and libvirt's part. Guests are paused on threads of their own, so
 * that many of them, slow ones and a slow disk keep nobody from feeding while that is allowed.
 *
 * <pre>
 *            every guest has a lease               one has none
 *  feeding ◄───────────────────────── … ─────────────────────────► pausing (fed for 5 s more)
 *     ▲                                                               │            │
 *     └── paused guests go on as leases come back ── all paused ◄─────┘            └──► not fed: reset
 * </pre>
 *
 * <p>Of two hosts without a third voter, the one that is cut off pauses its guests in the same way,
 * whether or not anybody relies on it.
 *
 * <p>Where nobody relies on it, the watchdog is only fed: a host whose agent is gone for good is
 * reset by it all the same, unless it has none.
 */
final class SelfFence implements GuestKeeper.Right, Readiness.Guarded, AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SelfFence.class);
  private static final Duration STEP = Duration.ofMillis(200);
  private static final Duration SAVE_EVERY = Duration.ofSeconds(1);
  private static final Duration ASK = Duration.ofMillis(800);

  /** More for each guest that is asked about at once. */
  private static final Duration ASK_EACH = Duration.ofMillis(30);

  private static final Duration SUSPEND = Duration.ofSeconds(2);

  /** So long libvirtd may still do what an earlier process of the agent has asked it to. */
  private static final Duration EARLIER = Duration.ofSeconds(40);

  /** Guests that are paused at the same time, each over a connection of its own to libvirt. */
  static final int AT_A_TIME = 8;

  /** Pauses that count for how long one takes. */
  private static final int PAUSES = 64;

  private static final Pattern DISK =
      Pattern.compile("<disk\\b[^>]*/>|<disk\\b.*?</disk>", Pattern.DOTALL);
  private static final Pattern DIRECT =
      Pattern.compile("<driver\\b[^>]*\\bcache=['\"](none|directsync)['\"]");

  private final BootId boot;
  private final Hypervisor hypervisor;
  private final OrderBook book;
  private final HostLeases leases;
  private final LeaseFile file;
  private final Supplier<Reports.Seen> seen;
  private final Supplier<List<String>> hazards;
  private final @Nullable WatchdogDevice watchdog;
  private final @Nullable Ear ear;
  private final Consumer<Watchdog> changed;
  private final LongSupplier clock;
  private final long began;

  /** There was an earlier process on this boot, which may have asked libvirt to start guests. */
  private final boolean notFirst;

  private final Executor workers;
  private final Thread thread;

  private final Here host = new Here();
  private final Enforcement enforcement;

  /** What the next process of this boot has to listen to. */
  private volatile Optional<AgentSettings.SbdSettings> listensTo = Optional.empty();

  /**
   * One value, so that no report pairs what is done now with a version under which it was not.
   *
   * @param enforcing whether guests are paused when their leases end
   * @param toldAt the version of the state under which a leader last said whether to
   */
  private record Word(boolean enforcing, Optional<Long> toldAt) {}

  private volatile Word word;

  private volatile boolean starving;
  private volatile boolean closed;
  private boolean dirty = true;

  /** What the next process of the agent will find. */
  private volatile Map<GuestId, LeaseTable.Held> kept = Map.of();

  /** The calls that it will find; read and written with the monitor of this held. */
  private Map<GuestId, Epoch> keptLetRun = Map.of();

  private volatile boolean everKept;

  /** Guests that a call of this process is about to let go on. */
  private final Map<GuestId, Epoch> aboutToRun = new ConcurrentSkipListMap<>();

  /** The same of the process before this one: its call may still wait in libvirt. */
  private final Map<GuestId, Epoch> letRunBefore;

  /** What the calls took that paused guests of late. */
  private final ArrayDeque<Duration> pauses = new ArrayDeque<>();

  /** Whether libvirt has been heard since this process began. */
  private boolean looked;

  private volatile boolean forgotten;

  /**
   * @param seen what libvirt said last
   * @param watchdog null if there is none: then nothing is enforced
   * @param ear null if it listens to no SBD disk
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
      @Nullable Ear ear,
      Consumer<Watchdog> changed,
      LongSupplier clock,
      Executor workers) {
    this.clock = clock;
    this.began = clock.getAsLong();
    this.workers = workers;
    this.boot = boot;
    this.hypervisor = hypervisor;
    this.book = book;
    this.leases = leases;
    this.file = file;
    this.seen = seen;
    this.hazards = hazards;
    this.watchdog = watchdog;
    this.ear = ear;
    this.changed = changed;
    var earlier = file.read(boot);
    notFirst = earlier.isPresent();
    earlier.ifPresent(p -> leases.table().takeOver(p.held()));
    listensTo = earlier.flatMap(LeaseFile.Page::listensTo);
    letRunBefore = earlier.map(p -> Map.copyOf(p.letRun())).orElse(Map.of());
    // without a word of an earlier process of this boot, others may rely on it
    word =
        new Word(
            watchdog != null && earlier.map(LeaseFile.Page::enforcing).orElse(true),
            Optional.empty());
    enforcement = new Enforcement(leases.table(), host);
    save();
    thread =
        Thread.ofPlatform().name("self-fence").priority(Thread.MAX_PRIORITY).unstarted(this::run);
  }

  void start() {
    if (ear != null) {
      ear.start();
    }
    thread.start();
  }

  /**
   * What the leader is to know of the watchdog; empty if there is none. Nobody may rely on leases
   * of which the next process would not know, nor where guests may start by themselves.
   */
  Optional<Watchdog> watchdog() {
    var now = word;
    return Optional.ofNullable(watchdog)
        .map(
            w ->
                new Watchdog(
                    w.kind(),
                    w.identity(),
                    w.timeout(),
                    w.resetThisHost(),
                    now.enforcing() && everKept && hazards.get().isEmpty(),
                    now.toldAt(),
                    Optional.ofNullable(ear).filter(Ear::isReliedOn).flatMap(Ear::listening)));
  }

  /**
   * Waits a moment for a lease that names this guest and epoch; to be asked right before it is
   * started or resumed.
   *
   * @return why it must not run; empty if it may
   */
  @Override
  public Optional<String> missing(GuestId guest, Epoch epoch) throws InterruptedException {
    var missing = leases.missing(guest, epoch);
    return missing.isPresent() ? missing : unkept(guest, epoch, false);
  }

  /** The same, without waiting: asked on the very thread that lets the guest run. */
  @Override
  public Optional<String> missingNow(GuestId guest, Epoch epoch) {
    var missing = leases.missingNow(guest, epoch);
    return missing.isPresent() ? missing : unkept(guest, epoch, true);
  }

  /** A host needs no lease to receive a guest where no watchdog enforces leases. */
  @Override
  public Optional<String> noLease() throws InterruptedException {
    return word.enforcing() ? leases.none() : Optional.empty();
  }

  /**
   * Why the next process would not know that the guest runs here, if libvirt did not answer it;
   * empty if it would.
   *
   * @param sent whether the hypervisor has the call among those that may let a guest run: the next
   *     process has to know of it as well
   */
  private synchronized Optional<String> unkept(GuestId guest, Epoch epoch, boolean sent) {
    if (!word.enforcing()) {
      return Optional.empty();
    }
    var lease = kept.get(guest);
    boolean known =
        lease != null
            && lease.epoch().equals(epoch)
            && (!sent || epoch.equals(keptLetRun.get(guest)));
    return known || save()
        ? Optional.empty()
        : Optional.of("the lease of guest %s cannot be kept".formatted(guest));
  }

  /**
   * The leader says what this host is given, and whether others are to rely on its leases.
   *
   * @return whether it counts; false of a leader that leads no more
   */
  boolean told(ToAgent.Leased leased) {
    if (!leases.table().told(leased.term(), leased.state(), leased.guests())) {
      return false;
    }
    boolean enforce = leased.enforce() && watchdog != null;
    boolean before = word.enforcing();
    word = new Word(enforce, Optional.of(leased.state()));
    if (enforce == before) {
      if (enforce && everKept) { // the leader may have heard an older word, or none
        watchdog().ifPresent(changed);
      }
      return true;
    }
    log.info(
        enforce
            ? "leases are enforced: others rely on it"
            : "leases are not enforced: nobody relies on it");
    if (save()) {
      watchdog().ifPresent(changed);
    }
    return true;
  }

  /** Stops feeding the watchdog, if no guest of ours is here. */
  void test() {
    if (enforcement.empty()) {
      log.warn("the watchdog is not fed any more: it is to reset this host");
      starving = true;
    } else {
      log.warn("the watchdog is not tried: a guest is here, or libvirt does not answer");
    }
  }

  @Override
  public Optional<Readiness.Guard> now() {
    if (watchdog == null || !word.enforcing()) {
      return Optional.empty();
    }
    synchronized (pauses) {
      var mean = pauses.stream().reduce(Duration::plus).map(all -> all.dividedBy(pauses.size()));
      return Optional.of(new Readiness.Guard(watchdog.timeout(), mean));
    }
  }

  @Override
  public Optional<String> forgotten() {
    return forgotten
        ? Optional.of(
            "%s, which the agent's processes hand on to each other, was empty at its start while guests ran: each of its restarts pauses them for a moment. Put RuntimeDirectoryPreserve=yes into its unit"
                .formatted(file.directory()))
        : Optional.empty();
  }

  /** Guests of ours that run before this process began were started under an earlier one. */
  private void lookForAnEarlierProcess() {
    if (looked) {
      return;
    }
    var here = host.active();
    if (here.isPresent()) {
      looked = true;
      forgotten = watchdog != null && !notFirst && !here.get().isEmpty();
      forgotten().ifPresent(w -> log.warn("{}", w));
    }
  }

  private void run() {
    RealTime.thread();
    long saveAt = 0;
    while (!closed) {
      try {
        long now = clock.getAsLong();
        step(now);
        if (dirty || now >= saveAt) {
          saveAt = now + SAVE_EVERY.toNanos();
          save();
        }
        Thread.sleep(STEP);
      } catch (InterruptedException e) {
        return;
      } catch (IOException e) {
        log.error("{}", e.getMessage());
        rest();
      } catch (RuntimeException e) {
        log.error("a fault of ours: the watchdog is not fed until it is over", e);
        rest();
      }
    }
  }

  /** Pauses what must not run, feeds the watchdog if it may, lets go on what may run again. */
  void step(long now) throws IOException {
    // where this is the side of two that is cut off, its guests pause, but nothing rests on it
    boolean enforcing = word.enforcing();
    lookForAnEarlierProcess();
    boolean settled = (!enforcing && !leases.surrenderedAt(now)) || enforcement.settled(now);
    if ((!enforcing || settled)
        && !starving
        && watchdog != null
        && (ear == null || ear.mayFeed())) {
      watchdog.feed();
    }
    enforcement.letGoOn(now);
    listen();
  }

  /** Says that it listens for poison pills, once the next process would know of it too. */
  private void listen() {
    if (ear == null || ear.isReliedOn() || ear.listening().isEmpty()) {
      return;
    }
    listensTo = Optional.of(ear.settings());
    if (save()) {
      ear.reliedOn();
      watchdog().ifPresent(changed);
    } else {
      listensTo = Optional.empty();
    }
  }

  /** Threads for {@code workers}; a call that hangs keeps one until its own limit. */
  static ThreadPoolExecutor threads() {
    var threads =
        new ThreadPoolExecutor(
            AT_A_TIME,
            AT_A_TIME,
            30,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // two rounds of all guests at most
            Thread.ofPlatform().daemon().name("pause-", 1).factory());
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  private static void rest() {
    try {
      Thread.sleep(STEP);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Guests that a call may let run, now or in a moment: one of this process, or one that a process
   * before it has sent.
   */
  private SortedMap<GuestId, Epoch> lettingRun() {
    var all = new TreeMap<GuestId, Epoch>();
    if (maybeSentBefore()) {
      all.putAll(letRunBefore); // first: its epochs may be older
    }
    all.putAll(aboutToRun);
    all.putAll(sentByThis());
    return all;
  }

  private Map<GuestId, Epoch> sentByThis() {
    var all = new TreeMap<GuestId, Epoch>();
    hypervisor
        .letRun()
        .forEach((name, epoch) -> guest(name).ifPresent(id -> all.put(id, new Epoch(epoch))));
    return all;
  }

  /** Whether libvirt may still obey a call of a process before this one. */
  private boolean maybeSentBefore() {
    return notFirst && clock.getAsLong() - began < EARLIER.toNanos();
  }

  private synchronized boolean save() {
    dirty = false;
    try {
      var held = leases.table().held();
      var letRun = lettingRun();
      file.write(new LeaseFile.Page(boot, word.enforcing(), held, listensTo, letRun));
      kept = held;
      keptLetRun = letRun;
      everKept = true;
      return true;
    } catch (IOException e) {
      log.error("leases cannot be kept for the next process: {}", e.toString());
      return false;
    }
  }

  /** This host, as {@link Enforcement} sees it. */
  private final class Here implements Enforcement.Host {
    @Override
    public Optional<Map<GuestId, Epoch>> active() {
      var now = seen.get();
      if (!now.libvirtUp()) {
        return Optional.empty();
      }
      var all = new TreeMap<GuestId, Epoch>();
      for (var domain : now.domains()) {
        if (domain.state().active() && !domain.epoch().equals(Epoch.NONE)) {
          guest(domain.name()).ifPresent(id -> all.put(id, domain.epoch()));
        }
      }
      return Optional.of(all);
    }

    @Override
    public void begin(Runnable job) {
      try {
        workers.execute(
            () -> {
              try {
                job.run();
              } catch (RuntimeException e) {
                log.error("a fault of ours while guests are paused or let go on", e);
              }
            });
      } catch (RejectedExecutionException e) {
        log.debug("this process ends");
      }
    }

    @Override
    public Map<GuestId, Enforcement.Look> look(Set<GuestId> ids) {
      var within = ASK.plus(ASK_EACH.multipliedBy(ids.size()));
      var looks = new TreeMap<GuestId, Enforcement.Look>();
      var answer =
          ids.size() == 1
              ? hypervisor.domain(ids.iterator().next().value(), within)
              : hypervisor.domains(within);
      if (answer instanceof Hypervisor.Answer.Known<List<Domain>> known) {
        ids.forEach(id -> looks.put(id, new Enforcement.Look.Gone()));
        for (var domain : known.value()) {
          guest(domain.name())
              .ifPresent(
                  id ->
                      looks.computeIfPresent(
                          id,
                          (_, _) ->
                              new Enforcement.Look.Here(domain.report().state(), domain.job())));
        }
      }
      return looks;
    }

    @Override
    public boolean destroy(GuestId id, Epoch epoch) {
      log.warn("guest {}: its arrival is ended for want of a lease", id);
      if (!(hypervisor.destroy(id.value(), epoch.value(), SUSPEND) instanceof Outcome.Done)) {
        return false;
      }
      try {
        book.gone(id, epoch);
      } catch (IOException e) {
        log.warn("guest {} is gone, but this cannot be noted on disk: {}", id, e.toString());
      }
      return true;
    }

    @Override
    public void cancelMigration(GuestId id, Epoch epoch) {
      hypervisor.cancelMigration(id.value(), epoch.value(), ASK);
    }

    @Override
    public boolean suspend(GuestId id, Epoch epoch) {
      log.warn("guest {} is paused: its lease has ended", id);
      long from = clock.getAsLong();
      var outcome = hypervisor.suspend(id.value(), epoch.value(), SUSPEND);
      if (outcome instanceof Outcome.Done) {
        took(Duration.ofNanos(clock.getAsLong() - from));
      }
      return outcome instanceof Outcome.Done || outcome instanceof Outcome.Already;
    }

    @Override
    public boolean resume(GuestId id, Epoch epoch) {
      aboutToRun.put(id, epoch);
      try {
        return save() && goOn(id, epoch);
      } finally {
        aboutToRun.remove(id);
      }
    }

    private boolean goOn(GuestId id, Epoch epoch) {
      var outcome =
          hypervisor.resume(
              id.value(),
              epoch.value(),
              true,
              new Hypervisor.Permit() {
                @Override
                public Optional<String> toCreate() {
                  return Optional.of("it is here");
                }

                @Override
                public Optional<String> toRun() {
                  return missingNow(id, epoch);
                }
              },
              SUSPEND);
      log.info("guest {} has a lease again and goes on: {}", id, outcome);
      return outcome instanceof Outcome.Done || outcome instanceof Outcome.Already;
    }

    /** Looked at each time: a disk may have been attached since. */
    @Override
    public boolean bypassesCache(GuestId id) {
      if (!(hypervisor.definition(id.value(), ASK)
          instanceof Hypervisor.Answer.Known<String> xml)) {
        return false;
      }
      if (!allDirect(xml.value())) {
        log.warn(
            "guest {}: a disk of it is written through the host's page cache, so a pause proves"
                + " nothing; give it cache='none'",
            id);
        return false;
      }
      return true;
    }

    @Override
    public boolean mayRun(GuestId id, Epoch epoch) {
      return book.mayRun(id, epoch);
    }

    @Override
    public Map<GuestId, Epoch> letRun() {
      var all = new TreeMap<GuestId, Epoch>();
      if (maybeSentBefore()) {
        all.putAll(book.created());
        all.putAll(here(book.notRun()));
        all.putAll(here(letRunBefore));
      }
      all.putAll(aboutToRun);
      all.putAll(sentByThis());
      return all;
    }

    /** Those that are here: an earlier process may have sent the call that lets them run. */
    private Map<GuestId, Epoch> here(Map<GuestId, Epoch> guests) {
      var here = new TreeMap<GuestId, Epoch>();
      active()
          .orElse(Map.of())
          .forEach(
              (id, epoch) -> {
                if (epoch.equals(guests.get(id))) {
                  here.put(id, epoch);
                }
              });
      return here;
    }

    @Override
    public void pausing(Map<GuestId, Epoch> guests) throws IOException {
      try {
        book.pausing(guests);
      } catch (IOException e) {
        log.error(
            "guests {} are paused, but this cannot be noted on disk ({}): a restarted agent would"
                + " take it for their owner's doing; make room there",
            guests.keySet(),
            e.toString());
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
    public Map<GuestId, Epoch> paused() {
      return book.paused();
    }
  }

  private void took(Duration pause) {
    synchronized (pauses) {
      pauses.addLast(pause);
      if (pauses.size() > PAUSES) {
        pauses.removeFirst();
      }
    }
  }

  /** libvirt allows names that no guest of Haven can have. */
  private static Optional<GuestId> guest(String name) {
    try {
      return Optional.of(new GuestId(name));
    } catch (IllegalArgumentException notOurs) {
      return Optional.empty();
    }
  }

  static boolean allDirect(String domainXml) {
    return DISK.matcher(domainXml)
        .results()
        .map(java.util.regex.MatchResult::group)
        .filter(disk -> !disk.contains("<readonly"))
        .allMatch(disk -> DIRECT.matcher(disk).find());
  }

  /** The watchdog goes on counting: the next process feeds it. */
  @Override
  public void close() {
    closed = true;
    thread.interrupt();
    if (ear != null) {
      ear.close();
    }
    save();
  }
}
