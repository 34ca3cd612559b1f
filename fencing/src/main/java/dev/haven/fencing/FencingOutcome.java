package dev.haven.fencing;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
   *     is {@link DeviceIdentity.Unknown} counts only with a fencing test on record, which the
   *     caller keeps
   */
  record Confirmed(
      int level,
      List<PowerReading.Off> readings,
      Instant readingBegan,
      Map<String, DeviceIdentity> identities,
      List<FencingStep> log)
      implements FencingOutcome {
    public Confirmed {
      readings = List.copyOf(readings);
      identities = Map.copyOf(identities);
      log = List.copyOf(log);
    }
  }

  /**
   * A poison pill was written to a majority of the host's SBD disks, and its wait is over. Proof
   * only for a caller who knows that the host's watcher was armed on these disks when the pill was
   * written, under the boot in question and with a watchdog no slower than the disks' header says,
   * and only as long as no sign of life under that boot is younger than {@code over}. Nobody read
   * the power: the host may be on again, under another boot.
   *
   * @param level counted from 1
   * @param slot the name under which the host has its slot
   * @param disks that held the pill for the whole wait, by path
   * @param ids of these disks, which are the same under whatever path
   * @param waited the wait, from the disks' header
   * @param over when it was over
   */
  record Poisoned(
      int level,
      String device,
      String slot,
      List<String> disks,
      Set<String> ids,
      Duration waited,
      Instant over,
      List<FencingStep> log)
      implements FencingOutcome {
    public Poisoned {
      disks = List.copyOf(disks);
      ids = Set.copyOf(ids);
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
