package dev.haven.fencing;

import java.time.Instant;
import java.util.List;

/** One quick look at all power devices of a host at once: evidence for a verdict, never a proof. */
public sealed interface EvidenceReading {
  /** When the earliest reading began. */
  Instant began();

  /** What had been read when this was decided; devices that were slower are missing. */
  List<PowerReading> readings();

  /**
   * Every device of this level says off. Another level may well say on: the outlet of a host that
   * lies switched off has current.
   *
   * @param level counted from 1
   */
  record PowerOff(int level, Instant began, List<PowerReading> readings)
      implements EvidenceReading {}

  /** No level says off altogether, and some device says on. */
  record PowerOn(Instant began, List<PowerReading> readings) implements EvidenceReading {}

  /** Nobody says on, but of each level some device did not say off either. */
  record Unclear(Instant began, List<PowerReading> readings) implements EvidenceReading {}
}
