package dev.haven.raft;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;

/** Warnings that somebody outside can cause: each kind once in ten seconds, with a count. */
final class Seldom {
  private static final long EVERY = TimeUnit.SECONDS.toNanos(10);
  private static final int KINDS = 64;

  private record Said(long at, long since) {}

  private final Map<String, Said> said = new ConcurrentHashMap<>();
  private final Logger log;

  Seldom(Logger log) {
    this.log = log;
  }

  /**
   * @param kind of few; {@code what} may be different each time
   */
  void warn(String kind, String what) {
    long now = System.nanoTime();
    var known = said.size() < KINDS || said.containsKey(kind) ? kind : "";
    var next =
        said.merge(
            known,
            new Said(now, 0),
            (old, fresh) -> now - old.at() >= EVERY ? fresh : new Said(old.at(), old.since() + 1));
    if (next.at() == now && next.since() == 0) {
      log.warn("{}", what);
    } else if (next.since() == 1) {
      log.debug("{} (more of these are not shown for 10 s)", what);
    }
  }
}
