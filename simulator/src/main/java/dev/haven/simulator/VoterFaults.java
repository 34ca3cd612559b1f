package dev.haven.simulator;

import dev.haven.model.HostId;

/** What goes wrong with voters, their disks and clocks, and with whole networks. */
final class VoterFaults {
  private final Script script;
  private final Chance chance;

  VoterFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
  }

  private String aVoter() {
    return chance.oneOf(script.world().voters).name();
  }

  void voterDies() {
    script.say("voter-dies " + aVoter() + script.between(500, 8_000));
  }

  void voterStops() {
    stands(aVoter(), 100, 8_000);
  }

  /** Its process is stopped, or its machine is suspended: then its own clock stands still too. */
  private void stands(String voter, double least, double most) {
    boolean sleeps = chance.happens(0.4);
    script.say((sleeps ? "voter-sleeps " : "voter-stops ") + voter);
    script.later(least, most, (sleeps ? "voter-wakes " : "voter-goes-on ") + voter);
  }

  void votersDie() {
    // now and then for so long that every bound has run out before one is back
    script.say("voters-die" + script.between(1_000, chance.happens(0.2) ? 600_000 : 70_000));
  }

  /** The leader stands still, and goes on beside one host that hears nobody else. */
  void staleLeader() {
    var leader = script.world().leader();
    var others =
        script.hosts().stream()
            .filter(h -> leader.filter(l -> l.machine == h.machine).isEmpty())
            .toList();
    if (leader.isEmpty() || script.anyLies() || others.isEmpty()) {
      return;
    }
    var voter = leader.get().name();
    // one that carries no voter, or the two would be a majority
    var alone = others.stream().filter(h -> script.world().voterOn(h.machine).isEmpty()).toList();
    var host = chance.oneOf(alone.isEmpty() ? others : alone).id;
    script.say("device " + host + " hangs");
    if (script.world().hosts.containsKey(new HostId(voter))) {
      script.say("device " + voter + " hangs");
    }
    script.say("side 2 2 %s %s".formatted(voter, host));
    if (chance.happens(0.8)) {
      stands(voter, 500, 50_000);
    }
    double back = chance.between(50_000, 120_000);
    script.later(back, back, "side 0 0 %s %s".formatted(voter, host));
    script.later(back, back, "device " + host + " works");
    if (script.world().hosts.containsKey(new HostId(voter))) {
      script.later(back, back, "device " + voter + " works");
    }
  }

  void clockJumps() {
    script.say("clock-jumps %s %ds".formatted(aVoter(), (int) chance.between(-4_000, 4_000)));
  }

  void disksFull() {
    script.say("disks-full");
    script.later(1_000, 60_000, "disks-have-room");
  }

  void partition() {
    if (script.anyLies()) {
      return;
    }
    for (var machine : script.world().machines) {
      int control = chance.below(2);
      script.say(
          "side %d %d %s"
              .formatted(control, chance.happens(0.7) ? control : chance.below(2), machine.name));
    }
    script.later(500, 40_000, "whole");
  }

  void portByPort() {
    script.say("network-lost control");
    if (chance.happens(0.5)) {
      script.say("network-lost migration");
    }
    script.world().hosts.keySet().forEach(h -> script.later(20_000, 70_000, "reconnect " + h));
    if (script.world().machines.size() > script.world().hosts.size()) {
      script.world().machines.stream()
          .filter(m -> !script.world().hosts.containsKey(new HostId(m.name)))
          .forEach(m -> script.later(20_000, 70_000, "port-back " + m.name));
    }
  }

  void beatsLost() {
    script.say("beats-lost " + chance.between(0.05, 0.6));
    script.later(1_000, 20_000, "beats-lost 0");
  }
}
