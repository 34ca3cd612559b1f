package dev.haven.fencing;

import java.util.List;
import java.util.Map;

/** How switching a host on ended. */
public sealed interface PowerOnOutcome {
  /** Every step in the order it happened. */
  List<FencingStep> log();

  /** Every device of the first level that answered says on. */
  record On(List<PowerReading.On> readings, List<FencingStep> log) implements PowerOnOutcome {
    public On {
      readings = List.copyOf(readings);
      log = List.copyOf(log);
    }
  }

  /**
   * It is not known to be on.
   *
   * @param reasons the last failure of each device, by its name
   */
  record Failed(Map<String, String> reasons, List<FencingStep> log) implements PowerOnOutcome {
    public Failed {
      reasons = Map.copyOf(reasons);
      log = List.copyOf(log);
    }
  }
}
