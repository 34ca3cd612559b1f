package dev.haven.simulator;

/** What goes wrong with one host: its power, its ports, its agent and its libvirt. */
final class HostFaults {
  private final Script script;
  private final Chance chance;

  HostFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
  }

  void powerLoss(SimHost host) {
    if (script.world().hosts.values().stream().filter(h -> h.machine.power).count() > 1
        && !script.lies(host)) {
      script.say("power-loss " + host.id);
      if (chance.happens(0.3)) {
        script.say("device " + host.id + " hangs");
      }
      script.back(host.id.value(), 5_000, 60_000);
    }
  }

  /** The power cord of a host whose device dies with it. */
  void cordPulled(SimHost host) {
    if (!script.lies(host)) {
      script.say("device " + host.id + " hangs");
      script.say("power-loss " + host.id);
      script.back(host.id.value(), 20_000, 120_000);
    }
  }

  void rebooted(SimHost host) {
    if (!script.lies(host)) {
      script.say("power-loss " + host.id);
      script.later(10, 1_500, "power-on " + host.id);
    }
  }

  /** It boots again before anybody has dealt with its last boot. */
  void flaps(SimHost host) {
    if (!script.lies(host)) {
      var name = host.id.value();
      script.say("power-loss " + name);
      script.later(10, 500, "power-on " + name);
      script.later(1_500, 7_000, "power-loss " + name);
      script.later(7_000, 7_500, "power-on " + name);
    }
  }

  void hang(SimHost host) {
    if (!script.lies(host)) {
      script.say("hang " + host.id);
      script.later(500, 60_000, "unhang " + host.id);
    }
  }

  void cutOff(SimHost host) {
    if (!script.lies(host)) {
      script.say("cut-off " + host.id);
      script.later(200, 60_000, "reconnect " + host.id);
    }
  }

  void cutOne(SimHost host) {
    script.say("cut " + host.id + (chance.happens(0.5) ? " control" : " migration"));
    script.later(200, 60_000, "reconnect " + host.id);
  }

  void oneWay(SimHost host) {
    if (!script.lies(host)) {
      script.say((chance.happens(0.5) ? "deaf " : "mute ") + host.id);
      script.later(500, 60_000, "reconnect " + host.id);
    }
  }

  /** A connection that lives and brings nothing for a while, in one direction. */
  void stalls(SimHost host) {
    script.say(
        (chance.happens(0.5) ? "stall-in " : "stall-out ")
            + host.id
            + script.between(1_000, 60_000));
  }

  void planned(SimHost host) {
    if (!script.lies(host)) {
      if (chance.happens(0.5)) {
        script.say("reboot " + host.id);
      } else {
        script.say("shutdown " + host.id);
        script.later(10_000, 60_000, "power-on " + host.id);
      }
    }
  }

  void agentDies(SimHost host) {
    script.say("agent-dies " + host.id + script.between(200, chance.happens(0.8) ? 3_000 : 20_000));
  }

  void agentStops(SimHost host) {
    script.say("agent-stops " + host.id);
    script.later(200, 45_000, "agent-goes-on " + host.id);
  }

  /** Often its agent dies too: the next one reads what stands there. */
  void diskFails(SimHost host) {
    script.say("agents-disk-fails " + host.id);
    if (chance.happens(0.5)) {
      script.later(100, 20_000, "agent-dies " + host.id + script.between(100, 2_000));
    }
    script.later(1_000, 60_000, "agents-disk-works " + host.id);
  }

  /** Its key was stolen, or its disk cloned. */
  void stranger(SimHost host) {
    script.say((chance.happens(0.7) ? "stranger " : "clone ") + host.id);
  }

  void libvirt(SimHost host) {
    script.say("libvirt-down " + host.id);
    script.later(200, 15_000, "libvirt-up " + host.id);
  }

  /** By a unit that does not preserve it. A pause that stands there alone would be lost with it. */
  void runEmptied(SimHost host) {
    if (!host.disk.fails && host.book.unnoted().isEmpty()) {
      script.say("agent-dies " + host.id + script.between(200, 3_000));
      script.say("run-emptied " + host.id);
    }
  }

  void libvirtIsLate(SimHost host) {
    script.say("libvirt-late " + host.id + script.between(1_000, 60_000));
  }
}
