package dev.haven.core.ha;

import dev.haven.model.api.AuditLine;
import dev.haven.model.api.Fact;
import java.time.Instant;
import java.util.List;
import org.pcollections.PVector;
import org.pcollections.TreePVector;

/** The audit log: the last lines of it. */
final class AuditLog {
  /** Lines that are kept. */
  static final int LINES = 5_000;

  static final AuditLog EMPTY = new AuditLog(TreePVector.empty(), 1);

  private final PVector<AuditLine> lines;
  private final long next;

  private AuditLog(PVector<AuditLine> lines, long next) {
    this.lines = lines;
    this.next = next;
  }

  static AuditLog of(List<AuditLine> lines, long next) {
    return new AuditLog(TreePVector.from(lines), next);
  }

  List<AuditLine> lines() {
    return lines;
  }

  /** The place of the next line. */
  long next() {
    return next;
  }

  AuditLog with(Instant at, List<Fact> facts) {
    var all = lines;
    long index = next;
    for (var fact : facts) {
      all = all.plus(new AuditLine(index++, at, fact));
    }
    while (all.size() > LINES) {
      all = all.minus(0);
    }
    return new AuditLog(all, index);
  }
}
