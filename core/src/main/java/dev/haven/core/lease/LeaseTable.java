package dev.haven.core.lease;

import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.wire.LeaseLength;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * On a host: until when it holds each guest, or whatever else is exclusive. All times are
 * nanoseconds of one clock that does not stop in suspend. Safe for several threads.
 */
public final class LeaseTable {
  /** An answer to a beat that is older than these many grants nothing. */
  private static final int BEATS = 128;

  /**
   * Without the voter's word for so long, this side of two is no longer the one that is cut off.
   */
  private static final Duration SURRENDERED = Duration.ofSeconds(2);

  private final long[] sequences = new long[BEATS];
  private final long[] sentAt = new long[BEATS];
  private final TreeMap<Exclusive, Held> held = new TreeMap<>();

  /** Of what is held: nothing of it is left here under this epoch or an older one. */
  private final TreeMap<Exclusive, Epoch> gone = new TreeMap<>();

  private @Nullable SortedMap<Exclusive, Held> snapshot;
  private SortedMap<Exclusive, Epoch> told = new TreeMap<>();
  private long digest;

  /** Of the newest leader that has told the list or granted a lease. */
  private long term;

  /** Of the leader that told the list, and the state that it was of. */
  private long toldTerm;

  private long version;

  /**
   * When the last lease ends that was granted, whichever guests it names; empty before the first.
   */
  private OptionalLong ends = OptionalLong.empty();

  private OptionalLong surrenderedUntil = OptionalLong.empty();

  /**
   * @param until the lease's end
   * @param length of the lease
   */
  public record Held(Epoch epoch, long until, LeaseLength length) {
    /** So long a host may feed its watchdog while it pauses what it held by this lease. */
    long mayPauseUntil() {
      return until + length.pauseCheck().toNanos();
    }
  }

  public LeaseTable() {
    digest = Lease.digest(told);
  }

  /** A heartbeat is about to leave. */
  public synchronized void sent(long sequence, long now) {
    int place = (int) Long.remainderUnsigned(sequence, BEATS);
    sequences[place] = sequence;
    sentAt[place] = now;
  }

  /**
   * The leader of this term has said what this host is given; leases name the list by its digest.
   * Takes nothing away: what was granted before ends by itself.
   *
   * <p>A newer term counts whatever its state's version. An elected leader has every committed
   * entry, so its version is never below an earlier leader's; that of a cluster which was forced to
   * start again from a shorter log is. The list alone lets nothing run: only a lease does, and that
   * names the list of the state which its leader has applied.
   *
   * @param byVersion of the state that it is of
   * @return whether it counts: the term is not older, nor is the state within the same term
   */
  public synchronized boolean told(
      long byTerm, long byVersion, Map<? extends Exclusive, Epoch> given) {
    if (byTerm < term || (byTerm == toldTerm && byVersion < version)) {
      return false;
    }
    version = byVersion;
    term = byTerm;
    toldTerm = byTerm;
    told = new TreeMap<>(given);
    digest = Lease.digest(told);
    return true;
  }

  /**
   * The leader of this term answered a heartbeat with a lease of this length for the guests of this
   * digest.
   *
   * @return whether it counts: the heartbeat is known, the list is, and the term is not older
   */
  public synchronized boolean granted(long byTerm, long sequence, long guests, LeaseLength length) {
    int place = (int) Long.remainderUnsigned(sequence, BEATS);
    if (byTerm < term || guests != digest || sequence == 0 || sequences[place] != sequence) {
      return false;
    }
    term = byTerm;
    long until = sentAt[place] + length.duration().toNanos();
    lasts(until);
    told.forEach(
        (what, epoch) -> {
          var old = held.get(what);
          if (old == null || !old.epoch().equals(epoch) || old.until() < until) {
            held.put(what, new Held(epoch, until, length));
            snapshot = null;
          }
        });
    return true;
  }

