package dev.haven.model.lease;

import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What a host does where others rely on its leases: it pauses every guest that has none, and may
 * feed its watchdog only while each is under a lease or proven paused. All times are nanoseconds of
 * the clock of the {@link LeaseTable}. Agent and simulator run this same code.
 */
public final class Enforcement {
  private final LeaseTable table;
  private final Host host;
  private Map<GuestId, Epoch> active = Map.of();

  /** What is paused and for which our own call has returned since, each with its epoch. */
  private final Map<GuestId, Epoch> drained = new TreeMap<>();

  /** The hypervisor and the order book of a host. A call may take a moment, and may fail. */
  public interface Host {
    /** What runs or is paused here, as libvirt said last; empty while it does not answer. */
    Optional<Map<GuestId, Epoch>> active();

    /** What libvirt has of this guest now. */
    Look look(GuestId guest);

    /** Whether libvirt says that it was destroyed. */
    boolean destroy(GuestId guest, Epoch epoch);

    void cancelMigration(GuestId guest, Epoch epoch);

    /**
     * Whether the call returned and said that it was paused, or was before: requests drained and
     * flushed.
     */
    boolean suspend(GuestId guest, Epoch epoch);

    boolean resume(GuestId guest, Epoch epoch);

    /** Whether no writable disk of it is written through the host's page cache. */
    boolean bypassesCache(GuestId guest);

    /** Whether an order of this epoch was obeyed here, and it was not given up since. */
    boolean mayRun(GuestId guest, Epoch epoch);

    /** Notes on disk that the guest is about to be paused for want of a lease. */
    void pausing(GuestId guest, Epoch epoch) throws IOException;

    /** It goes on, or is gone: on disk too. */
    void goesOn(GuestId guest) throws IOException;

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
    if (now.isPresent()) {
      active = new TreeMap<>(now.get()); // in one order, so that a simulated run can be repeated
      return active;
    }
    var all = new TreeMap<>(active);
    table
        .held()
        .forEach(
            (guest, held) -> {
              if (host.mayRun(guest, held.epoch())) {
                all.put(guest, held.epoch());
              }
            });
    return all;
  }

  /** Whether nothing is here, as far as libvirt says. */
  public boolean empty() {
    return host.active().filter(Map::isEmpty).isPresent();
  }

  /**
   * Pauses every guest here that has no lease.
   *
   * @return whether the watchdog may be fed: all have one or are proven paused, or there is still
   *     time for that
   * @throws IOException if what is about to be paused cannot be noted on disk
   */
  public boolean settled(long now) throws IOException {
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
    return switch (host.look(id)) {
      case Look.Unknown _ -> false;
      case Look.Gone _ -> true;
      case Look.Here(var state, _) when !state.active() -> true;
      case Look.Here(var state, _) when state == DomainState.INCOMING -> host.destroy(id, epoch);
      case Look.Here(var state, var job) -> {
        if (job) {
          host.cancelMigration(id, epoch);
        }
        if (state == DomainState.PAUSED && epoch.equals(drained.get(id))) {
          yield !job && host.bypassesCache(id);
        }
        if (state != DomainState.PAUSED) {
          drained.remove(id);
          host.pausing(id, epoch);
        }
        yield suspended(id, epoch) && host.bypassesCache(id);
      }
    };
  }

  /**
   * Also of a guest that somebody else has paused: libvirt itself lets one go on that it had
   * stopped at the end of a migration, once it is back. Our call waits for that.
   */
  private boolean suspended(GuestId id, Epoch epoch) {
    boolean proven = host.suspend(id, epoch) && isPaused(id);
    if (proven) {
      drained.put(id, epoch);
    }
    return proven;
  }

  private boolean isPaused(GuestId id) {
    return switch (host.look(id)) {
      case Look.Unknown _ -> false;
      case Look.Gone _ -> true;
      case Look.Here(var state, var job) -> state == DomainState.PAUSED && !job;
    };
  }

  /** Lets go on what was paused for want of a lease and has one again, under the same epoch. */
  public void letGoOn(long now) throws IOException {
    for (var paused : host.paused().entrySet()) {
      var id = paused.getKey();
      var epoch = paused.getValue();
      var here = active().get(id);
      if (here == null) {
        if (host.active().isPresent()) {
          host.goesOn(id);
        }
      } else if (here.equals(epoch)
          && table.covers(id, epoch, now)
          && host.look(id) instanceof Look.Here(var state, var job)
          && !job
          && (state != DomainState.PAUSED || host.resume(id, epoch))) {
        drained.remove(id);
        host.goesOn(id);
      }
    }
  }
}
