package dev.haven.core.lease;

import dev.haven.model.BootId;
import dev.haven.model.DomainReport;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.PillWatch;
import dev.haven.model.wire.ToAgent;
import dev.haven.model.wire.Watchdog;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.stream.Stream;

/**
 * One process of an agent sees to it that no guest runs on its host without a lease, where others
 * rely on that. It decides when the watchdog is fed, which guests are paused and go on, what may be
 * let run, what the leader is told, and what the next process will find. Agent and simulator run
 * this same code around a libvirt, a disk and a watchdog of their own.
 *
 * <pre>
 *            every guest has a lease               one has none
 *  feeding ◄───────────────────────── … ─────────────────────────► pausing (fed for 5 s more)
 *     ▲                                                               │            │
 *     └── paused guests go on as leases come back ── all paused ◄─────┘            └──► not fed: reset
 * </pre>
 *
 * <p>Of two hosts without a third voter, the one that is cut off pauses its guests in the same way,
 * whether or not anybody relies on it. Where nobody relies on it, the watchdog is only fed: a host
 * whose agent is gone for good is reset by it all the same, unless it has none.
 *
 * <p>A fault of our own in here resets no host whose guests all have their leases: the watchdog is
 * fed on for as long as they do, and the fault is told.
 *
 * <p>All times are nanoseconds of the {@link LeaseTable}'s clock. Safe for several threads; {@link
 * #mayFeed} and {@link #afterFeeding} belong to one.
 */
public final class SelfFencing {
  private static final Duration KEEP_EVERY = Duration.ofSeconds(1);

  /** So long libvirtd may still do what an earlier process of the agent has asked it to. */
  private static final Duration EARLIER = Duration.ofSeconds(40);

  /**
   * The libvirt, the disks and the watchdog of a host. Only {@link #begin}'s jobs make calls that
   * may take a moment, but for {@link #keep}.
   */
  public interface Host {
    /** All that libvirt had when it said so last; empty while it does not answer. */
    Optional<List<DomainReport>> seen();

    /** Does this soon, several at a time where it can, and returns. */
    void begin(Runnable job);

    Guests guests();

    Notes notes();

    /** Keeps this for the next process; on an exception it may find this or what was there. */
    void keep(Handover page) throws IOException;

    /** The watchdog itself; what it says of enforcing and pills means nothing. Empty: none. */
    Optional<Watchdog> watchdog();

    /** What becomes of the watchdog when this process ends. */
    Opened opened();

    /** Whether a process before this one has armed the watchdog in this boot. */
    boolean armedBefore();

    /** What may start guests here that nobody ordered, one sentence each. */
    List<String> hazards();

    /** How well poison pills are heard; empty without SBD disks. */
    Optional<Hearing> hearing();

    /** From now on a pill is meant for this boot, also after this process. */
    void pillsAreReliedOn();

    /** What the leader knows of the watchdog is no longer true. */
    void tell(Watchdog watchdog);

    /** An error of ours, to be told with what was being done, such as "pausing guests". */
    void failed(String doing, RuntimeException e);
  }

  /** Calls of libvirt. What is said of {@link Enforcement.Host}'s calls holds here too. */
  public interface Guests {
    /**
     * What libvirt says of these guests now, without those that it does not know; empty: nothing.
     */
    Optional<List<DomainReport>> look(Set<GuestId> guests);

    boolean destroy(GuestId guest, Epoch epoch);

    void cancelMigration(GuestId guest, Epoch epoch);

    boolean suspend(GuestId guest, Epoch epoch);

    /**
     * Asks {@link SelfFencing#missing} at the last moment, with the call already in {@link #sent}.
     */
    boolean resume(GuestId guest, Epoch epoch);

    boolean ended(GuestId guest);

    boolean bypassesCache(GuestId guest);

    /** Calls of this very process that may let a guest run and have not returned. */
    Map<GuestId, Epoch> sent();
  }

  /** What a host has noted on disk of its guests: it survives restarts of the agent. */
  public interface Notes {
    /** Whether an order of this epoch was obeyed here, and it was not given up since. */
    boolean mayRun(GuestId guest, Epoch epoch);

    /** Guests that were created here, paused, and not yet let run. */
    Map<GuestId, Epoch> created();

    /** Guests that were given to this host under an epoch under which they have not run here. */
    Map<GuestId, Epoch> notRun();

