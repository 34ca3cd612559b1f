package dev.haven.agent.guest;

import dev.haven.model.Time;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * Calls that may let a guest run, from right before they are sent until they have returned. A
 * connection that breaks on the way says nothing: libvirtd may still do what it was asked, for as
 * long as it lets a call wait for its turn.
 */
public final class Letting {
  /** libvirt's own limit for a call that waits for another job on its domain is 30 s. */
  private static final Duration MAY_STILL_BE_DONE = Duration.ofSeconds(40);

  /**
   * Each call has an entry of its own: a second one for the same guest may end before the first.
   */
  private final Map<Object, Sent> sent = new ConcurrentHashMap<>();

  /**
   * @param until the end, by the clock of the process; empty while it has not returned
   */
  private record Sent(String guest, long epoch, boolean returned, long until) {}

  /** What is about to be sent. */
  public interface Call<T, E extends Exception> {
    T now() throws E;
  }

  private final Time time;

  public Letting(Time time) {
    this.time = time;
  }

  /**
   * @param alive whether the connection still is, once the call has failed
   */
  public <T, E extends Exception> T run(
      BooleanSupplier alive, String guest, long epoch, Call<T, E> call) throws E {
    var key = new Object();
    sent.put(key, new Sent(guest, epoch, false, 0));
    boolean answered = false;
    try {
      var result = call.now();
      answered = true;
      return result;
    } finally {
      if (answered || alive.getAsBoolean()) {
        sent.remove(key);
      } else {
        sent.put(key, new Sent(guest, epoch, true, time.nanos() + MAY_STILL_BE_DONE.toNanos()));
      }
    }
  }

  /** The guests of such calls, each with the highest epoch of its own. */
  public Map<String, Long> now() {
    long now = time.nanos();
    sent.values().removeIf(s -> s.returned() && now - s.until() > 0);
    var all = new TreeMap<String, Long>();
    sent.values().forEach(s -> all.merge(s.guest(), s.epoch(), Math::max));
    return all;
  }
}
