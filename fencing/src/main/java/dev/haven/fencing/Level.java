package dev.haven.fencing;

import java.util.List;

/**
 * Devices that together hold a host's power: it is off only when all of them say so. A host with
 * two power supplies has both outlets in one level.
 *
 * @param devices one or more, names unique
 */
public record Level(List<DeviceSpec> devices) {
  @SuppressWarnings("ConstantValue") // JSON may leave it out, whatever the type says
  public Level {
    if (devices == null || devices.isEmpty()) {
      throw new IllegalArgumentException(
          "a fencing level has no devices; list at least one, or remove the level: an empty one would prove nothing");
    }
    devices = List.copyOf(devices);
  }
}
