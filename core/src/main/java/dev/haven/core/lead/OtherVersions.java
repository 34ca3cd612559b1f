package dev.haven.core.lead;

import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.wire.OtherVersion;
import dev.haven.model.wire.WireVersions;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;

/**
 * Which agents spoke to this voter in a version that one of the two does not understand, and when
 * last. All times are {@link System#nanoTime} of this voter. Safe for several threads.
 */
final class OtherVersions {
  private record Said(BootId boot, int version, long at) {}

  private final Map<HostId, Said> last = new ConcurrentHashMap<>();

  /**
   * Such a hello has come, with the host's certificate. Of a host that may run it counts under the
   * boot on record alone: somebody else with the key does not push that out.
   */
  void spoke(Host host, BootId boot, int version, long now) {
    boolean over =
        host.state() instanceof HostState.Expected || host.state() instanceof HostState.Fenced;
    if (over || host.boot().equals(Optional.of(boot))) {
      last.put(host.id(), new Said(boot, version, now));
    }
  }

  /** What was heard last, if it was under such a boot. */
  Optional<OtherVersion> of(HostId host, Predicate<BootId> boot, long now) {
    return Optional.ofNullable(last.get(host))
        .filter(said -> boot.test(said.boot()))
        .map(
            said ->
                new OtherVersion(
                    said.version(),
                    WireVersions.OURS,
                    Duration.ofNanos(Math.max(0, now - said.at()))));
  }
}
