package dev.haven.simulator;

import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** What a host's agent has promised to refuse. On disk: it survives restarts and power cuts. */
final class Book {
  long term;
  private final Map<GuestId, Page> guests = new HashMap<>();
  private final Map<GuestId, Epoch> paused = new TreeMap<>();
  private final Map<GuestId, Epoch> created = new TreeMap<>();

  private record Page(Epoch seen, Epoch refused, Epoch movedTo, Epoch begun, Epoch paused) {
    static final Page NEW = new Page(Epoch.NONE, Epoch.NONE, Epoch.NONE, Epoch.NONE, Epoch.NONE);
  }

  private Page page(GuestId guest) {
    return guests.getOrDefault(guest, Page.NEW);
  }

  /** Why an order of this term is not obeyed; empty if it may be. */
  Optional<String> meet(long theirs) {
    if (theirs < term) {
      return Optional.of("term " + theirs + " is older than " + term);
    }
    term = theirs;
    return Optional.empty();
  }

  /**
   * @param refusedToo whether it is welcome under a refused epoch: it starts nothing
   */
  Optional<String> admit(GuestId guest, Epoch epoch, boolean refusedToo) {
    var no = check(guest, epoch, refusedToo);
    if (no.isEmpty()) {
      var page = page(guest);
      guests.put(
          guest, new Page(epoch, page.refused(), page.movedTo(), page.begun(), page.paused()));
    }
    return no;
  }

  /** The same question; remembers nothing. */
  Optional<String> check(GuestId guest, Epoch epoch, boolean refusedToo) {
    var page = page(guest);
    if (epoch.compareTo(page.seen()) < 0) {
      return Optional.of("epoch " + epoch + " is older than " + page.seen() + ", seen here");
    }
    return !refusedToo && epoch.compareTo(page.refused()) <= 0
        ? Optional.of("epoch " + page.refused() + " and older ones are refused here")
        : Optional.empty();
  }

  void refuse(GuestId guest, Epoch epoch, Epoch movedTo) {
    var page = page(guest);
    if (epoch.compareTo(page.refused()) > 0) {
      guests.put(guest, new Page(page.seen(), epoch, movedTo, page.begun(), page.paused()));
    }
  }

  /** Whether the migration to this epoch may begin: each does once. */
  boolean begin(GuestId guest, Epoch targetEpoch) {
    var page = page(guest);
    if (targetEpoch.compareTo(page.begun()) <= 0) {
      return false;
    }
    guests.put(
        guest, new Page(page.seen(), page.refused(), page.movedTo(), targetEpoch, page.paused()));
    return true;
  }

  boolean mayRun(GuestId guest, Epoch epoch) {
    var page = page(guest);
    return page.seen().compareTo(epoch) >= 0 && page.refused().compareTo(epoch) < 0;
  }

  boolean moved(GuestId guest, Epoch epoch, Epoch targetEpoch) {
    var page = page(guest);
    return page.refused().equals(epoch) && page.movedTo().equals(targetEpoch);
  }

  /** This host pauses it for want of a lease; no epoch: it goes on. */
  void pausing(GuestId guest, Epoch epoch) {
    var p = page(guest);
    guests.put(guest, new Page(p.seen(), p.refused(), p.movedTo(), p.begun(), epoch));
    if (epoch.equals(Epoch.NONE)) {
      paused.remove(guest);
    } else {
      paused.put(guest, epoch);
    }
  }

  Map<GuestId, Epoch> paused() {
    return paused.isEmpty() ? Map.of() : new TreeMap<>(paused);
  }

  /** It is created here, paused, and not yet let run; no epoch: it was. */
  void creating(GuestId guest, Epoch epoch) {
    if (epoch.equals(Epoch.NONE)) {
      created.remove(guest);
    } else {
      created.put(guest, epoch);
    }
  }

  Map<GuestId, Epoch> created() {
    return created;
  }

  void forget(GuestId guest) {
    created.remove(guest);
    guests.remove(guest);
    paused.remove(guest);
  }
}
