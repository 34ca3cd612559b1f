package dev.haven.agent;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What this host has promised to refuse, on disk: it survives every restart of the agent.
 *
 * <p>It stands in {@link TwoCopies}, synced before any method that changes something returns, and
 * keeps its room on the disk: one that is full keeps no guest from being marked as paused. A change
 * that cannot be written has not happened, and the order behind it is not obeyed. A damaged book is
 * never guessed at: every order is refused until an operator has looked, because what was refused
 * is no longer known.
 */
final class OrderBook {
  private static final Logger log = LoggerFactory.getLogger(OrderBook.class);

  /**
   * What stands in the file.
   *
   * @param guests by name; what is not there was never ordered
   */
  private record Page(long term, long generation, Map<GuestId, Entry> guests) {}

  /**
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
  private record Entry(
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

  private final TwoCopies file;

  /** Replaced as a whole, so that who only looks waits for no disk. */
  private volatile Page page;

  private final Optional<String> damage;

  /** What was let run and could not be noted as such: the disk did not take it. */
  private final Map<GuestId, Epoch> ran = new TreeMap<>();

  private OrderBook(TwoCopies file, Page page, Optional<String> damage) {
    this.file = file;
    this.page = page;
    this.damage = damage;
  }

  /**
   * Opens the book in this directory, or begins one.
   *
   * @throws IOException if the file is there and cannot be read at all
   */
  static OrderBook open(Path directory) throws IOException {
    TwoCopies.folder(directory);
    return open(new TwoCopies(directory.resolve("orders"), "haven-order-book", true));
  }

  static OrderBook open(TwoCopies file) throws IOException {
    var nothing = new Page(0, 0, Map.of());
    return switch (file.open()) {
      case TwoCopies.Found.Nothing _ -> {
        var book = new OrderBook(file, nothing, Optional.empty());
        book.write(nothing);
        yield book;
      }
      case TwoCopies.Found.Damaged d -> damaged(file, d.reason());
      case TwoCopies.Found.Text t -> {
        try {
          yield new OrderBook(file, Json.read(t.text(), Page.class), Optional.empty());
        } catch (IllegalArgumentException | UncheckedIOException e) {
          yield damaged(
              file, "%s is damaged (%s)".formatted(file.files().getFirst(), firstLine(e)));
        }
      }
    };
  }

  private static OrderBook damaged(TwoCopies file, String reason) {
    var damage =
        "%s: what this host has to refuse is not known, so it obeys no order. ".formatted(reason)
            + "Make sure that each of its guests is off here or runs nowhere else, then move %s and %s away and restart the agent"
                .formatted(file.files().getFirst(), file.files().getLast());
    log.error("{}", damage);
    return new OrderBook(file, new Page(0, 0, Map.of()), Optional.of(damage));
  }

  /**
   * Whether a guest of this name may have been ordered here: any may, where the book is damaged.
   * Answers at once, also while a note is being written.
   */
  boolean knows(String guest) {
    return damage.isPresent()
        || page.guests.keySet().stream().anyMatch(id -> id.value().equals(guest));
  }

  /** Why nothing can be obeyed: the file is damaged. */
  synchronized Optional<String> damage() {
    return damage;
  }

  synchronized long term() {
    return page.term;
  }

  /**
   * Whether the leader behind an order may still give any: its term and generation are not older
   * than the highest seen. Newer ones are remembered.
   *
   * @return why not; empty if it may
   */
  synchronized Optional<String> meet(long term, long generation) throws IOException {
    if (damage.isPresent()) {
      return damage;
    }
    if (generation < page.generation) {
      return Optional.of(
          "generation %d is older than %d, the cluster's since it was forced to start anew"
              .formatted(generation, page.generation));
    }
    if (term < page.term) {
      return Optional.of(
          "term %d is older than %d: there is a newer leader".formatted(term, page.term));
    }
    if (term > page.term || generation > page.generation) {
      write(new Page(term, generation, page.guests));
    }
    return Optional.empty();
  }