  /** Whether this host holds it now. */
  public synchronized boolean covers(Exclusive what, Epoch epoch, long now) {
    var lease = held.get(what);
    return lease != null && lease.epoch().equals(epoch) && now < lease.until();
  }

  /**
   * Whether this host is to hold it and has not had the lease that names it: the leader has said so
   * under this epoch, and this host is within its last lease. Nothing may run by this; but it need
   * not be ended either, for nobody gives a host up before its last lease is over.
   */
  synchronized boolean awaits(Exclusive what, Epoch epoch, long now) {
    return epoch.equals(told.get(what)) && current(now);
  }

  /**
   * Whether a guest may be let run now. A lease that is about to end is none: what is let run under
   * it may still be starting then.
   *
   * @return why not; empty if it may
   */
  public Optional<String> forbidsToRun(Exclusive what, Epoch epoch, long now) {
    return covers(what, epoch, now + Lease.TO_RUN.toNanos()) && !isGone(what, epoch)
        ? Optional.empty()
        : Optional.of(
            "no lease names guest %s under epoch %s: this host must not run it now"
                .formatted(what, epoch));
  }

  /** Whether a guest may be sent here: under any lease that is not about to end. */
  Optional<String> forbidsToReceive(long now) {
    return current(now + Lease.TO_RUN.toNanos())
        ? Optional.empty()
        : Optional.of("this host has no lease: it is, or was just now, cut off");
  }

  /** The voter on this host says that this is the side of two that is cut off. */
  public synchronized void surrendered(long now) {
    surrenderedUntil = OptionalLong.of(now + SURRENDERED.toNanos());
  }

  /** Whether it said so lately. */
  synchronized boolean surrenderedAt(long now) {
    return surrenderedUntil.isPresent() && now - surrenderedUntil.getAsLong() < 0;
  }

  private void lasts(long until) {
    ends = OptionalLong.of(Math.max(until, ends.orElse(until)));
  }

  /**
   * Whether this host is within its last lease, also one that names no guest. A host without one
   * may have been given up by everybody, so it must not even receive a guest.
   */
  public synchronized boolean current(long now) {
    return ends.isPresent() && now < ends.getAsLong();
  }

  /** All leases that were ever granted and not replaced, for the next process of the agent. */
  public synchronized SortedMap<Exclusive, Held> held() {
    if (snapshot == null) {
      snapshot = Collections.unmodifiableSortedMap(new TreeMap<>(held));
    }
    return snapshot;
  }

  /** The same, without what is gone from here: the next process need not look for it. */
  synchronized SortedMap<Exclusive, Held> toHandOver() {
    var left = new TreeMap<>(held());
    left.entrySet().removeIf(lease -> isGone(lease.getKey(), lease.getValue().epoch()));
    return left;
  }

  /**
   * libvirt and the kernel have said that nothing of it is left here under this epoch or an older
   * one, and this host refuses those: what runs under its name later is not Haven's. Its last lease
   * counts until it ends, for what libvirt said before.
   */
  synchronized void gone(Exclusive what, Epoch epoch) {
    if (held.containsKey(what)) {
      gone.merge(what, epoch, (a, b) -> a.compareTo(b) < 0 ? b : a);
    }
  }

  /** Whether nothing of it is left here under this epoch. */
  synchronized boolean isGone(Exclusive what, Epoch epoch) {
    var last = gone.get(what);
    return last != null && last.compareTo(epoch) >= 0;
  }

  /** Takes over what an earlier process of the agent on this boot held. */
  public synchronized void takeOver(Map<Exclusive, Held> earlier) {
    held.putAll(earlier);
    earlier.values().forEach(h -> lasts(h.until()));
    snapshot = null;
  }

  /** This lease has ended, and nothing of what it was for is here any more. */
  synchronized void over(Exclusive what, Held last) {
    if (held.remove(what, last)) {
      gone.remove(what);
      snapshot = null;
    }
  }
}