    /** Guests that were paused for want of a lease. */
    Map<GuestId, Epoch> paused();

    /**
     * These are about to be paused for want of a lease: one write for all. What the disk does not
     * take is {@link #unnoted} until it does.
     */
    void pausing(Map<GuestId, Epoch> guests) throws IOException;

    /** Those of {@link #paused} that only this process knows of. */
    Map<GuestId, Epoch> unnoted();

    /** They go on, or are gone. */
    void goesOn(Set<GuestId> guests) throws IOException;

    /** libvirt has said that nothing of this epoch or an older one is left here. */
    void gone(GuestId guest, Epoch epoch) throws IOException;
  }

  private interface Note {
    void write() throws IOException;
  }

  /**
   * How well this host hears poison pills.
   *
   * @param watch what the voters are to know; empty while too few disks were ever read
   * @param deaf too few disks can be read, and have not been for too long
   * @param killed a pill has come
   * @param reliedOn others were told under this boot that it listens: they may have sent a pill
   */
  public record Hearing(
      Handover.PillDisks disks,
      Optional<PillWatch> watch,
      boolean deaf,
      boolean killed,
      boolean reliedOn) {
    boolean mayFeed() {
      return !killed && !(deaf && reliedOn);
    }
  }

  /**
   * One value, so that no report pairs what is done now with a version under which it was not.
   *
   * @param enforcing whether guests are paused when their leases end
   * @param toldAt the version of the state under which a leader last said whether to
   */
  private record Word(boolean enforcing, Optional<Long> toldAt) {}

  private final BootId boot;
  private final LeaseTable table;
  private final Host host;
  private final Enforcement enforcement;
  private final long began;

  /** There was an earlier process on this boot, which may have asked libvirt to start guests. */
  private final boolean notFirst;

  /** Calls of the process before this one: they may still wait in libvirt. */
  private final Map<GuestId, Epoch> letRunBefore;

  /** Guests that a call of this process is about to let go on. */
  private final Map<GuestId, Epoch> aboutToRun = new ConcurrentSkipListMap<>();

  private volatile Word word;
  private volatile LeaseLength asked;
  private volatile boolean starving;

  /** The latest that was told; what depends on it may come late and never early. */
  private volatile long time;

  /** What the next process of the agent will find. */
  private volatile Map<Exclusive, LeaseTable.Held> kept = Map.of();

  /** The calls that it will find; read and written with the monitor of this held. */
  private Map<GuestId, Epoch> keptLetRun = Map.of();

  private volatile boolean everKept;
  private volatile Optional<Handover.PillDisks> listensTo;
  private long keepAt;

  /** Whether libvirt has been heard since this process began. */
  private boolean looked;

  private volatile boolean forgotten;

  /** What might run here by the last judgement that came to its end; empty: none, or not needed. */
  private Optional<Map<GuestId, Epoch>> judged = Optional.empty();

  /** What was allowed to run and is in no judgement yet. */
  private final Map<GuestId, Epoch> notJudged = new ConcurrentSkipListMap<>();

  /**
   * @param earlier what a process before this one has kept, of whichever boot; empty: nothing
   */
  public SelfFencing(
      BootId boot, LeaseTable table, Optional<Handover> earlier, Host host, long now) {
    this.boot = boot;
    this.table = table;
    this.host = host;
    this.began = now;
    this.time = now;
    var before = earlier.filter(h -> h.boot().equals(boot));
    notFirst = before.isPresent();
    before.ifPresent(h -> table.takeOver(h.held()));
    listensTo = before.flatMap(Handover::listensTo);
    letRunBefore = before.map(h -> Map.copyOf(h.letRun())).orElse(Map.of());
    asked = before.map(Handover::asked).orElse(LeaseLength.LONG);
    before.map(Handover::paused).filter(p -> !p.isEmpty()).ifPresent(this::pausedBefore);
    // without a word of an earlier process of this boot, others may rely on it
    word =
        new Word(
            host.watchdog().isPresent() && before.map(Handover::enforcing).orElse(true),
            Optional.empty());
    enforcement = new Enforcement(table, new Here());
  }

  /** Else they would be taken for their owners' pauses. */
  private void pausedBefore(Map<GuestId, Epoch> guests) {
    try {
      host.notes().pausing(guests);
    } catch (IOException e) {
      // the host has said so: this process knows it, and the next one will
    }
  }

  // what the leader is told, and says

