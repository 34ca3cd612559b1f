package dev.haven.orchestrator;

import dev.haven.core.ha.ClusterState;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.FactWords;
import dev.haven.model.api.Views;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** Hands each new line of the audit log to all who follow it. */
final class EventFanOut {
  private final Map<Object, Consumer<Views.Event>> followers = new ConcurrentHashMap<>();

  /** Until it is closed. */
  AutoCloseable follow(Consumer<Views.Event> listener) {
    var key = new Object();
    followers.put(key, listener);
    return () -> followers.remove(key);
  }

  /** On the log's thread, after each entry. */
  void tell(ClusterState before, ClusterState after) {
    if (followers.isEmpty()) {
      return;
    }
    long known = before.audit().isEmpty() ? 0 : before.audit().getLast().index();
    var audit = after.audit();
    for (int i = audit.size() - 1; i >= 0; i--) {
      if (audit.get(i).index() <= known) {
        audit = audit.subList(i + 1, audit.size());
        break;
      }
    }
    for (var line : audit) {
      var event = event(line);
      followers.values().forEach(f -> f.accept(event));
    }
  }

  static Views.Event event(AuditLine line) {
    var fact = line.fact();
    return new Views.Event(
        line.index(),
        line.at(),
        fact.kind(),
        fact.subject(),
        FactWords.of(fact),
        Optional.of(fact));
  }
}
