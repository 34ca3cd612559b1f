package dev.haven.core.ha;

import java.util.List;

/**
 * What can be done now about all that waits. Looks at the state alone, so that any leader comes to
 * the same.
 */
final class Scheduler {
  private Scheduler() {}

  static void settle(Deliberation d) {
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running() && !Operations.leftOut(d, op)) {
        Operations.advance(d, op);
      }
    }
    Placing.place(d);
    for (var op : List.copyOf(d.state().operations())) {
      if (op.running() && !Operations.leftOut(d, op)) {
        Operations.conclude(d, op);
      }
    }
  }
}