  /**
   * What the leader is to know of the watchdog; empty if there is none. Nobody may rely on leases
   * of which the next process would not know, on a watchdog that is not open, nor where guests may
   * start by themselves.
   */
  public Optional<Watchdog> watchdog() {
    var now = word;
    var opened = host.opened();
    boolean open = opened != Opened.NOT;
    return host.watchdog()
        .map(
            w ->
                new Watchdog(
                    w.kind(),
                    w.identity(),
                    w.timeout().multipliedBy(opened == Opened.KEPT ? 1 : 2),
                    w.resetThisHost(),
                    now.enforcing() && everKept && open && host.hazards().isEmpty(),
                    open ? now.toldAt() : Optional.empty(),
                    host.hearing().filter(h -> h.reliedOn() && open).flatMap(Hearing::watch),
                    Optional.of(asked)));
  }

  /**
   * The leader says what this host is given, and whether others are to rely on its leases.
   *
   * @return whether it counts; false of a leader that leads no more
   */
  public boolean told(ToAgent.Leased leased) {
    if (!table.told(leased.term(), leased.state(), leased.exclusives())) {
      return false;
    }
    boolean enforce = leased.enforce() && host.watchdog().isPresent();
    boolean before = word.enforcing();
    word = new Word(enforce, Optional.of(leased.state()));
    // the same as before: the leader may have heard an older word, or none
    if (enforce == before ? enforce && everKept : keep()) {
      watchdog().ifPresent(host::tell);
    }
    return true;
  }

  /**
   * This host has measured whether it can pause all its guests in time, and asks for leases of this
   * length. Each lease says its own: what is asked for makes none longer or shorter.
   */
  public void asks(LeaseLength length) {
    if (length != asked) {
      asked = length;
      watchdog().ifPresent(host::tell);
    }
  }

  /** Whether guests are paused here when their leases end. */
  public boolean enforcing() {
    return word.enforcing();
  }

  /**
   * Stops feeding the watchdog for good, if no guest is here.
   *
   * @return whether it does
   */
  public boolean test() {
    starving |= enforcement.empty();
    return starving;
  }

  /** Whether the watchdog is tried, and not fed any more. */
  public boolean starving() {
    return starving;
  }

  /**
   * This process is the first of its boot that kept anything, and found guests of ours: those
   * before it were given a folder that does not last. Known once libvirt has answered.
   */
  public boolean forgotten() {
    return forgotten;
  }

  // what may run

  /**
   * To be asked right before a guest is created, started or resumed. What is let run is known to
   * the next process, if libvirt would not answer it.
   *
   * @param sent whether the call is in {@link Guests#sent} already: then that is kept as well
   * @return why it must not be; empty if it may
   */
  public Optional<String> missing(GuestId guest, Epoch epoch, boolean sent, long now) {
    var no = table.forbidsToRun(guest, epoch, now).or(() -> unkept(guest, epoch, sent));
    if (no.isEmpty() && sent) {
      notJudged.put(guest, epoch);
    }
    return no;
  }

  /**
   * To be asked before a guest may be sent here. A host needs no lease for that where no watchdog
   * enforces leases.
   *
   * @return why it must not be; empty if it may
   */
  public Optional<String> forbidsToReceive(long now) {
    return word.enforcing() ? table.forbidsToReceive(now) : Optional.empty();
  }

  /**
   * libvirt and the kernel have said that nothing of this guest is left here under this epoch or an
   * older one, and this host refuses those. It counts only where no call may let the guest run.
   */
  public void gone(GuestId guest, Epoch epoch) {
    if (!new Here().letRun().containsKey(guest)) {
      table.gone(guest, epoch);
    }
  }

  private synchronized Optional<String> unkept(GuestId guest, Epoch epoch, boolean sent) {
    if (!word.enforcing()) {
      return Optional.empty();
    }
    var lease = kept.get(guest);
    boolean known =
        lease != null
            && lease.epoch().equals(epoch)
            && (!sent || epoch.equals(keptLetRun.get(guest)));
    return known || keep()
        ? Optional.empty()
        : Optional.of("the lease of guest %s cannot be kept".formatted(guest));
  }

  // what is done several times a second

