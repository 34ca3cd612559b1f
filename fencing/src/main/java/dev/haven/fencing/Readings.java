package dev.haven.fencing;

import dev.haven.model.Time;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Asks devices for the power of their hosts, and remembers for how long each has said off without a
 * break. That time is counted over all attempts.
 */
final class Readings {
  /**
   * Two readings that are further apart do not make one time of saying off: a BMC that restarts in
   * between takes longer than this, and may be stale again.
   */
  private static final Duration GAP = Duration.ofSeconds(10);

  private final Time time;

  /** Since when devices have said off without a break after an order of ours, over all attempts. */
  private final Map<DeviceSpec, SaysOff> saysOff = new ConcurrentHashMap<>();

  /**
   * @param since end of the first reading
   * @param last end of the latest
   */
  private record SaysOff(long since, long last) {}

  Readings(Time time) {
    this.time = time;
  }

  /**
   * Every reading passes here, so that it is known for how long a device has said off.
   *
   * @param ordered whether a first off begins that time, as an order of ours went before it
   */
  PowerReading read(PowerDevice device, DeviceSpec spec, Duration within, boolean ordered) {
    long began = time.nanos();
    var reading = device.read(within);
    switch (reading) {
      case PowerReading.Off _ -> saidOff(spec, began, ordered);
      case PowerReading.On _ -> saysOff.remove(spec);
      case PowerReading.Unknown _ -> {} // a break that is too long shows at the next off
    }
    return reading;
  }

  /** The device has said off, in a reading or as its answer to an order. */
  void saidOff(DeviceSpec spec, long began, boolean ordered) {
    long now = time.nanos();
    saysOff.compute(
        spec,
        (_, known) ->
            known != null && began - known.last() <= GAP.toNanos()
                ? new SaysOff(known.since(), now)
                : ordered ? new SaysOff(now, now) : null);
  }

  /** How long the device has said off without a break; zero if it does not. */
  Duration saysOffFor(DeviceSpec spec) {
    long now = time.nanos();
    var known = saysOff.get(spec);
    return known == null || now - known.last() > GAP.toNanos()
        ? Duration.ZERO
        : Duration.ofNanos(now - known.since());
  }
}
