package dev.haven.core.ha;

import dev.haven.model.api.Fact;
import java.time.Instant;
import java.util.List;
import org.pcollections.PVector;
import org.pcollections.TreePVector;

/** The audit log: the last lines of it. */
final class Journal {
  /** Lines that are kept. */
  static final int LINES = 5_000;

  static final Journal EMPTY = new Journal(TreePVector.empty(), 1);

  private final PVector<AuditLine> lines;
  private final long next;

  private Journal(PVector<AuditLine> lines, long next) {
    this.lines = lines;
    this.next = next;
  }

  static Journal of(List<AuditLine> lines, long next) {
    return new Journal(TreePVector.from(lines), next);
  }

  List<AuditLine> lines() {
    return lines;
  }

  /** The place of the next line. */
  long next() {
    return next;
  }

  Journal with(Instant at, List<Fact> facts) {
    var all = lines;
    long index = next;
    for (var fact : facts) {
      all = all.plus(new AuditLine(index++, at, fact));
    }
    while (all.size() > LINES) {
      all = all.minus(0);
    }
    return new Journal(all, index);
  }
}