  /** Begins to pause what must not run, and says whether the watchdog is to be fed now. */
  public boolean mayFeed(long now) {
    time = now;
    boolean enforcing = word.enforcing();
    boolean settled;
    try {
      // where this is the side of two that is cut off, its guests pause, but nothing rests on it
      boolean judges = enforcing || table.surrenderedAt(now);
      lookForAnEarlierProcess();
      settled = !judges || (enforcement.settled(now) && !blind());
      judged = judges ? Optional.of(enforcement.mayRun()) : Optional.empty();
      judged.ifPresent(here -> notJudged.entrySet().removeAll(here.entrySet()));
    } catch (RuntimeException e) {
      host.failed("judging which guests have a lease", e);
      settled = haveLeases(now);
    }
    return (!enforcing || settled)
        && !starving
        && host.watchdog().isPresent()
        && host.hearing().map(Hearing::mayFeed).orElse(true);
  }

  /** The rest of a step: lets go on what may run again, and keeps what the next process needs. */
  public void afterFeeding(long now) {
    time = now;
    try {
      enforcement.letGoOn(now);
    } catch (RuntimeException e) {
      host.failed("letting guests go on that have a lease again", e);
    }
    try {
      listen();
    } catch (RuntimeException e) {
      host.failed("beginning to listen for poison pills", e);
    }
    if (now >= keepAt) {
      keepAt = now + KEEP_EVERY.toNanos();
      keep();
    }
  }

  /**
   * Whether guests may run here of which nothing is known: an earlier process has left no word, and
   * libvirt has said nothing yet.
   */
  private boolean blind() {
    return !notFirst && !looked && host.armedBefore();
  }

  /** Guests of ours that run before this process began were started under an earlier one. */
  private void lookForAnEarlierProcess() {
    if (!looked) {
      var here = seen();
      looked = here.isPresent();
      forgotten = host.watchdog().isPresent() && !notFirst && !here.orElse(Map.of()).isEmpty();
    }
  }

  /** Says that it listens for poison pills, once the next process would know of it too. */
  private void listen() {
    var hearing = host.hearing().filter(h -> !h.reliedOn() && h.watch().isPresent());
    if (hearing.isEmpty()) {
      return;
    }
    listensTo = Optional.of(hearing.get().disks());
    if (keep()) {
      host.pillsAreReliedOn();
      watchdog().ifPresent(host::tell);
    } else {
      listensTo = Optional.empty();
    }
  }

  /**
   * Writes down what the next process needs to know.
   *
   * @return whether it would find it
   */
  public synchronized boolean keep() {
    try {
      var held = table.toHandOver();
      var letRun = lettingRun();
      var paused = new TreeMap<>(host.notes().unnoted());
      host.keep(
          new Handover(
              boot, word.enforcing(), asked, held, host.watchdog(), listensTo, letRun, paused));
      kept = held;
      keptLetRun = letRun;
      everKept = true;
      return true;
    } catch (IOException e) {
      return false; // the host has said so
    } catch (RuntimeException e) {
      host.failed("keeping the leases for its next process", e);
      return false;
    }
  }

  /** Guests that a call may let run, now or in a moment, of this process or of one before it. */
  private SortedMap<GuestId, Epoch> lettingRun() {
    var all = new TreeMap<GuestId, Epoch>();
    if (maybeSentBefore()) {
      all.putAll(letRunBefore); // first: its epochs may be older
    }
    all.putAll(aboutToRun);
    all.putAll(host.guests().sent());
    return all;
  }

  /** Whether libvirt may still obey a call of a process before this one. */
  private boolean maybeSentBefore() {
    return notFirst && time - began < EARLIER.toNanos();
  }

  // faults of our own

  /**
   * Whether all that may run has a lease, as far as that can be said after a judgement has failed:
   * by what libvirt said last, or the last judgement, and by all that was let run since.
   */
  private boolean haveLeases(long now) {
    var here = seen().or(() -> judged);
    return here.isPresent()
        && Stream.of(here.get(), notJudged, aboutToRun, letRunBefore)
            .flatMap(guests -> guests.entrySet().stream())
            .allMatch(guest -> table.covers(guest.getKey(), guest.getValue(), now));
  }

  /** What of ours may run here, as libvirt said last; empty while it does not answer. */
  private Optional<Map<GuestId, Epoch>> seen() {
    try {
      return host.seen().map(SelfFencing::ours);
    } catch (RuntimeException e) {
      host.failed("reading what libvirt said last", e);
      return Optional.empty();
    }
  }

