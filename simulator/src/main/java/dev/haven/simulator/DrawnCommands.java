package dev.haven.simulator;

import dev.haven.core.ha.Operation;
import dev.haven.model.GuestId;

/** What people do meanwhile. */
final class DrawnCommands {
  private static final int GUESTS = 30;

  private final Script script;
  private final Chance chance;

  /** Whether some guests must stay together. */
  private final boolean grouped;

  private int guests;

  DrawnCommands(Script script, boolean grouped) {
    this.script = script;
    this.chance = script.chance;
    this.grouped = grouped;
  }

  /** One more guest. */
  String create() {
    return "create guest-%d %d".formatted(++guests, 512 + 256 * chance.below(3));
  }

  /** How many guests were created so far. */
  int guests() {
    return guests;
  }

  /** One command, about a guest or this host. */
  void command(SimHost on) {
    var all =
        script.simulation().state().guests().stream()
            .map(g -> g.id())
            .filter(g -> !script.world().person.waits(g))
            .toList();
    if (all.isEmpty()) {
      return;
    }
    GuestId guest = chance.oneOf(all);
    switch (chance.below(12)) {
      case 0, 1, 2, 3 ->
          script.say(
              (grouped && chance.happens(0.5) ? "migrate-group " : "migrate ")
                  + guest
                  + (chance.happens(0.5) ? "" : " " + on.id));
      case 4 -> script.say("stop " + guest + " " + chance.below(10) + "s");
      case 5, 6 -> script.say("start " + guest);
      case 7 -> script.say("evacuate " + on.id);
      case 8 -> script.say("uncordon " + on.id);
      case 9 ->
          script.simulation().state().operations().stream()
              .filter(Operation::running)
              .findFirst()
              .ifPresent(o -> script.say("cancel " + o.id()));
      case 10 -> {
        if (!on.machine.power) {
          script.say("confirm-dead " + on.id);
        } else if (chance.happens(0.3)) {
          script.say("fence " + on.id);
        }
      }
      default -> {
        if (guests < GUESTS) {
          script.say(create());
        }
      }
    }
  }
}
