package dev.haven.agent;

import dev.haven.model.wire.FromAgent;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is to be said to the leader. Of reports and of a migration's progress only the newest
 * counts; answers are kept through a change of leader, within a bound. Guarded by its user's lock.
 */
final class Outbox {
  private static final Logger log = LoggerFactory.getLogger(Outbox.class);

  /** A leader that lost an answer asks again, so losing the oldest is no harm. */
  static final int ANSWERS = 512;

  private static final int PROGRESS = 64;
  private static final int SEEN = 64;

  private FromAgent.@Nullable Domains domains;
  private FromAgent.@Nullable Guarded guarded;
  private final ArrayDeque<FromAgent.AnswerFrame> answers = new ArrayDeque<>();
  private final ArrayDeque<FromAgent.DisksSeen> seen = new ArrayDeque<>();
  private final Map<Long, FromAgent.Progress> progress = new LinkedHashMap<>();

  void add(FromAgent frame) {
    switch (frame) {
      case FromAgent.Domains d -> domains = d;
      case FromAgent.Guarded g -> guarded = g;
      case FromAgent.AnswerFrame a -> {
        progress.remove(a.order());
        answers.addLast(a);
        if (answers.size() > ANSWERS) {
          var lost = answers.removeFirst();
          log.warn(
              "order {}: its answer is dropped, nobody took it: {}", lost.order(), lost.answer());
        }
      }
      case FromAgent.Progress p -> {
        if (progress.size() < PROGRESS || progress.containsKey(p.order())) {
          progress.put(p.order(), p);
        }
      }
      case FromAgent.DisksSeen d -> {
        seen.addLast(d);
        if (seen.size() > SEEN) {
          seen.removeFirst(); // nobody waits for it for longer than 5 s
        }
      }
      case FromAgent.Hello _ -> throw new IllegalArgumentException("a hello goes first, not here");
    }
  }

  /** The report comes first: it was made before the answers that wait with it. */
  Optional<FromAgent> next() {
    if (domains != null) {
      var next = domains;
      domains = null;
      return Optional.of(next);
    }
    if (guarded != null) {
      var next = guarded;
      guarded = null;
      return Optional.of(next);
    }
    if (!answers.isEmpty()) {
      return Optional.of(answers.removeFirst());
    }
    if (!seen.isEmpty()) {
      return Optional.of(seen.removeFirst());
    }
    var each = progress.values().iterator();
    if (each.hasNext()) {
      var next = each.next();
      each.remove();
      return Optional.of(next);
    }
    return Optional.empty();
  }

  /** It could not be said; an answer is said first on the next connection. */
  void back(FromAgent frame) {
    if (frame instanceof FromAgent.AnswerFrame a) {
      answers.addFirst(a);
    }
  }

  /** The next hello tells it all. */
  void helloSaid() {
    domains = null;
    guarded = null;
  }

  boolean isEmpty() {
    return domains == null
        && guarded == null
        && answers.isEmpty()
        && seen.isEmpty()
        && progress.isEmpty();
  }
}
