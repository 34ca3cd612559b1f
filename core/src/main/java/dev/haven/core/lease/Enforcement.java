package dev.haven.core.lease;

import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * What a host does where others rely on its leases: it pauses every guest that has none, and may
 * feed its watchdog only while each is under a lease or proven paused. All times are nanoseconds of
 * the clock of the {@link LeaseTable}. Agent and simulator run this same code.
 *
 * <p>Guests are paused side by side, in rounds. A round looks at every guest without a lease, notes
 * on disk in one write which of them it is about to pause, and pauses them. A round that has proven
 * all of them paused allows one feeding; then the next round begins. No call of libvirt or a disk
 * keeps {@link #settled} waiting, so the watchdog is fed in between for as long as {@link
 * LeaseLength#pauseCheck} allows.
 */
public final class Enforcement {
  /** Guests that are paused at the same time, each over a connection of its own to libvirt. */
  public static final int AT_A_TIME = 8;

  private final LeaseTable table;
  private final Host host;
  private Map<GuestId, Epoch> active = Map.of();

  /** All that {@link #settled} looked at last. */
  private Map<GuestId, Epoch> judged = Map.of();

  /** What is paused and for which our own call has returned since, each with its epoch. */
  private final Map<GuestId, Epoch> drained = new TreeMap<>();

  /** A call of ours to pause it is under way; then it is not let go on. */
  private final Set<GuestId> pausing = new TreeSet<>();

  /** A call of ours to let it go on is under way; then it is not paused. */
  private final Set<GuestId> resuming = new TreeSet<>();

  /** It goes on, or is gone, and the disk does not know yet. */
  private final Set<GuestId> goneOn = new TreeSet<>();

  /** Held while the disk is told, so that what is paused again is not noted as gone on. */
  private final Object disk = new Object();

  private boolean noting;
  private @Nullable Round round;

  /** One look at all guests that had no lease when it began. */
  private static final class Round {
    /** When it began. */
    final long at;

    /** Those that had none ever since. */
    final Map<GuestId, Epoch> guests;

    /** Those of them that were arriving and left alone, as their leases are on their way. */
    final Map<GuestId, Epoch> arriving = new TreeMap<>();

    /** All leases as it began. */
    final SortedMap<Exclusive, LeaseTable.Held> leases;

    int open = 1;

    /** Whether all are proven paused; never where a start was under way as the round began. */
    boolean all;

    Round(
        long at,
        Map<GuestId, Epoch> guests,
        Set<GuestId> startedMeanwhile,
        SortedMap<Exclusive, LeaseTable.Held> leases) {
      this.leases = leases;
      this.at = at;
      this.guests = new TreeMap<>(guests);
      all = Collections.disjoint(guests.keySet(), startedMeanwhile);
    }
  }

  /**
   * libvirt and the order book of a host. A call may take a moment, and may fail. All but {@link
   * #active}, {@link #mayRun}, {@link #paused} and {@link #letRun} are made from {@link #begin}.
   */
  public interface Host {
    /**
     * Does this soon, several at a time where it can, and returns. Does not throw what it throws.
     */
    void begin(Runnable job);

    /** What runs or is paused here, as libvirt said last; empty while it does not answer. */
    Optional<Map<GuestId, Epoch>> active();

    /** What libvirt has of these guests now; one that it does not name is unknown. */
    Map<GuestId, Look> look(Set<GuestId> guests);

    /** Whether libvirt says that it was destroyed. */
    boolean destroy(GuestId guest, Epoch epoch);

    void cancelMigration(GuestId guest, Epoch epoch);

    /**
     * Whether the call returned and said that it was paused, or was before: requests drained and
     * flushed. Of a guest that its storage has paused, only QEMU itself can say so.
     */
    boolean suspend(GuestId guest, Epoch epoch);

    boolean resume(GuestId guest, Epoch epoch);

    /** Whether no process runs it, by the kernel's word: libvirt may have lost one. */
    boolean ended(GuestId guest);

    /** Whether no writable disk of it is written through the host's page cache. */
    boolean bypassesCache(GuestId guest);

    /** Whether an order of this epoch was obeyed here, and it was not given up since. */
    boolean mayRun(GuestId guest, Epoch epoch);

    /**
     * Guests that a call may let run which was sent and has not returned: each with its epoch. They
     * count as running, whatever libvirt says.
     */
    Map<GuestId, Epoch> letRun();

    /**
     * Notes on disk, at once, that these guests are about to be paused for want of a lease. What
     * the disk does not take is {@link #unnoted} until it does.
     */
    void pausing(Map<GuestId, Epoch> guests) throws IOException;

    /** Those of {@link #paused} that the disk does not know of. */
    Map<GuestId, Epoch> unnoted();

    /** They go on, or are gone: on disk too. */
    void goesOn(Set<GuestId> guests) throws IOException;

    /** The guests that were paused for want of a lease, each with its epoch. */
    Map<GuestId, Epoch> paused();
  }

  /** What libvirt says of one guest. */
  public sealed interface Look {
    record Unknown() implements Look {}

    record Gone() implements Look {}

    /**
     * @param state libvirt's own word
     * @param job whether a migration or another job is under way
     */
    record Here(DomainState state, boolean job) implements Look {}
  }

  public Enforcement(LeaseTable table, Host host) {
    this.table = table;
    this.host = host;
  }

  /**
   * The guests that may run here. While libvirt is away those are what it had last, and whatever
   * was leased to this host on this boot, ordered and not given up: it may have been started since,
   * or by a process of the agent before this one.
   */
  private Map<GuestId, Epoch> active() {
    var now = host.active();
    var all =
        new TreeMap<GuestId, Epoch>(); // in one order, so that a simulated run can be repeated
    if (now.isPresent()) {
      active = now.get();
      all.putAll(active);
    } else {
      all.putAll(active);
      table
          .held()
          .forEach(
              (what, held) -> {
                if (what instanceof GuestId guest && host.mayRun(guest, held.epoch())) {
                  all.put(guest, held.epoch());
                }
              });
    }
    all.putAll(host.letRun());
    return all;
  }

  /**
   * Guests that libvirt does not have and whose last lease has ended: it may have lost the process
   * of one, until the kernel has said that there is none. Also what this host has given up: it
   * refuses to start that, which ends no process. Not what both have said is gone.
   */
  private SortedMap<GuestId, LeaseTable.Held> unproven(
      SortedMap<Exclusive, LeaseTable.Held> leases, long now) {
    var all = new TreeMap<GuestId, LeaseTable.Held>();
    if (host.active().isPresent()) {
      leases.forEach(
          (what, held) -> {
            if (what instanceof GuestId guest
                && now >= held.until()
                && !judged.containsKey(guest)) {
              if (table.isGone(guest, held.epoch())) {
                table.over(guest, held);
              } else {
                all.put(guest, held);
              }
            }
          });
    }
    return all;
  }

  /** What might run here when {@link #settled} looked last, each guest with its epoch. */
  Map<GuestId, Epoch> mayRun() {
    return judged;
  }

  /** Whether nothing is here, as far as libvirt says. */
  public boolean empty() {
    return host.active().filter(Map::isEmpty).isPresent() && host.letRun().isEmpty();
  }

  /**
   * Pauses every guest here that has no lease. Returns at once; to be called several times a
   * second.
   *
   * @return whether the watchdog may be fed now: all have one or were proven paused since this said
   *     so last, or there is still time for that
   */
  public boolean settled(long now) {
    var held = table.held();
    var without = new TreeMap<GuestId, Epoch>();
    long allowed = Long.MAX_VALUE;
    judged = active();
    for (var guest : judged.entrySet()) {
      var id = guest.getKey();
      if (!table.covers(id, guest.getValue(), now)) {
        without.put(id, guest.getValue());
        var lease = held.get(id);
        allowed = Math.min(allowed, lease == null ? now : lease.mayPauseUntil());
      }
    }
    var lost = unproven(held, now);
    for (var guest : lost.entrySet()) {
      without.put(guest.getKey(), guest.getValue().epoch());
      allowed = Math.min(allowed, guest.getValue().mayPauseUntil());
    }
    begin(without, lost.keySet(), now);
    return proven(without, now) || now < allowed;
  }

  private void begin(Map<GuestId, Epoch> without, Set<GuestId> lost, long now) {
    Round next;
    // what is being started is off for libvirt, and there once its call has returned
    var starting = Set.copyOf(host.letRun().keySet());
    synchronized (this) {
      // what had a lease meanwhile may have run since it was proven
      drained.keySet().retainAll(without.keySet());
      if (round != null) {
        round.guests.keySet().retainAll(without.keySet());
      }
      if (round != null || without.isEmpty()) {
        return;
      }
      next = new Round(now, without, starting, table.held());
      round = next;
    }
    boolean begun = false;
    try {
      host.begin(() -> pauseAll(next, without, lost));
      begun = true;
    } finally {
      if (!begun) {
        abandon(next);
      }
    }
  }

  /** A round that a fault of ours has kept from its end proves nothing; the next one may. */
  private synchronized void abandon(Round failed) {
    if (round == failed) {
      round = null;
    }
  }

  /** Whether a round that has ended proves all of these paused; each round says so once. */
  private synchronized boolean proven(Map<GuestId, Epoch> without, long now) {
    if (round == null || round.open > 0) {
      return without.isEmpty();
    }
    boolean all =
        round.all
            && round.guests.entrySet().containsAll(without.entrySet())
            && round.arriving.entrySet().stream()
                .allMatch(a -> table.awaits(a.getKey(), a.getValue(), now));
    round = null;
    var running = host.letRun();
    return without.isEmpty()
        || (all
            && without.keySet().stream()
                .noneMatch(id -> running.containsKey(id) || resuming.contains(id)));
  }

  private void pauseAll(Round now, Map<GuestId, Epoch> guests, Set<GuestId> lost) {
    boolean begun = false;
    try {
      var looks = looks(guests.keySet(), lost);
      note(guests, looks);
      synchronized (this) {
        now.open += guests.size();
      }
      guests.forEach(
          (guest, epoch) ->
              host.begin(
                  () -> pause(now, guest, epoch, looks.getOrDefault(guest, new Look.Unknown()))));
      begun = true;
    } finally {
      ended(now, begun);
      if (!begun) {
        abandon(now);
      }
    }
  }

  /** What libvirt does not have is not asked for: it need not answer where the kernel can. */
  private Map<GuestId, Look> looks(Set<GuestId> guests, Set<GuestId> lost) {
    var there = new TreeSet<>(guests);
    there.removeAll(lost);
    var looks = new TreeMap<GuestId, Look>(there.isEmpty() ? Map.of() : host.look(there));
    lost.forEach(guest -> looks.put(guest, new Look.Gone()));
    return looks;
  }

  private void pause(Round now, GuestId guest, Epoch epoch, Look look) {
    boolean proven = false;
    boolean begun = mayPause(now, guest);
    try {
      proven = begun && paused(now, guest, epoch, look);
    } finally {
      synchronized (this) {
        if (begun) {
          pausing.remove(guest);
        }
        ended(now, proven);
      }
    }
  }

  /** Not one that has its lease back since the round began: it may go on already. */
  private synchronized boolean mayPause(Round now, GuestId guest) {
    return now.guests.containsKey(guest) && !resuming.contains(guest) && pausing.add(guest);
  }

  private synchronized void ended(Round now, boolean proven) {
    now.open--;
    now.all &= proven;
  }

  /**
   * Notes which of these are about to be paused. A disk that takes no note stops no pause: one that
   * its owner would have to end is better than a reset of the host with all its guests.
   */
  private void note(Map<GuestId, Epoch> guests, Map<GuestId, Look> looks) {
    synchronized (disk) {
      var all = new TreeMap<GuestId, Epoch>();
      synchronized (this) {
        guests.forEach(
            (guest, epoch) -> {
              if (looks.get(guest) instanceof Look.Here(var state, _) && state.executes()) {
                all.put(guest, epoch);
                goneOn.remove(guest);
              }
            });
      }
      host.unnoted().forEach(all::putIfAbsent);
      if (all.isEmpty()) {
        return;
      }
      try {
        host.pausing(all);
      } catch (IOException e) {
        // the host has said so; tried again in the next round
      }
    }
  }

  /** Pauses the guest unless it is; true only if libvirt's word and its disks prove it. */
  private boolean paused(Round now, GuestId id, Epoch epoch, Look look) {
    return switch (look) {
      case Look.Unknown _ -> false;
      case Look.Gone _ -> isOver(now, id);
      case Look.Here(var state, _) when !state.active() -> isOver(now, id);
      case Look.Here(var state, _) when state == DomainState.INCOMING ->
          isAwaited(now, id, epoch) || host.destroy(id, epoch);
      case Look.Here(var state, var job) -> {
        if (job) {
          host.cancelMigration(id, epoch);
        }
        if (state.paused() && isDrained(id, epoch)) {
          yield !job && host.bypassesCache(id);
        }
        yield suspended(id, epoch) && host.bypassesCache(id);
      }
    };
  }

  /**
   * Once the kernel has said so too, nothing of it runs here until there is a newer lease. The last
   * one is forgotten then, by the next process of the agent as well: what runs under that name
   * later, without Haven, is not asked about.
   */
  private boolean isOver(Round now, GuestId id) {
    boolean ended = host.ended(id);
    var last = now.leases.get(id);
    if (ended && last != null && last.until() <= now.at && !host.letRun().containsKey(id)) {
      table.over(id, last);
    }
    return ended;
  }

  /**
   * An arrival may be here before the heartbeat whose answer brings its lease. It arrives paused
   * and goes on only under that lease, so it is left alone as long as the leader wants it here and
   * this host has a lease at all. Not where a call may let it run that was sent and has not
   * returned, perhaps by the process before this one: such a guest keeps the watchdog from being
   * fed until it is gone.
   */
  private boolean isAwaited(Round now, GuestId id, Epoch epoch) {
    boolean awaited = table.awaits(id, epoch, now.at) && !host.letRun().containsKey(id);
    if (awaited) {
      synchronized (this) {
        now.arriving.put(id, epoch);
      }
    }
    return awaited;
  }

  private synchronized boolean isDrained(GuestId id, Epoch epoch) {
    return epoch.equals(drained.get(id));
  }

  /**
   * Also of a guest that somebody else has paused: libvirt itself lets one go on that it had
   * stopped at the end of a migration, once it is back. Our call waits for that. A guest that is
   * paused by its storage stays in that state; what counts is that our call returned.
   */
  private boolean suspended(GuestId id, Epoch epoch) {
    boolean proven = host.suspend(id, epoch) && isPaused(id);
    synchronized (this) {
      if (proven) {
        drained.put(id, epoch);
      } else {
        drained.remove(id);
      }
    }
    return proven;
  }

  private boolean isPaused(GuestId id) {
    return switch (look(id)) {
      case Look.Unknown _ -> false;
      case Look.Gone _ -> host.ended(id);
      case Look.Here(var state, var job) -> state.paused() && !job;
    };
  }

  private Look look(GuestId id) {
    return host.look(Set.of(id)).getOrDefault(id, new Look.Unknown());
  }

  /**
   * Lets go on what was paused for want of a lease and has one again, under the same epoch. Returns
   * at once; to be called several times a second.
   */
  public void letGoOn(long now) {
    var ours = new TreeMap<>(host.paused());
    if (ours.isEmpty()) {
      return;
    }
    boolean known = host.active().isPresent();
    var here = active();
    ours.forEach(
        (id, epoch) -> {
          if (!here.containsKey(id)) {
            if (known) {
              isGoneOn(id);
            }
          } else if (epoch.equals(here.get(id)) && table.covers(id, epoch, now) && mayResume(id)) {
            host.begin(() -> goOn(id, epoch));
          }
        });
    noteGoneOn();
  }

  private synchronized boolean mayResume(GuestId id) {
    if (round != null) {
      round.guests.remove(id); // a pause of that round that has not begun comes too late
    }
    return !goneOn.contains(id) && !pausing.contains(id) && resuming.add(id);
  }

  private void goOn(GuestId id, Epoch epoch) {
    try {
      if (look(id) instanceof Look.Here(var state, var job)
          && !job
          && (state != DomainState.PAUSED || host.resume(id, epoch))) {
        isGoneOn(id);
      }
    } finally {
      synchronized (this) {
        resuming.remove(id);
      }
    }
  }

  private synchronized void isGoneOn(GuestId id) {
    drained.remove(id);
    goneOn.add(id);
  }

  /** One write for all; what the disk does not take now, it is told again. */
  private void noteGoneOn() {
    synchronized (this) {
      if (goneOn.isEmpty() || noting) {
        return;
      }
      noting = true;
    }
    host.begin(
        () -> {
          synchronized (disk) {
            Set<GuestId> all;
            synchronized (this) {
              all = new TreeSet<>(goneOn);
            }
            boolean noted = false;
            try {
              host.goesOn(all);
              noted = true;
            } catch (IOException e) {
              // the host has said so; kept in memory, and told again with the next step
            } finally {
              synchronized (this) {
                noting = false;
                if (noted) {
                  goneOn.removeAll(all);
                }
              }
            }
          }
        });
  }
}
