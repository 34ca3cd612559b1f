package dev.haven.core.obey;

import dev.haven.core.lease.SelfFencing;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Function;

/**
 * What a host has promised to refuse, and what it knows of guests that wait, paused, to be let run.
 * Safe for several threads.
 *
 * <p>Each change is {@linkplain #write written} before the method that makes it returns. A change
 * that cannot be written has not happened, and the order behind it is not obeyed. A damaged book is
 * never guessed at: every order is refused until an operator has looked, because what was refused
 * is no longer known.
 */
public abstract class Refusals implements SelfFencing.Notes {
  /**
   * What survives every restart of the agent.
   *
   * @param term the highest of any leader whose order has come
   * @param generation the highest that the cluster had, which grows when it is forced to start
   *     again
   * @param entries by name; what is not there was never ordered
   */
  public record Noted(long term, long generation, Map<Exclusive, Entry> entries) {
    public static final Noted NOTHING = new Noted(0, 0, Map.of());
  }

  /**
   * What is known of one guest, or of whatever else is exclusive.
   *
   * @param seen the highest epoch of any order that was obeyed; older ones are refused
   * @param refused this epoch and older ones run here no more
   * @param movedTo the epoch under which it went elsewhere, when {@code refused} is because of a
   *     migration that ended well; 0 otherwise
   * @param begun the highest target epoch of a migration that was begun here, or must not begin
   * @param paused the epoch under which this host paused it for want of a lease; 0 if it did not
   * @param created the epoch under which it was created here, paused, and not yet let run
   * @param notRun the epoch that was given to this host and under which it has not run here yet: it
   *     was neither created nor has it arrived, or it waits, paused, to be let run
   */
  public record Entry(
      Epoch seen,
      Epoch refused,
      Epoch movedTo,
      Optional<Epoch> begun,
      Optional<Epoch> paused,
      Optional<Epoch> created,
      Optional<Epoch> notRun) {
    static final Entry NEW =
        new Entry(
            Epoch.NONE,
            Epoch.NONE,
            Epoch.NONE,
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());

    Entry given(Epoch epoch) {
      return seen(epoch).arrived(epoch);
    }

    Entry arrived(Epoch epoch) {
      return new Entry(seen, refused, movedTo, begun, paused, created, Optional.of(epoch));
    }

    Entry seen(Epoch epoch) {
      return new Entry(epoch, refused, movedTo, begun, paused, created, notRun);
    }

    Entry refused(Epoch epoch, Epoch elsewhere) {
      return new Entry(seen, epoch, elsewhere, begun, paused, created, notRun);
    }

    Entry begun(Epoch epoch) {
      return new Entry(seen, refused, movedTo, Optional.of(epoch), paused, created, notRun);
    }

    Entry paused(Optional<Epoch> epoch) {
      return new Entry(seen, refused, movedTo, begun, epoch, created, notRun);
    }

    Entry created(Epoch epoch) {
      return new Entry(
          seen, refused, movedTo, begun, paused, Optional.of(epoch), Optional.of(epoch));
    }

    /** Nothing of this epoch or an older one waits to be let run. */
    Entry nothingWaits(Epoch epoch) {
      return new Entry(
          seen,
          refused,
          movedTo,
          begun,
          paused,
          created.filter(e -> e.compareTo(epoch) > 0),
          notRun.filter(e -> e.compareTo(epoch) > 0));
    }
  }

  /** Replaced as a whole, so that who only looks waits for no disk. */
  private volatile Noted noted;

  private final Optional<String> damage;

  /** What was let run and could not be noted as such: the disk did not take it. */
  private final Map<GuestId, Epoch> ran = new ConcurrentSkipListMap<>();

  /** What was paused for want of a lease and could not be noted as such. */
  private final Map<GuestId, Epoch> unnoted = new ConcurrentSkipListMap<>();

  /**
   * @param noted what an earlier process has written last
   */
  protected Refusals(Noted noted) {
    this.noted = noted;
    this.damage = Optional.empty();
  }

  /**
   * Refuses every order: what was noted cannot be read.
   *
   * @param damage what is wrong, and the way out
   */
  protected Refusals(String damage) {
    this.noted = Noted.NOTHING;
    this.damage = Optional.of(damage);
  }

