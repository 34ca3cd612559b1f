package dev.haven.simulator;

import dev.haven.model.DomainState;

/** What goes wrong with the storage of a host's guests. */
final class StorageFaults {
  private final Script script;
  private final Chance chance;

  StorageFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
  }

  /** A start takes longer than the agent waits for it. */
  void startsSlow(SimHost host) {
    script.say("starts-slow " + host.id);
    script.later(5_000, 90_000, "starts-quick " + host.id);
  }

  /** It answers no request: nothing there can be paused or ended, and starts take long. */
  void hungIo(SimHost host) {
    script.say("drains-hang " + host.id);
    script.say("destroys-hang " + host.id);
    script.say("starts-slow " + host.id);
    double over = chance.between(1_000, 90_000);
    script.later(over, over, "drains-end " + host.id);
    script.later(over, over, "destroys-work " + host.id);
    script.later(over, over, "starts-quick " + host.id);
    if (chance.happens(0.3)) {
      script.later(0, 20_000, "cut-off " + host.id);
      script.later(20_000, 90_000, "reconnect " + host.id);
    }
  }

  /** That of all guests there. */
  void full(SimHost host) {
    host.domains.forEach(
        (guest, domain) -> {
          if (domain.state == DomainState.RUNNING && domain.leaving == null) {
            script.say("guest-becomes " + guest + " paused-no-space");
          }
        });
  }
}
