package dev.haven.core.lead;

import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What each host's power devices said at their last check: only a device that said on of a host
 * that was heard shows a loss of power by saying off. All times are {@link System#nanoTime} of this
 * voter.
 *
 * <p>The leader checks the devices each minute and tells the other voters what they said, so that a
 * new leader knows what the old one knew. A device is known by its settings and by the boot of its
 * host: what another device said, or this one before a boot, is forgotten.
 */
final class DeviceMemory {
  /** Devices are checked each minute; an older check means that they are no longer. */
  static final long LASTS_NANOS = 180_000_000_000L;

  private static final long LASTS_SECONDS = LASTS_NANOS / 1_000_000_000L;

  /** Of the longest names, 25 KB. */
  private static final int TOLD_AT_ONCE = 100;

  private final Map<String, Check> checks = new HashMap<>();

  /**
   * @param at when the device had answered, or earlier
   * @param on whether it said on of a host that was heard
   */
  private record Check(long at, boolean on) {}

  /** A device was checked. */
  synchronized void checked(Host host, Event.DeviceChecked e, long now) {
    boolean on = !e.off() && !e.critical() && e.heard();
    key(host, e.device()).ifPresent(key -> checks.put(key, new Check(now, on)));
  }

  /** Whether each of these devices of the host said on at its last check. */
  synchronized boolean saidOn(Host host, Collection<String> devices, long now) {
    return !devices.isEmpty()
        && devices.stream()
            .map(device -> key(host, device).map(checks::get))
            .allMatch(check -> check.filter(c -> c.on() && now - c.at() < LASTS_NANOS).isPresent());
  }

  /**
   * For the other voters, in parts that fit a datagram: how many seconds ago, rounded up, each
   * device said on; negative where it did not say on.
   */
  synchronized List<Map<String, Long>> seconds(long now) {
    checks.values().removeIf(c -> now - c.at() >= LASTS_NANOS);
    var all = new TreeMap<String, Long>();
    for (var known : checks.entrySet()) {
      long age = Math.max(0, now - known.getValue().at()) / 1_000_000_000L + 1;
      all.put(known.getKey(), known.getValue().on() ? age : -age);
    }
    return Parts.of(all, TOLD_AT_ONCE);
  }

  /** What another voter says in the same way. */
  synchronized void said(Map<String, Long> seconds, long now) {
    seconds.forEach(
        (device, age) -> {
          if (age == 0 || age > LASTS_SECONDS || age < -LASTS_SECONDS) {
            return; // too old, or nothing that a voter says
          }
          var said = new Check(now - Math.abs(age) * 1_000_000_000L, age > 0);
          checks.merge(device, said, (own, other) -> other.at() - own.at() > 0 ? other : own);
        });
  }

  /** Names the device as it is set up now; empty if the host has none of that name. */
  private static Optional<String> key(Host host, String device) {
    return host.spec().fencing().stream()
        .flatMap(List::stream)
        .filter(d -> d.name().equals(device))
        .findFirst()
        .map(d -> "%s %s %s".formatted(host.id(), host.boot().orElse(null), d.mark()));
  }
}
