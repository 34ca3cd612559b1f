package dev.haven.agent;

import dev.haven.agent.Hypervisor.Domain;
import dev.haven.agent.Hypervisor.Outcome;
import dev.haven.model.BootId;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.lease.Lease;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sees to it that no guest runs here without a lease, where others rely on that: it pauses those
 * whose lease has ended, and feeds the watchdog only while every guest here has a lease or is
 * proven paused. What it cannot prove, the watchdog ends.
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
final class SelfFence implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(SelfFence.class);
  private static final Duration STEP = Duration.ofMillis(200);
  private static final Duration SAVE_EVERY = Duration.ofSeconds(1);
  private static final Duration ASK = Duration.ofMillis(800);
  private static final Duration SUSPEND = Duration.ofSeconds(2);

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
  private final @Nullable WatchdogDevice watchdog;
  private final @Nullable Ear ear;
  private final Consumer<Watchdog> changed;
  private final Thread thread;

  /** Guests that were active when libvirt last answered: while it is away they may well be. */
  private volatile Map<GuestId, Epoch> active = Map.of();

  /** What the next process of this boot has to listen to. */
  private volatile Optional<AgentSettings.SbdSettings> listensTo = Optional.empty();

  private volatile boolean enforcing;
  private volatile boolean starving;
  private volatile boolean closed;
  private boolean dirty = true;

  /**
   * @param seen what libvirt said last
   * @param watchdog null if there is none: then nothing is enforced
   * @param ear null if it listens to no SBD disk
   * @param changed hears of the watchdog whenever what the leader knows of it is no longer true
   */
  SelfFence(
      BootId boot,
      Hypervisor hypervisor,
      OrderBook book,
      HostLeases leases,
      LeaseFile file,
      Supplier<Reports.Seen> seen,
      @Nullable WatchdogDevice watchdog,
      @Nullable Ear ear,
      Consumer<Watchdog> changed) {
    this.boot = boot;
    this.hypervisor = hypervisor;
    this.book = book;
    this.leases = leases;
    this.file = file;
    this.seen = seen;
    this.watchdog = watchdog;
    this.ear = ear;
    this.changed = changed;
    var earlier = file.read(boot);
    earlier.ifPresent(p -> leases.table().takeOver(p.held()));
    listensTo = earlier.flatMap(LeaseFile.Page::listensTo);
    // without a word of an earlier process of this boot, others may rely on it
    enforcing = watchdog != null && earlier.map(LeaseFile.Page::enforcing).orElse(true);
    thread =
        Thread.ofPlatform().name("self-fence").priority(Thread.MAX_PRIORITY).unstarted(this::run);
  }

  void start() {
    if (ear != null) {
      ear.start();
    }
    thread.start();
  }

  /** What the leader is to know of the watchdog; empty if there is none. */
  Optional<Watchdog> watchdog() {
    return Optional.ofNullable(watchdog)
        .map(
            w ->
                new Watchdog(
                    w.kind(),
                    w.identity(),
                    w.timeout(),
                    w.resetThisHost(),
                    enforcing,
                    Optional.ofNullable(ear).filter(Ear::isReliedOn).flatMap(Ear::listening)));
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
    if (enforce == enforcing) {
      return true;
    }
    enforcing = enforce;
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
    if (seen.get().libvirtUp() && active().isEmpty()) {
      log.warn("the watchdog is not fed any more: it is to reset this host");
      starving = true;
    } else {
      log.warn("the watchdog is not tried: a guest is here, or libvirt does not answer");
    }
  }

  private void run() {
    var clock = new BootClock();
    long saveAt = 0;
    while (!closed) {
      try {
        long now = clock.nanos();
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
    boolean settled = (!enforcing && !leases.surrenderedAt(now)) || settled(now);
    if ((!enforcing || settled)
        && !starving
        && watchdog != null
        && (ear == null || ear.mayFeed())) {
      watchdog.feed();
    }
    letGoOn(now);
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

  private static void rest() {
    try {
      Thread.sleep(STEP);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean save() {
    dirty = false;
    try {
      file.write(new LeaseFile.Page(boot, enforcing, leases.table().held(), listensTo));
      return true;
    } catch (IOException e) {
      log.error("leases cannot be kept for the next process: {}", e.toString());
      return false;
    }
  }

  private Map<GuestId, Epoch> active() {
    var now = seen.get();
    if (now.libvirtUp()) {
      var all = new TreeMap<GuestId, Epoch>();
      for (var domain : now.domains()) {
        if (domain.state().active() && !domain.epoch().equals(Epoch.NONE)) {
          all.put(new GuestId(domain.name()), domain.epoch());
        }
      }
      active = all;
    }
    return active;
  }

  /** Whether every guest here has a lease or is proven paused; pauses those that have none. */
  private boolean settled(long now) throws IOException {
    var table = leases.table();
    var held = table.held();
    boolean all = true;
    long allowed = Long.MAX_VALUE;
    for (var guest : active().entrySet()) {
      var id = guest.getKey();
      if (table.covers(id, guest.getValue(), now)) {
        continue;
      }
      var lease = held.get(id);
      allowed =
          Math.min(allowed, lease == null ? now : lease.until() + Lease.PAUSE_CHECK.toNanos());
      all &= paused(id, guest.getValue());
    }
    return all || now < allowed;
  }

  /** Pauses the guest unless it is; true only if libvirt's word and its disks prove it. */
  private boolean paused(GuestId id, Epoch epoch) throws IOException {
    var before = look(id);
    if (before == null) {
      return false;
    }
    if (before.isEmpty() || !before.get().report().state().active()) {
      return true;
    }
    var state = before.get().report().state();
    if (state == DomainState.INCOMING) {
      log.warn("guest {}: its arrival is ended for want of a lease", id);
      return hypervisor.destroy(id.value(), epoch.value(), SUSPEND) instanceof Outcome.Done;
    }
    if (before.get().job()) {
      hypervisor.cancelMigration(id.value(), epoch.value(), ASK);
    }
    if (state == DomainState.PAUSED) { // libvirt's own word, not the report's
      return !before.get().job() && bypassesCache(id);
    }
    book.pausing(id, epoch);
    log.warn("guest {} is paused: its lease has ended", id);
    if (!(hypervisor.suspend(id.value(), epoch.value(), SUSPEND) instanceof Outcome.Done)) {
      return false;
    }
    var after = look(id);
    return after != null
        && (after.isEmpty()
            || (after.get().report().state() == DomainState.PAUSED && !after.get().job()))
        && bypassesCache(id);
  }

  private @Nullable Optional<Domain> look(GuestId id) {
    return hypervisor.domain(id.value(), ASK) instanceof Hypervisor.Answer.Known<List<Domain>> k
        ? k.value().stream().findFirst()
        : null;
  }

  /**
   * What the host's page cache holds could be written after the pause. Looked at each time: a disk
   * may have been attached since.
   */
  private boolean bypassesCache(GuestId id) {
    if (!(hypervisor.definition(id.value(), ASK) instanceof Hypervisor.Answer.Known<String> xml)) {
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

  static boolean allDirect(String domainXml) {
    return DISK.matcher(domainXml)
        .results()
        .map(java.util.regex.MatchResult::group)
        .filter(disk -> !disk.contains("<readonly"))
        .allMatch(disk -> DIRECT.matcher(disk).find());
  }

  /** Those that were paused for want of a lease and have one again, under the same epoch. */
  private void letGoOn(long now) throws IOException {
    for (var paused : book.paused().entrySet()) {
      var id = paused.getKey();
      var here = active().get(id);
      if (here == null) {
        if (seen.get().libvirtUp()) {
          book.goesOn(id);
        }
        continue;
      }
      if (!here.equals(paused.getValue()) || !leases.table().covers(id, here, now)) {
        continue;
      }
      var domain = look(id);
      if (domain == null || domain.isEmpty() || domain.get().job()) {
        continue;
      }
      if (domain.get().report().state() == DomainState.PAUSED) {
        var outcome = hypervisor.resume(id.value(), here.value(), true, SUSPEND);
        log.info("guest {} has a lease again and goes on: {}", id, outcome);
        if (!(outcome instanceof Outcome.Done || outcome instanceof Outcome.Already)) {
          continue;
        }
      }
      book.goesOn(id);
    }
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