  /**
   * Writes it, so that the next process finds it. Called by one thread at a time.
   *
   * @throws IOException if that is not certain; the next process finds this or what was before
   */
  protected abstract void write(Noted next) throws IOException;

  /**
   * Whether a guest of this name may have been ordered here: any may, where the book is damaged.
   * Answers at once, also while a note is being written.
   */
  public boolean knows(String guest) {
    return damage.isPresent()
        || noted.entries.keySet().stream().anyMatch(id -> id.value().equals(guest));
  }

  /** Why nothing can be obeyed: the file is damaged. */
  public synchronized Optional<String> damage() {
    return damage;
  }

  public synchronized long term() {
    return noted.term;
  }

  /**
   * Whether the leader behind an order may still give any: its term and generation are not older
   * than the highest seen. Newer ones are remembered.
   *
   * @return why not; empty if it may
   */
  public synchronized Optional<String> meet(long term, long generation) throws IOException {
    if (damage.isPresent()) {
      return damage;
    }
    if (generation < noted.generation) {
      return Optional.of(
          "generation %d is older than %d, the cluster's since it was forced to start again"
              .formatted(generation, noted.generation));
    }
    if (term < noted.term) {
      return Optional.of(
          "term %d is older than %d: there is a newer leader".formatted(term, noted.term));
    }
    if (term > noted.term || generation > noted.generation) {
      note(new Noted(term, generation, noted.entries));
    }
    return Optional.empty();
  }

  /** Whether a guest was here when an epoch of it was heard of first, and may have run. */
  public enum Here {
    YES,
    NO,
    /** libvirt did not say in time. */
    UNKNOWN;

    /**
     * @param domains that bear the guest's name; empty if libvirt did not say in time
     */
    public static Here of(Optional<List<DomainReport>> domains, Epoch epoch) {
      if (domains.isEmpty()) {
        return UNKNOWN;
      }
      return domains.get().stream()
              .anyMatch(
                  d ->
                      d.epoch().equals(epoch)
                          && d.state().active()
                          && d.state() != DomainState.INCOMING)
          ? YES
          : NO;
    }
  }

  /**
   * Whether an order under this epoch is not older than what was obeyed here; it is remembered.
   *
   * @param refusedToo whether it is welcome under a refused epoch, as an order is that starts
   *     nothing
   * @param here whether it is here under this epoch already and has not only just arrived: then
   *     this book is younger than it. Unless that is certain not to be so, what is paused may be
   *     its owner's pause
   * @return why not; empty if it is fine
   */
  public synchronized Optional<String> admit(
      Exclusive guest, Epoch epoch, boolean refusedToo, Here here) throws IOException {
    var no = check(guest, epoch, refusedToo);
    var entry = entry(guest);
    if (no.isEmpty() && epoch.compareTo(entry.seen) > 0) {
      put(guest, here == Here.NO ? entry.given(epoch) : entry.seen(epoch));
      ran.remove(guest);
    }
    return no;
  }

  /** The same question; remembers nothing. */
  public synchronized Optional<String> check(Exclusive guest, Epoch epoch, boolean refusedToo) {
    if (damage.isPresent()) {
      return damage;
    }
    var entry = entry(guest);
    if (epoch.compareTo(entry.seen) < 0) {
      return Optional.of(
          "guest %s: epoch %s is older than %s, seen here".formatted(guest, epoch, entry.seen));
    }
    if (!refusedToo && epoch.compareTo(entry.refused) <= 0) {
      return Optional.of(
          "guest %s: this host refuses epoch %s and older ones".formatted(guest, entry.refused));
    }
    return Optional.empty();
  }

  /** Whether this epoch or a newer one is remembered already. */
  public synchronized boolean seen(Exclusive guest, Epoch epoch) {
    return entry(guest).seen.compareTo(epoch) >= 0;
  }

  /**
   * Writes what is noted once more. A guest that comes from another host needs a note here before
   * it may go on, and by then it has left the other one.
   *
   * @throws IOException if the disk takes no note
   */
  public synchronized void tryDisk() throws IOException {
    note(noted);
  }

