package dev.haven.core.lead;

import dev.haven.model.HostId;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Whether each host's kernel is known to answer an echo, which alone makes its later silence a sign
 * of death. All times are {@link System#nanoTime} of this voter.
 *
 * <p>An answer counts from when its question was sent: it may have waited for a voter that stood
 * still. The other voters tell of theirs, so that a new leader knows what the old one knew.
 */
public final class EchoMemory {
  /** Of a kernel that answered within this time it is known that it answers. */
  static final long KNOWN_NANOS = 180_000_000_000L;

  /**
   * Each host is asked about once in this time, spread over the last third of it. A lost echo is
   * repeated before the last answer is older than {@link #LATELY_NANOS}.
   */
  static final long EVERY_NANOS = 45_000_000_000L;

  private static final long SPREAD_NANOS = 15_000_000_000L;

  /** A kernel that answered this voter within this time and is mute now has stopped. */
  static final long LATELY_NANOS = 60_000_000_000L;

  /** A host that did not answer is asked again after this: one echo may be lost. */
  static final long AGAIN_NANOS = 10_000_000_000L;

  /** Of the longest names, 25 KB. */
  private static final int TOLD_AT_ONCE = 300;

  /** The last question that any voter sent and that was answered. */
  private final Map<HostId, Long> answered = new HashMap<>();

  /** The same of this voter's own questions. */
  private final Map<HostId, Long> answeredHere = new HashMap<>();

  /** The first question of this voter since then that was not. */
  private final Map<HostId, Long> unanswered = new HashMap<>();

  private final Map<HostId, Long> due = new HashMap<>();

  /** A question that was sent at that time was answered. */
  public synchronized void answered(HostId host, long sent) {
    later(host, sent);
    answeredHere.put(host, sent);
    unanswered.remove(host);
    due.put(
        host,
        sent + EVERY_NANOS - Math.floorMod(host.value().hashCode() * 2_654_435_761L, SPREAD_NANOS));
  }

  private void later(HostId host, long sent) {
    answered.merge(host, sent, (old, it) -> it - old > 0 ? it : old);
  }

  /** Nothing came back for a question that was sent at that time. */
  public synchronized void unanswered(HostId host, long sent) {
    unanswered.putIfAbsent(host, sent);
    due.put(host, sent + AGAIN_NANOS);
  }

  /** The host joins: it is asked next. */
  public synchronized void joins(HostId host) {
    due.remove(host);
  }

  /** What another voter says of its own answers: their ages in whole seconds, rounded up. */
  public synchronized void said(Map<HostId, Long> seconds, long now) {
    seconds.forEach(
        (host, age) -> {
          if (age >= 0 && age * 1_000_000_000L < KNOWN_NANOS) {
            later(host, now - age * 1_000_000_000L);
          }
        });
  }

  /**
   * The same for the other voters, in parts that fit a datagram; a host whose kernel is not known
   * to answer is not in it.
   */
  public synchronized List<Map<String, Long>> seconds(long now) {
    var all = new TreeMap<String, Long>();
    for (var known : answered.entrySet()) {
      long age = Math.max(0, now - known.getValue());
      if (age < KNOWN_NANOS) {
        all.put(known.getKey().value(), age / 1_000_000_000L + 1);
      }
    }
    return Parts.of(all, TOLD_AT_ONCE);
  }

  /** Whether the host's kernel is known to answer. */
  public synchronized boolean known(HostId host, long now) {
    var at = answered.get(host);
    return at != null && now - at < KNOWN_NANOS;
  }

  /** Nanoseconds since this voter sent a question that was answered; for ever if there is none. */
  synchronized long sinceAnswer(HostId host, long now) {
    var at = answeredHere.get(host);
    return at == null ? Long.MAX_VALUE : Math.max(0, now - at);
  }

  /** Whether it has answered this voter itself within the last minute. */
  public synchronized boolean answeredLately(HostId host, long now) {
    var at = answeredHere.get(host);
    return at != null && now - at < LATELY_NANOS;
  }

  /** Whether this voter has asked for long, and no voter had an answer meanwhile. */
  public synchronized boolean mute(HostId host, long now) {
    var since = unanswered.get(host);
    return since != null && now - since >= KNOWN_NANOS && !known(host, now);
  }

  /** Whom to ask now: the one that has waited longest; a host that was never asked comes first. */
  public synchronized Optional<HostId> next(List<HostId> hosts, long now) {
    return hosts.stream()
        .filter(h -> now - due.getOrDefault(h, now) >= 0)
        .max(
            Comparator.comparingLong(
                h -> due.containsKey(h) ? now - due.getOrDefault(h, now) : Long.MAX_VALUE));
  }

  /** Forgets every host but these. */
  public synchronized void retain(List<HostId> hosts) {
    answered.keySet().retainAll(hosts);
    answeredHere.keySet().retainAll(hosts);
    unanswered.keySet().retainAll(hosts);
    due.keySet().retainAll(hosts);
  }
}