  /** Whether a guest was here when an epoch of it was heard of first, and may have run. */
  enum Here {
    YES,
    NO,
    /** libvirt did not say in time. */
    UNKNOWN
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
  synchronized Optional<String> admit(GuestId guest, Epoch epoch, boolean refusedToo, Here here)
      throws IOException {
    var no = check(guest, epoch, refusedToo);
    var entry = entry(guest);
    if (no.isEmpty() && epoch.compareTo(entry.seen) > 0) {
      ran.remove(guest);
      put(guest, here == Here.NO ? entry.given(epoch) : entry.seen(epoch));
    }
    return no;
  }

  /** The same question; remembers nothing. */
  synchronized Optional<String> check(GuestId guest, Epoch epoch, boolean refusedToo) {
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
  synchronized boolean seen(GuestId guest, Epoch epoch) {
    return entry(guest).seen.compareTo(epoch) >= 0;
  }

  /** From now on every order of this epoch or an older one is refused. */
  synchronized void refuse(GuestId guest, Epoch epoch) throws IOException {
    refuse(guest, epoch, Epoch.NONE);
  }

  /** The same, because the guest went elsewhere under {@code movedTo}. */
  synchronized void refuse(GuestId guest, Epoch epoch, Epoch movedTo) throws IOException {
    if (damage.isPresent()) {
      throw new IOException(damage.get());
    }
    var entry = entry(guest);
    if (epoch.compareTo(entry.refused) > 0) {
      put(guest, entry.refused(epoch, movedTo));
    }
  }

  /**
   * Whether the migration of the guest to this epoch may begin now: once for each epoch, and none
   * that was called off by the same method before.
   */
  synchronized boolean begin(GuestId guest, Epoch targetEpoch) throws IOException {
    if (damage.isPresent()) {
      throw new IOException(damage.get());
    }
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
  synchronized void pausing(Map<GuestId, Epoch> guests) throws IOException {
    paused(guests.keySet(), guest -> Optional.ofNullable(guests.get(guest)));
  }

  /** They go on, or are gone. */
  synchronized void goesOn(Set<GuestId> guests) throws IOException {
    paused(guests, _ -> Optional.empty());
  }

  private void paused(Set<GuestId> which, Function<GuestId, Optional<Epoch>> now)
      throws IOException {
    var guests = new TreeMap<>(page.guests);
    for (var guest : which) {
      var old = entry(guest);
      var epoch = now.apply(guest);
      if (!old.paused.equals(epoch)) {
        guests.put(guest, old.paused(epoch));
      }
    }
    if (!guests.equals(page.guests)) {
      write(new Page(page.term, page.generation, guests));
    }
  }

  /**
   * The guest is about to be created, paused. Until it was let run, that is not its owner's pause,
   * and only an order lets it run.
   */
  synchronized void creating(GuestId guest, Epoch epoch) throws IOException {
    if (damage.isPresent()) {
      throw new IOException(damage.get());
    }
    ran.remove(guest);
    var now = entry(guest).created(epoch);
    if (!now.equals(entry(guest))) {
      put(guest, now);
    }
  }

  /**
   * The guest has arrived, paused, and is about to be let run. Known already, and nothing to be
   * written, unless libvirt did not say at first whether it was here before.
   */
  synchronized void arrived(GuestId guest, Epoch epoch) throws IOException {
    if (damage.isPresent()) {
      throw new IOException(damage.get());
    }
    var now = entry(guest).arrived(epoch);
    if (!now.equals(entry(guest))) {
      ran.remove(guest);
      put(guest, now);
    }
  }

  /**
   * It was let run under this epoch: what pauses it from now on is not its start, also where the
   * disk does not take the note.
   */
  synchronized void runs(GuestId guest, Epoch epoch) throws IOException {
    var now = entry(guest).nothingWaits(epoch);
    if (!now.equals(entry(guest))) {
      ran.put(guest, epoch);
      put(guest, now);
    }
  }

  /** libvirt has said that nothing of this epoch or an older one is left here. */
  synchronized void gone(GuestId guest, Epoch epoch) throws IOException {
    var now = entry(guest).nothingWaits(epoch);
    if (!now.equals(entry(guest))) {
      put(guest, now);
    }
  }

  /** The guests that were created here, paused, and not yet let run, each with its epoch. */
  synchronized Map<GuestId, Epoch> created() {
    return all(entry -> entry.created);
  }

  /**
   * The guests that were given to this host under an epoch under which they have not run here, each
   * with that epoch. What is here of them waits, paused, to be let run by an order.
   */
  synchronized Map<GuestId, Epoch> notRun() {
    return all(entry -> entry.notRun);
  }

  private Map<GuestId, Epoch> all(Function<Entry, Optional<Epoch>> what) {
    var all = new TreeMap<GuestId, Epoch>();
    page.guests.forEach(
        (guest, entry) ->
            what.apply(entry)
                .filter(epoch -> !epoch.equals(ran.get(guest)))
                .ifPresent(epoch -> all.put(guest, epoch)));
    return all;
  }

  /**
   * What libvirt says of a domain, with what only this host knows: whether it is paused for want of
   * a lease, or has never been let run. Neither is its owner's pause.
   */
  DomainReport said(DomainReport domain) {
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

  /** The same for a domain that was looked at; that it runs is remembered. */
  DomainReport said(Hypervisor.Domain domain) {
    var report = domain.report();
    if (domain.state().run() == LibvirtState.Run.RUNNING) {
      for (var guest : notRun().entrySet()) {
        if (is(guest, report)) {
          try {
            runs(guest.getKey(), guest.getValue());
          } catch (IOException e) {
            log.error("{} runs, but this cannot be noted on disk: {}", report.name(), e.toString());
          }
        }
      }
    }
    return said(report);
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
  synchronized Map<GuestId, Epoch> paused() {
    var paused = new TreeMap<GuestId, Epoch>();
    page.guests.forEach(
        (guest, entry) -> entry.paused.ifPresent(epoch -> paused.put(guest, epoch)));
    return paused;
  }

  /** Whether this host paused this very turn of it. */
  boolean pausedByUs(DomainReport domain) {
    return is(paused(), domain);
  }

  /** Whether an order of this epoch was obeyed here, and it is not refused since. */
  synchronized boolean mayRun(GuestId guest, Epoch epoch) {
    var entry = entry(guest);
    return entry.seen.compareTo(epoch) >= 0 && entry.refused.compareTo(epoch) < 0;
  }

  /** Whether the guest was seen to have gone elsewhere under this epoch. */
  synchronized boolean moved(GuestId guest, Epoch epoch, Epoch targetEpoch) {
    var entry = entry(guest);
    return entry.refused.equals(epoch) && entry.movedTo.equals(targetEpoch);
  }

  /** The guest is no more; one of its name may begin again with the first epoch. */
  synchronized void forget(GuestId guest) throws IOException {
    if (damage.isEmpty() && page.guests.containsKey(guest)) {
      var guests = new TreeMap<>(page.guests);
      guests.remove(guest);
      ran.remove(guest);
      write(new Page(page.term, page.generation, guests));
    }
  }

  private Entry entry(GuestId guest) {
    return page.guests.getOrDefault(guest, Entry.NEW);
  }

  private void put(GuestId guest, Entry entry) throws IOException {
    var guests = new TreeMap<>(page.guests);
    guests.put(guest, entry);
    write(new Page(page.term, page.generation, guests));
  }

  private void write(Page next) throws IOException {
    file.write(Json.text(next) + "\n");
    page = next;
  }

  private static String firstLine(Exception e) {
    var why =
        e.getCause() instanceof JsonProcessingException json
            ? json.getOriginalMessage()
            : e.getMessage();
    return String.valueOf(why).lines().findFirst().orElse("unreadable");
  }
}
