package dev.haven.core.ha;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Something that takes time, in the hard state, so that the next leader goes on with it.
 *
 * @param detail for people: what is going on, or how it ended
 * @param done steps of {@code total}
 */
public record Operation(
    OperationId id,
    Kind kind,
    Instant began,
    String by,
    State state,
    String detail,
    int done,
    int total,
    Optional<Instant> ended) {
  /** What it is for. */
  public sealed interface Kind {
    String subject();

    /** Moves the guests of a host elsewhere. */
    sealed interface EmptiesHost extends Kind {
      /** Of guests that could not be moved, with the reason; they are not tried again. */
      Map<GuestId, String> failures();

      EmptiesHost with(Map<GuestId, String> failed);
    }

    record MoveGuest(GuestId guest, HostId from, HostId to) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    /**
     * Moves guests that must stay together, live: all are checked before the first one moves, and
     * if one cannot, those that have moved go back.
     *
     * @param from where each was, or is
     * @param checked those that the target can take
     * @param returned those that were sent back; once only
     * @param failure why it goes no further; empty while it does
     * @param of the evacuation that it is part of
     */
    record MoveGroup(
        GuestId guest,
        SortedMap<GuestId, HostId> from,
        HostId to,
        SortedSet<GuestId> checked,
        SortedSet<GuestId> returned,
        Optional<String> failure,
        Optional<OperationId> of)
        implements Kind {
      public MoveGroup {
        from = Collections.unmodifiableSortedMap(new TreeMap<>(from));
        checked = Collections.unmodifiableSortedSet(new TreeSet<>(checked));
        returned = Collections.unmodifiableSortedSet(new TreeSet<>(returned));
      }

      MoveGroup checked(GuestId guest) {
        var all = new TreeSet<>(checked);
        all.add(guest);
        return new MoveGroup(this.guest, from, to, all, returned, failure, of);
      }

      MoveGroup returned(GuestId guest) {
        var all = new TreeSet<>(returned);
        all.add(guest);
        return new MoveGroup(this.guest, from, to, checked, all, failure, of);
      }

      MoveGroup failed(String why) {
        return new MoveGroup(
            guest, from, to, checked, returned, failure.or(() -> Optional.of(why)), of);
      }

      @Override
      public String subject() {
        return guest.value();
      }
    }

    /**
     * Less important guests leave a host for one that fits nowhere.
     *
     * @param leaving who leaves, by a migration or because it is stopped
     */
    record MakeRoom(GuestId guest, HostId host, SortedSet<GuestId> leaving) implements Kind {
      public MakeRoom {
        leaving = Collections.unmodifiableSortedSet(new TreeSet<>(leaving));
      }

      @Override
      public String subject() {
        return guest.value();
      }
    }

    /**
     * Stop, move, start.
     *
     * @param later how long it may take to stop, while guests that start after it are not off yet;
     *     empty once it was told to stop
     */
    record RelocateGuest(GuestId guest, HostId from, HostId to, Optional<Duration> later)
        implements Kind {
      RelocateGuest stopping() {
        return new RelocateGuest(guest, from, to, Optional.empty());
      }

      @Override
      public String subject() {
        return guest.value();
      }
    }

    record EvacuateHost(HostId host, Map<GuestId, String> failures) implements EmptiesHost {
      public EvacuateHost {
        failures = Map.copyOf(failures);
      }

      @Override
      public EvacuateHost with(Map<GuestId, String> failed) {
        return new EvacuateHost(host, failed);
      }

      @Override
      public String subject() {
        return host.value();
      }
    }

    record StartGuest(GuestId guest) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    record StopGuest(GuestId guest) implements Kind {
      @Override
      public String subject() {
        return guest.value();
      }
    }

    record FenceHost(HostId host) implements Kind {
      @Override
      public String subject() {
        return host.value();
      }
    }

    /**
     * Frees a guest that libvirt cannot end and that is to run elsewhere: the others are moved off
     * its host, which is fenced then.
     *
     * @param stuck how the host holds the guest
     * @param wasCordoned whether the host took no new guests before
     */
    record FenceStuck(
        GuestId guest, Holding stuck, boolean wasCordoned, Map<GuestId, String> failures)
        implements EmptiesHost {
      public FenceStuck {
        failures = Map.copyOf(failures);
      }

      HostId host() {
        return stuck.host();
      }

      @Override
      public FenceStuck with(Map<GuestId, String> failed) {
        return new FenceStuck(guest, stuck, wasCordoned, failed);
      }

      @Override
      public String subject() {
        return guest.value();
      }
    }

    /**
     * @param level of its fencing devices, from 1
     */
    record TestFencing(HostId host, int level) implements Kind {
      @Override
      public String subject() {
        return host.value();
      }
    }
  }

  public enum State {
    RUNNING,
    DONE,
    FAILED,
    CANCELLED
  }

  /** It has come so far. */
  Operation at(int steps, String what) {
    return new Operation(id, kind, began, by, state, what, steps, total, ended);
  }

  /** It is over. */
  Operation ended(State how, String what, Instant at) {
    int steps = how == State.DONE ? total : done;
    return new Operation(id, kind, began, by, how, what, steps, total, Optional.of(at));
  }

  Operation with(Kind next) {
    return new Operation(id, next, began, by, state, detail, done, total, ended);
  }

  /** A guest could not be moved off the host that is emptied. */
  Operation withFailure(GuestId guest, String why) {
    return kind instanceof Kind.EmptiesHost k ? with(k.with(plus(k.failures(), guest, why))) : this;
  }

  /** Reasons that are told in full: all of them together must fit into one entry of the log. */
  private static final int FAILURES_IN_FULL = 200;

  private static Map<GuestId, String> plus(Map<GuestId, String> all, GuestId guest, String why) {
    var next = new HashMap<>(all);
    next.put(guest, all.size() < FAILURES_IN_FULL ? why : "as for others");
    return next;
  }

  /** About as many bytes as it takes in the log. */
  int weight() {
    var failures = kind instanceof Kind.EmptiesHost k ? k.failures() : Map.<GuestId, String>of();
    return 500
        + 2 * detail.length()
        + failures.values().stream().mapToInt(why -> 50 + 2 * why.length()).sum();
  }

  public boolean running() {
    return state == State.RUNNING;
  }

  /** Whether it moves a group with one of these guests. */
  boolean movesOneOf(Collection<GuestId> guests) {
    return kind instanceof Kind.MoveGroup k && guests.stream().anyMatch(k.from()::containsKey);
  }
}