  /** From now on every order of this epoch or an older one is refused. */
  public synchronized void refuse(Exclusive guest, Epoch epoch) throws IOException {
    refuse(guest, epoch, Epoch.NONE);
  }

  /** The same, because the guest went elsewhere under {@code movedTo}. */
  public synchronized void refuse(Exclusive guest, Epoch epoch, Epoch movedTo) throws IOException {
    undamaged();
    var entry = entry(guest);
    if (epoch.compareTo(entry.refused) > 0) {
      put(guest, entry.refused(epoch, movedTo));
    }
  }

  /**
   * Whether the migration of the guest to this epoch may begin now: once for each epoch, and none
   * that was called off by the same method before.
   */
  public synchronized boolean begin(Exclusive guest, Epoch targetEpoch) throws IOException {
    undamaged();
    var entry = entry(guest);
    if (entry.begun.filter(b -> targetEpoch.compareTo(b) <= 0).isPresent()) {
      return false;
    }
    put(guest, entry.begun(targetEpoch));
    return true;
  }

  /**
   * This host is about to pause these guests for want of a lease: only then may it let them go on.
   * One write for all of them.
   */
  @Override
  public synchronized void pausing(Map<GuestId, Epoch> guests) throws IOException {
    unnoted.putAll(guests);
    paused(guests.keySet(), guest -> Optional.ofNullable(guests.get(guest)));
  }

  /** They go on, or are gone. */
  @Override
  public synchronized void goesOn(Set<GuestId> guests) throws IOException {
    unnoted.keySet().removeAll(guests);
    paused(guests, _ -> Optional.empty());
  }

  private void paused(Set<GuestId> which, Function<GuestId, Optional<Epoch>> now)
      throws IOException {
    var guests = new TreeMap<>(noted.entries);
    for (var guest : which) {
      var old = entry(guest);
      var epoch = now.apply(guest);
      if (!old.paused.equals(epoch)) {
        guests.put(guest, old.paused(epoch));
      }
    }
    if (!guests.equals(noted.entries)) {
      note(new Noted(noted.term, noted.generation, guests));
    }
    unnoted.keySet().removeAll(which);
  }

  @Override
  public Map<GuestId, Epoch> unnoted() {
    return new TreeMap<>(unnoted);
  }

  /**
   * The guest is about to be created, paused. Until it was let run, that is not its owner's pause,
   * and only an order lets it run.
   */
  public synchronized void creating(GuestId guest, Epoch epoch) throws IOException {
    undamaged();
    var now = entry(guest).created(epoch);
    if (!now.equals(entry(guest))) {
      put(guest, now);
    }
    ran.remove(guest);
  }

  /**
   * The guest has arrived, paused, and is about to be let run. Known already, and nothing to be
   * written, unless libvirt did not say at first whether it was here before.
   */
  public synchronized void arrived(GuestId guest, Epoch epoch) throws IOException {
    undamaged();
    var now = entry(guest).arrived(epoch);
    if (!now.equals(entry(guest))) {
      put(guest, now);
      ran.remove(guest);
    }
  }

  /**
   * It was let run under this epoch: what pauses it from now on is not its start, also where the
   * disk does not take the note.
   */
  public synchronized void runs(GuestId guest, Epoch epoch) throws IOException {
    var now = entry(guest).nothingWaits(epoch);
    if (!now.equals(entry(guest))) {
      ran.put(guest, epoch);
      put(guest, now);
    }
  }

  /** libvirt has said that nothing of this epoch or an older one is left here. */
  @Override
  public synchronized void gone(GuestId guest, Epoch epoch) throws IOException {
    var now = entry(guest).nothingWaits(epoch);
    if (!now.equals(entry(guest))) {
      put(guest, now);
    }
  }

  /** The guests that were created here, paused, and not yet let run, each with its epoch. */
  @Override
  public Map<GuestId, Epoch> created() {
    return all(entry -> entry.created);
  }

  /**
   * The guests that were given to this host under an epoch under which they have not run here, each
   * with that epoch. What is here of them waits, paused, to be let run by an order.
   */
  @Override
  public Map<GuestId, Epoch> notRun() {
    return all(entry -> entry.notRun);
  }

