package dev.haven.fencing;

import java.util.HashSet;
import java.util.List;

/**
 * How one host's power is cut: the first level, and when that fails the next.
 *
 * @param levels tried in this order; empty for a host that cannot be fenced
 */
public record FencingPlan(List<Level> levels) {
  @SuppressWarnings("ConstantValue") // JSON may leave it out, whatever the type says
  public FencingPlan {
    levels = levels == null ? List.of() : List.copyOf(levels);
    var names = new HashSet<String>();
    for (var level : levels) {
      for (var device : level.devices()) {
        if (!names.add(device.name())) {
          throw new IllegalArgumentException(
              "fencing device "
                  + device.name()
                  + " is named twice in one plan; give each device a name of its own");
        }
      }
    }
  }

  /** The plan of the many hosts that have one device. */
  public static FencingPlan of(DeviceSpec device) {
    return new FencingPlan(List.of(new Level(List.of(device))));
  }
}
