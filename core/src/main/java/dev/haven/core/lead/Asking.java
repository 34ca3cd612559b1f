package dev.haven.core.lead;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Map;

/**
 * On the leader: which newcomers ask to join, for how long, and how lately. Each boot of a host is
 * counted by itself, so that a stranger with the host's key does not delay the host's own reboot.
 * All times are {@link System#nanoTime} of this voter.
 */
public final class Asking {
  /** An agent whose hello was turned away asks again sooner than this. */
  public static final long ASKS_NO_MORE_NANOS = 5_000_000_000L;

  /** A host boots under one of them; the others are machines that have its key too. */
  private static final int BOOTS_AT_MOST = 4;

  private final Map<HostId, Map<BootId, Asks>> asks = new HashMap<>();
  private final Map<HostId, Long> held = new HashMap<>();
  private long elected;

  private record Asks(long since, long last) {}

  /** This voter leads from now on: agents need some seconds to find it. */
  public synchronized void elected(long now) {
    elected = now;
  }

  /** For how long this voter leads: what agents said to an earlier leader is not known here. */
  public synchronized Duration leadsFor(long now) {
    return Duration.ofNanos(now - elected);
  }

  /**
   * A hello has come.
   *
   * @return for how long this boot has been asking, over all its connections
   */
  public synchronized Duration asks(HostId host, BootId boot, long now) {
    var boots = asks.computeIfAbsent(host, _ -> new HashMap<>());
    boots.values().removeIf(a -> now - a.last() >= ASKS_NO_MORE_NANOS);
    var before = boots.get(boot);
    if (before == null && boots.size() >= BOOTS_AT_MOST) {
      // never the one that has asked for longest
      boots.entrySet().stream()
          .max(
              Comparator.comparingLong((Map.Entry<BootId, Asks> e) -> e.getValue().since() - now)
                  .thenComparing(e -> e.getKey().value()))
          .ifPresent(e -> boots.remove(e.getKey()));
    }
    long since = before == null ? now : before.since();
    boots.put(boot, new Asks(since, now));
    return Duration.ofNanos(now - since);
  }

  /** A hello is held until the host's older boot is known to be over. */
  public synchronized void held(HostId host, long now) {
    held.put(host, now);
  }

  /** Whether a machine that says it is this host, under a newer boot, is held. */
  public synchronized boolean boots(HostId host, long now) {
    var last = held.get(host);
    return last != null && now - last < ASKS_NO_MORE_NANOS;
  }
}
