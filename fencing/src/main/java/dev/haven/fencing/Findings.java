package dev.haven.fencing;

import dev.haven.model.Time;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Whose each device is, as it last told: asking takes time that a fence does not have. A changed
 * device or UUID makes a finding void.
 */
final class Findings {
  /**
   * A BMC that has not told its GUID in this time is fenced without: its identity stays unknown.
   */
  private static final Duration GUID_LIMIT = Duration.ofSeconds(2);

  /**
   * A finding is older only if the checks of every minute have not reached the device: it may have
   * been given to another machine meanwhile.
   */
  static final Duration FINDING_LASTS = Duration.ofMinutes(3);

  private final Time time;

  /** The last finding for each device that answered. */
  private final Map<String, Finding> findings = new ConcurrentHashMap<>();

  private record Finding(
      FencingTarget target, DeviceSpec device, DeviceIdentity identity, long at) {}

  Findings(Time time) {
    this.time = time;
  }

  /** From the last finding where there is one: asking takes time that a fence does not have. */
  DeviceIdentity identity(
      FencingTarget target, DeviceSpec spec, PowerDevice device, Deadline until) {
    var finding = findings.get(target.host() + "/" + spec.name());
    if (finding != null
        && finding.target().equals(target)
        && finding.device().equals(spec)
        && time.nanos() - finding.at() <= FINDING_LASTS.toNanos()) {
      return finding.identity();
    }
    if (target.systemUuid().isEmpty()) {
      return DeviceIdentity.compare(spec.name(), target, Optional.empty());
    }
    var guid =
        device.systemGuid(until.left().compareTo(GUID_LIMIT) < 0 ? until.left() : GUID_LIMIT);
    var identity = DeviceIdentity.compare(spec.name(), target, guid);
    if (guid.isPresent()) {
      remember(target, spec, identity);
    }
    return identity;
  }

  /** From now on, until the device is asked again. */
  void remember(FencingTarget target, DeviceSpec spec, DeviceIdentity identity) {
    findings.put(
        target.host() + "/" + spec.name(), new Finding(target, spec, identity, time.nanos()));
  }
}
