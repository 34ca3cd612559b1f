package dev.haven.simulator;

import dev.haven.core.ha.GuestPhase;
import dev.haven.model.GuestId;
import java.util.List;

/** What goes wrong with guests: they end, hang or do not start. */
final class GuestFaults {
  private final Script script;
  private final Chance chance;

  GuestFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
  }

  void guestFails() {
    var all = List.copyOf(script.simulation().state().guests());
    if (!all.isEmpty() && chance.happens(0.25)) {
      script.say("guest-hangs " + chance.oneOf(all).id());
    } else if (!all.isEmpty()) {
      script.say(
          "guest-becomes %s %s"
              .formatted(
                  chance.oneOf(all).id(),
                  switch (chance.below(6)) {
                    case 0 -> "off-shutdown";
                    case 1 -> "paused-io-error";
                    case 2 -> "paused-no-space";
                    default -> "off-crashed";
                  }));
    }
  }

  /** By its owner. */
  void restarted() {
    var running =
        script.simulation().state().guests().stream()
            .filter(
                g ->
                    g.phase() instanceof GuestPhase.Running && !script.world().person.waits(g.id()))
            .toList();
    if (!running.isEmpty()) {
      var guest = chance.oneOf(running).id();
      script.say("stop " + guest + " " + chance.below(4) + "s");
      double start = chance.between(2_000, 12_000);
      unlessAsked(guest, start, "start " + guest);
      if (chance.happens(0.5)) { // and thinks better of it
        unlessAsked(guest, start + chance.between(1_000, 6_000), "stop " + guest + " 0s");
      }
    }
  }

  private void unlessAsked(GuestId guest, double afterMillis, String sentence) {
    script
        .world()
        .clock
        .afterMillis(
            afterMillis,
            () -> {
              if (!script.world().person.waits(guest)) {
                script.say(sentence);
              }
            });
  }

  void startsFail(SimHost host) {
    script.say("starts-fail " + host.id);
    script.later(1_000, 15_000, "starts-work " + host.id);
  }

  void startsUnclear(SimHost host) {
    script.say("starts-unclear " + host.id);
    script.later(1_000, 15_000, "starts-clear " + host.id);
  }

  void destroysHang(SimHost host) {
    script.say("destroys-hang " + host.id);
    script.later(1_000, 120_000, "destroys-work " + host.id);
  }
}
