package dev.haven.agent.libvirt;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Calls that may let a guest run, from right before they are sent until they have returned. A
 * connection that breaks on the way says nothing: libvirtd may still do what it was asked, for as
 * long as it lets a call wait for its turn.
 */
final class Letting {
  /** libvirt's own limit for a call that waits for another job on its domain is 30 s. */
  private static final Duration MAY_STILL_BE_DONE = Duration.ofSeconds(40);

  private final Map<String, Sent> sent = new ConcurrentHashMap<>();

  /**
   * @param until the end, by the clock of the process; empty while it has not returned
   */
  private record Sent(long epoch, boolean returned, long until) {}

  /** What is about to be sent. */
  interface Call<T> {
    T now() throws LibvirtError;
  }

  <T> T run(Session session, String guest, long epoch, Call<T> call) throws LibvirtError {
    sent.put(guest, new Sent(epoch, false, 0));
    boolean answered = false;
    try {
      var result = call.now();
      answered = true;
      return result;
    } finally {
      if (answered || session.alive()) {
        sent.remove(guest);
      } else {
        sent.put(guest, new Sent(epoch, true, System.nanoTime() + MAY_STILL_BE_DONE.toNanos()));
      }
    }
  }

  Map<String, Long> now() {
    long now = System.nanoTime();
    sent.values().removeIf(s -> s.returned() && now - s.until() > 0);
    var all = new TreeMap<String, Long>();
    sent.forEach((guest, s) -> all.put(guest, s.epoch()));
    return all;
  }
}
