package dev.haven.core.ha;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * When Haven itself tries something again that went wrong: after 30 s, then twice as long each
 * time, at most after 10 minutes. All of it is read from the operations, so any leader comes to the
 * same; an operation that succeeds starts the count again at 0.
 */
final class Retries {
  private static final Duration FIRST = Duration.ofSeconds(30);
  private static final Duration LONGEST = Duration.ofMinutes(10);

  private Retries() {}

  /**
   * What has to wait.
   *
   * @param notBefore by the log's own time
   * @param last the last try
   */
  record Held(Instant notBefore, Operation last) {
    /** For people, after a sentence that says what is missing. */
    String words() {
      return "it was tried (operation %s: %s) and is tried again not before %s"
          .formatted(
              last.id(),
              last.detail(),
              notBefore.truncatedTo(java.time.temporal.ChronoUnit.SECONDS));
    }
  }

  /**
   * Whether such operations went wrong lately, so that another one is not begun yet. One that ended
   * after now did so before the clock was set back, and holds nothing up.
   */
  static Optional<Held> of(Deliberation d, Predicate<Operation> such) {
    var newest = new ArrayList<>(d.state().operations());
    Collections.reverse(newest);
    Optional<Operation> last = Optional.empty();
    var wait = Duration.ZERO;
    for (var op : newest) {
      if (op.running() || !such.test(op)) {
        continue;
      }
      if (op.state() == Operation.State.DONE) {
        break;
      }
      wait = last.isEmpty() ? FIRST : wait.multipliedBy(2);
      last = last.or(() -> Optional.of(op));
      if (wait.compareTo(LONGEST) >= 0) {
        wait = LONGEST;
        break;
      }
    }
    var ended = last.flatMap(Operation::ended);
    if (ended.isEmpty() || ended.get().isAfter(d.at())) {
      return Optional.empty();
    }
    var notBefore = ended.get().plus(wait);
    return d.at().isBefore(notBefore) ? last.map(op -> new Held(notBefore, op)) : Optional.empty();
  }
}