  private Map<GuestId, Epoch> all(Function<Entry, Optional<Epoch>> what) {
    var all = new TreeMap<GuestId, Epoch>();
    noted.entries.forEach(
        (exclusive, entry) -> {
          if (exclusive instanceof GuestId guest) {
            what.apply(entry)
                .filter(epoch -> !epoch.equals(ran.get(guest)))
                .ifPresent(epoch -> all.put(guest, epoch));
          }
        });
    return all;
  }

  /**
   * What libvirt says of a domain, with what only this host knows: whether it is paused for want of
   * a lease, or has never been let run. Neither is its owner's pause.
   */
  public DomainReport said(DomainReport domain) {
    if (domain.state() != DomainState.PAUSED) {
      return domain;
    }
    if (pausedByUs(domain)) {
      return as(domain, DomainState.PAUSED_NO_LEASE, " for want of a lease");
    }
    return is(notRun(), domain)
        ? as(domain, DomainState.INCOMING, ", and was never let run here")
        : domain;
  }

  /**
   * libvirt has said that this domain runs: it does not wait to be let run.
   *
   * @throws IOException if this cannot be noted; this process knows it all the same
   */
  public void seenRunning(DomainReport domain) throws IOException {
    for (var guest : notRun().entrySet()) {
      if (is(guest, domain)) {
        runs(guest.getKey(), guest.getValue());
      }
    }
  }

  private static DomainReport as(DomainReport domain, DomainState state, String why) {
    return new DomainReport(
        domain.name(), state, domain.epoch(), domain.job(), domain.detail() + why, domain.health());
  }

  private static boolean is(Map<GuestId, Epoch> noted, DomainReport domain) {
    return noted.entrySet().stream().anyMatch(guest -> is(guest, domain));
  }

  private static boolean is(Map.Entry<GuestId, Epoch> noted, DomainReport domain) {
    return noted.getKey().value().equals(domain.name()) && noted.getValue().equals(domain.epoch());
  }

  /** The guests that this host paused for want of a lease, each with its epoch. */
  @Override
  public Map<GuestId, Epoch> paused() {
    var open = new TreeMap<>(unnoted); // first: what leaves it meanwhile is noted by then
    var paused = new TreeMap<GuestId, Epoch>();
    noted.entries.forEach(
        (exclusive, entry) -> {
          if (exclusive instanceof GuestId guest) {
            entry.paused.ifPresent(epoch -> paused.put(guest, epoch));
          }
        });
    paused.putAll(open);
    return paused;
  }

  /** Whether this host paused this very turn of it. */
  public boolean pausedByUs(DomainReport domain) {
    return is(paused(), domain);
  }

  /** Whether an order of this epoch was obeyed here, and it is not refused since. */
  @Override
  public boolean mayRun(GuestId guest, Epoch epoch) {
    var entry = entry(guest);
    return entry.seen.compareTo(epoch) >= 0 && entry.refused.compareTo(epoch) < 0;
  }

  /** Whether the guest was seen to have gone elsewhere under this epoch. */
  public synchronized boolean moved(Exclusive guest, Epoch epoch, Epoch targetEpoch) {
    var entry = entry(guest);
    return entry.refused.equals(epoch) && entry.movedTo.equals(targetEpoch);
  }

  /** The guest is no more; one of its name may begin again with the first epoch. */
  public synchronized void forget(Exclusive guest) throws IOException {
    if (damage.isEmpty() && noted.entries.containsKey(guest)) {
      var guests = new TreeMap<>(noted.entries);
      guests.remove(guest);
      ran.remove(guest);
      unnoted.remove(guest);
      note(new Noted(noted.term, noted.generation, guests));
    }
  }

  private Entry entry(Exclusive guest) {
    return noted.entries.getOrDefault(guest, Entry.NEW);
  }

  private void put(Exclusive guest, Entry entry) throws IOException {
    var guests = new TreeMap<>(noted.entries);
    guests.put(guest, entry);
    note(new Noted(noted.term, noted.generation, guests));
  }

  private void undamaged() throws IOException {
    if (damage.isPresent()) {
      throw new IOException(damage.get());
    }
  }

  private void note(Noted next) throws IOException {
    undamaged(); // else the next process would take what is left for all of it
    write(next);
    noted = next;
  }
}
