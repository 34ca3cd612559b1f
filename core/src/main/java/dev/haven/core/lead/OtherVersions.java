package dev.haven.core.lead;

import dev.haven.core.ha.Event;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.wire.WireVersions;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which agents spoke to this voter in a version that one of the two does not understand, and when
 * last. All times are {@link System#nanoTime} of this voter. Safe for several threads.
 */
final class OtherVersions {
  private record Said(BootId boot, int version, long at) {}

  /** Under the boot that the state had then: somebody else with the key does not push it out. */
  private final Map<HostId, Said> underTheBoot = new ConcurrentHashMap<>();

  private final Map<HostId, Said> last = new ConcurrentHashMap<>();

  /**
   * Such a hello has come, with the host's certificate.
   *
   * @param onRecord the boot under which the host's agent last joined
   */
  void spoke(HostId host, BootId boot, Optional<BootId> onRecord, int version, long now) {
    var said = new Said(boot, version, now);
    last.put(host, said);
    if (onRecord.equals(Optional.of(boot))) {
      underTheBoot.put(host, said);
    }
  }

  /** What was heard last, under whichever boot. */
  Optional<Event.OtherVersion> of(HostId host, long now) {
    return Optional.ofNullable(last.get(host)).map(said -> told(said, now));
  }

  /** What was heard last under this boot. */
  Optional<Event.OtherVersion> under(HostId host, Optional<BootId> boot, long now) {
    return Optional.ofNullable(underTheBoot.get(host))
        .filter(said -> boot.equals(Optional.of(said.boot())))
        .map(said -> told(said, now));
  }

  private static Event.OtherVersion told(Said said, long now) {
    return new Event.OtherVersion(
        said.version(), WireVersions.OURS, Duration.ofNanos(Math.max(0, now - said.at())));
  }
}
