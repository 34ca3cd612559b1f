package dev.haven.core.lead;

import dev.haven.core.ha.Pill;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** How an attempt to cut a host's power ended. Times are monotonic nanoseconds of this voter. */
public sealed interface Cut {
  /**
   * Every device of one level said off twice, after our order.
   *
   * @param readings what each device said
   * @param began before the earliest of the readings, and after the order was taken
   * @param unidentified names of devices that nothing shows to be this host's
   * @param times of the steps, for the flight record
   */
  record Off(
      List<String> readings, long began, List<String> unidentified, Map<String, Instant> times)
      implements Cut {}

  /**
   * No power was cut: the host was told to end by itself.
   *
   * @param over after the pill's wait
   */
  record Poisoned(Pill pill, long over, Map<String, Instant> times) implements Cut {}

  /**
   * It may still run.
   *
   * @param saidOff the level whose devices had all said off after our order, and none on since,
   *     from 1; empty if there was none
   */
  record Failed(String reason, OptionalInt saidOff) implements Cut {
    public Failed(String reason) {
      this(reason, OptionalInt.empty());
    }
  }
}
