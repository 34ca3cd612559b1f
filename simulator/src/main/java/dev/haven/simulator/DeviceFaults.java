package dev.haven.simulator;

/** What goes wrong with power devices, and when somebody needs them. */
final class DeviceFaults {
  private final Script script;
  private final Chance chance;

  DeviceFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
  }

  void device(SimHost host) {
    var name = host.id.value();
    switch (chance.below(10)) {
      case 0 -> script.say("device " + name + " hangs");
      case 6 -> { // as a BMC whose host runs on, or which comes back together with it
        script.say("device " + name + " forgets");
        lost(host);
      }
      case 7 -> {
        script.say("device " + name + " stale");
        lost(host);
      }
      case 8 -> { // somebody has to unplug it first
        script.say("device " + name + " hangs");
        script.later(185_000, 190_000, "device " + name + " wrong-host");
        if (chance.happens(0.5)) {
          script.later(190_000, 200_000, "power-loss " + name);
          script.later(205_000, 260_000, "power-on " + name);
        }
        script.later(210_000, 260_000, "device " + name + " works");
        return;
      }
      case 9 -> {
        script.say("device " + name + " dies");
        lost(host);
      }
      case 1 -> script.say("device " + name + " refuses");
      case 2 -> script.say("device " + name + " slow");
      case 3 -> { // and somebody switches the host on
        script.say("device " + name + " nameless");
        script.say("power-loss " + name);
        script.later(1_000, 90_000, "power-on " + name);
      }
      case 4 -> {
        script.say("device " + name + " asks-first");
        if (chance.happens(0.5)) {
          script.say("power-loss " + name);
          script.later(5_000, 90_000, "power-on " + name);
        }
      }
      default -> {
        boolean heard =
            host.machine.alive()
                && script.world().machines.stream().allMatch(m -> !m.hung && m.connected());
        script.say("device " + name + (heard ? " lies" : " hangs"));
        if (heard && chance.happens(0.7)) {
          script.say("fence " + name);
        }
      }
    }
    script.later(5_000, 40_000, "device " + name + " works");
  }

  /** Somebody has to prove it off. */
  private void lost(SimHost host) {
    var name = host.id.value();
    switch (chance.below(4)) {
      case 0 -> script.say("fence " + name);
      case 1 -> {
        script.say("power-loss " + name);
        script.later(5_000, 60_000, "power-on " + name);
      }
      case 2 -> {
        script.say("power-loss " + name);
        script.later(100, 5_000, "power-on " + name);
        script.later(2_000, 20_000, "cut-off " + name);
        script.later(20_000, 60_000, "reconnect " + name);
      }
      default -> {
        script.say("cut-off " + name);
        script.later(10_000, 60_000, "reconnect " + name);
      }
    }
  }

  /** Cut off, with a device that says how the power is and does not switch it. */
  void refuses(SimHost host) {
    if (!script.lies(host)) {
      var name = host.id.value();
      if (host.secondDevice == null) {
        script.say("device " + name + " refuses");
      } else {
        script.say("second-supply " + name + " refuses");
        script.later(10_000, 40_000, "second-supply " + name + " works");
      }
      script.say("cut-off " + name);
      script.back(name, 10_000, 40_000);
    }
  }
}