  private static Map<GuestId, Epoch> ours(List<DomainReport> domains) {
    var all = new TreeMap<GuestId, Epoch>();
    for (var domain : domains) {
      if (domain.state().active() && !domain.epoch().equals(Epoch.NONE)) {
        guest(domain.name()).ifPresent(id -> all.put(id, domain.epoch()));
      }
    }
    return all;
  }

  /** The guest of a domain; empty where libvirt allows a name that no guest of Haven can have. */
  public static Optional<GuestId> guest(String name) {
    try {
      return Optional.of(new GuestId(name));
    } catch (IllegalArgumentException notOurs) {
      return Optional.empty();
    }
  }

  /** This host, as {@link Enforcement} sees it. */
  private final class Here implements Enforcement.Host {
    @Override
    public void begin(Runnable job) {
      host.begin(
          () -> {
            try {
              job.run();
            } catch (RuntimeException e) {
              host.failed("pausing guests or letting them go on", e);
            }
          });
    }

    @Override
    public Optional<Map<GuestId, Epoch>> active() {
      return seen();
    }

    @Override
    public Map<GuestId, Enforcement.Look> look(Set<GuestId> guests) {
      var looks = new TreeMap<GuestId, Enforcement.Look>();
      var answer = host.guests().look(guests);
      if (answer.isPresent()) {
        guests.forEach(id -> looks.put(id, new Enforcement.Look.Gone()));
        for (var domain : answer.get()) {
          guest(domain.name())
              .ifPresent(
                  id ->
                      looks.computeIfPresent(
                          id, (_, _) -> new Enforcement.Look.Here(domain.state(), domain.job())));
        }
      }
      return looks;
    }

    @Override
    public boolean destroy(GuestId guest, Epoch epoch) {
      if (!host.guests().destroy(guest, epoch)) {
        return false;
      }
      try {
        host.notes().gone(guest, epoch);
      } catch (IOException e) {
        // the host has said so: for a while it counts as one that a call may let run
      }
      return true;
    }

    @Override
    public void cancelMigration(GuestId guest, Epoch epoch) {
      host.guests().cancelMigration(guest, epoch);
    }

    @Override
    public boolean suspend(GuestId guest, Epoch epoch) {
      return host.guests().suspend(guest, epoch);
    }

    /** The next process knows of the call before it is sent. */
    @Override
    public boolean resume(GuestId guest, Epoch epoch) {
      aboutToRun.put(guest, epoch);
      try {
        return keep() && host.guests().resume(guest, epoch);
      } finally {
        aboutToRun.remove(guest);
      }
    }

    @Override
    public boolean ended(GuestId guest) {
      return host.guests().ended(guest);
    }

    @Override
    public boolean bypassesCache(GuestId guest) {
      return host.guests().bypassesCache(guest);
    }

    @Override
    public boolean mayRun(GuestId guest, Epoch epoch) {
      return host.notes().mayRun(guest, epoch);
    }

    @Override
    public Map<GuestId, Epoch> letRun() {
      var all = new TreeMap<GuestId, Epoch>();
      if (maybeSentBefore()) {
        all.putAll(host.notes().created());
        all.putAll(here(host.notes().notRun()));
        all.putAll(here(letRunBefore));
      }
      all.putAll(aboutToRun);
      all.putAll(host.guests().sent());
      return all;
    }

    /** Those that are here: an earlier process may have sent the call that lets them run. */
    private Map<GuestId, Epoch> here(Map<GuestId, Epoch> guests) {
      var here = new TreeMap<>(seen().orElse(Map.of()));
      here.entrySet().retainAll(guests.entrySet());
      return here;
    }

    /** In /run, where the disk does not take it: the next process would let none of them go on. */
    @Override
    public void pausing(Map<GuestId, Epoch> guests) throws IOException {
      keptToo(() -> host.notes().pausing(guests));
    }

    @Override
    public void goesOn(Set<GuestId> guests) throws IOException {
      keptToo(() -> host.notes().goesOn(guests));
    }

    private void keptToo(Note note) throws IOException {
      var before = host.notes().unnoted();
      try {
        note.write();
      } finally {
        if (!before.equals(host.notes().unnoted())) {
          keep();
        }
      }
    }

    @Override
    public Map<GuestId, Epoch> unnoted() {
      return host.notes().unnoted();
    }

    @Override
    public Map<GuestId, Epoch> paused() {
      return host.notes().paused();
    }
  }
}
