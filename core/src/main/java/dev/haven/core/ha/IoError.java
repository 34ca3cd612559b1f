package dev.haven.core.ha;

import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;

/**
 * When an I/O error last paused a guest, and where; part of the hard state. Only whether another
 * host is worth a try hangs on it, so the wall clocks of leaders are good enough.
 */
public record IoError(HostId host, Instant at) {
  /** Errors so far apart are taken for different ones. */
  private static final Duration TOGETHER = Duration.ofMinutes(10);

  boolean lately(Instant now) {
    return now.isBefore(at.plus(TOGETHER));
  }
}
