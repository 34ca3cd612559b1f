package dev.haven.bench;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/** Carries messages late and in order, as TCP does: what is said later comes later. */
final class Carrier implements AutoCloseable {
  private final ScheduledExecutorService carrier =
      Executors.newScheduledThreadPool(1, Thread.ofPlatform().daemon().factory());
  private final Map<String, Long> carriedUntil = new ConcurrentHashMap<>();

  /**
   * Carries a message.
   *
   * @param way from whom to whom
   * @param late whether it takes 0.3 to 1 s, or only as long as what is before it
   */
  void carry(String way, boolean late, Runnable message) {
    long now = System.nanoTime();
    long until = carriedUntil.getOrDefault(way, now);
    if (!late && until - now <= 0) {
      message.run();
      return;
    }
    long delay =
        late ? TimeUnit.MILLISECONDS.toNanos(ThreadLocalRandom.current().nextInt(300, 1000)) : 0;
    long at = Math.max(until, now + delay);
    carriedUntil.put(way, at);
    carrier.schedule(message, at - now, TimeUnit.NANOSECONDS);
  }

  @Override
  public void close() {
    carrier.shutdownNow();
  }
}
