package dev.haven.simulator;

import dev.haven.model.DomainState;
import java.util.Map;

/**
 * What lasts longer than a lease or a bound: who hears nobody for so long has to end its guests by
 * itself.
 */
final class LeaseFaults {
  private final Script script;
  private final Chance chance;

  LeaseFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
  }

  /** Nobody reaches it and its device is gone too, for longer than its bound; it lives on. */
  void isolated(SimHost otherwise) {
    // without a leader no bound runs out
    var led = script.voterless();
    var host = led.isEmpty() || chance.happens(0.2) ? otherwise : chance.oneOf(led);
    if (script.lies(host)) {
      return;
    }
    var name = host.id.value();
    script.say("device " + name + " hangs");
    script.say("cut-off " + name);
    switch (chance.below(6)) {
      case 0 -> script.libvirtAway(name, 60_000);
      case 1 -> script.later(0, 40_000, "agent-dies " + name + script.between(200, 8_000));
      case 2 -> {
        script.later(0, 30_000, "agent-stops " + name);
        script.later(30_000, 60_000, "agent-goes-on " + name);
      }
      case 3 -> {
        script.later(0, 20_000, "libvirt-down " + name);
        script.later(45_000, 90_000, "libvirt-up " + name);
        script.later(0, 30_000, "agent-dies " + name + script.between(200, 3_000));
      }
      case 4 -> script.later(5_000, 60_000, "elect");
      default -> {}
    }
    script.back(name, 40_000, 150_000);
  }

  /** Its kernel hangs for longer than its bound, and its device is gone. */
  void frozen(SimHost host) {
    if (!script.lies(host)) {
      script.say("device " + host.id + " hangs");
      script.say("hang " + host.id);
      script.later(60_000, 120_000, "unhang " + host.id);
      script.back(host.id.value(), 60_000, 120_000);
    }
  }

  /** What it says of its leases lingers during a pause, of whose end it does not hear. */
  void overtaken() {
    var able = script.voterless();
    var host = chance.oneOf(able.isEmpty() ? script.hosts() : able);
    if (script.lies(host)) {
      return;
    }
    var name = host.id.value();
    script.say("stall-out " + name + script.between(30_000, 60_000));
    script.later(0, 100, "elect"); // all agents are told again, and say what they do
    script.later(3_000, 4_000, "stall-out " + name + " 0ms");
    script.later(4_000, 5_000, "pause 60s");
    script.later(6_000, 8_000, "device " + name + " hangs");
    script.later(6_000, 8_000, "cut-off " + name);
    script.later(9_000, 12_000, "resume");
    script.back(name, 90_000, 120_000);
  }

  /** It is taken for dead, comes back without libvirt, and is soon the one that is needed. */
  void returnsBusy(SimHost otherwise) {
    var able = script.voterless();
    var host = able.isEmpty() ? otherwise : chance.oneOf(able);
    var other = chance.oneOf(script.hosts());
    if (script.lies(host) || script.lies(other) || host == other) {
      return;
    }
    var name = host.id.value();
    script.say("device " + name + " hangs");
    script.say("cut-off " + name);
    double back = chance.between(50_000, 70_000);
    script.later(back - 5_000, back, "libvirt-down " + name);
    script.later(back, back, "reconnect " + name);
    script.later(back, back, "device " + name + " works");
    script.later(back, back, "power-on " + name);
    script.later(back + 300, back + 4_000, "power-loss " + other.id);
    script.later(back + 2_500, back + 12_000, "libvirt-up " + name);
    script.later(back + 20_000, back + 60_000, "power-on " + other.id);
  }

  void paused() {
    var able = script.voterless();
    var host = chance.oneOf(able.isEmpty() ? script.hosts() : able);
    if (chance.happens(0.4)) { // what it says of it does not come
      script.say("stall-out " + host.id + script.between(5_000, 60_000));
    }
    script.say("pause" + script.between(5_000, 120_000));
    script.later(5_000, 30_000, "resume");
    if (chance.happens(0.7)) { // one of them does not hear of the end
      if (!script.lies(host)) {
        script.later(1_000, 5_000, "device " + host.id + " hangs");
        script.later(1_000, 5_000, "cut-off " + host.id);
        script.back(host.id.value(), 60_000, 120_000);
      }
    }
  }

  void watchdogTested(SimHost host) {
    script.say("evacuate " + host.id);
    script.later(5_000, 20_000, "test-watchdog " + host.id);
    script.later(40_000, 60_000, "uncordon " + host.id);
  }

  /** libvirt takes a guest for ended whose process runs on; somebody ends that later. */
  void qemuLost(SimHost host) {
    var running =
        host.domains.entrySet().stream()
            .filter(d -> d.getValue().state == DomainState.RUNNING && d.getValue().leaving == null)
            .map(Map.Entry::getKey)
            .toList();
    if (!running.isEmpty()) {
      var guest = chance.oneOf(running);
      script.say("qemu-lost %s %s".formatted(guest, host.id));
      script.later(1_000, 60_000, "qemu-found %s %s".formatted(guest, host.id));
      if (chance.happens(0.5) && !script.lies(host)) {
        script.say("device " + host.id + " hangs");
        script.say("cut-off " + host.id);
        script.back(host.id.value(), 40_000, 150_000);
      }
    }
  }
}
