package dev.haven.fencing;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/** How a fence ended. */
public sealed interface FencingOutcome {
  /** Every step in the order it happened. */
  List<FencingStep> log();

  /**
   * The host is off: every device of one level took our order, then said off twice.
   *
   * @param level counted from 1
   * @param readings the counted readings, two for each device
   * @param readingBegan when the earliest of them began; a sign of life after this voids the proof
   * @param identities for each device of the level, whether it is known to be this host's; one that
   *     is {@link Identity.Unknown} counts only with a fencing test on record, which the caller
   *     keeps
   */
  record Confirmed(
      int level,
      List<PowerReading.Off> readings,
      Instant readingBegan,
      Map<String, Identity> identities,
      List<FencingStep> log)
      implements FencingOutcome {
    public Confirmed {
      readings = List.copyOf(readings);
      identities = Map.copyOf(identities);
      log = List.copyOf(log);
    }
  }

  /**
   * It may still run.
   *
   * @param reasons the last failure of each device, by its name
   */
  record Failed(Map<String, String> reasons, List<FencingStep> log) implements FencingOutcome {
    public Failed {
      reasons = Map.copyOf(reasons);
      log = List.copyOf(log);
    }
  }

  /**
   * It may still run, and what is left to try takes a person.
   *
   * @param instructions what that person has to do, by device
   * @param reasons why the devices before did not do it, by device
   */
  record NeedsOperator(
      Map<String, String> instructions, Map<String, String> reasons, List<FencingStep> log)
      implements FencingOutcome {
    public NeedsOperator {
      instructions = Map.copyOf(instructions);
      reasons = Map.copyOf(reasons);
      log = List.copyOf(log);
    }
  }
}
