package dev.haven.simulator;

import dev.haven.model.HostId;
import java.time.Duration;
import java.util.List;

/** What happens to ports and networks. */
final class NetworkHappenings {
  private final World world;

  NetworkHappenings(World world) {
    this.world = world;
  }

  /** Both its ports are down. */
  void cutOff(String host) {
    world.log("happens", "host " + host + " is cut off");
    host(host).machine.port[Machine.CONTROL] = false;
    host(host).machine.port[Machine.MIGRATION] = false;
  }

  void cut(String host, int network) {
    world.log(
        "happens",
        "host " + host + " loses its " + (network == 0 ? "control" : "migration") + " port");
    host(host).machine.port[network] = false;
  }

  void reconnect(String host) {
    world.log("happens", "host " + host + " is connected again");
    host(host).machine.port[Machine.CONTROL] = true;
    host(host).machine.port[Machine.MIGRATION] = true;
    host(host).machine.deaf = false;
    host(host).machine.mute = false;
  }

  void deaf(String host) {
    world.log("happens", "nothing comes in at host " + host);
    host(host).machine.deaf = true;
  }

  void mute(String host) {
    world.log("happens", "nothing leaves host " + host);
    host(host).machine.mute = true;
  }

  /** Every port of every machine. */
  void networkDown() {
    world.log("happens", "the network is down");
    ports(false);
  }

  void networkUp() {
    world.log("happens", "the network is up");
    ports(true);
  }

  private void ports(boolean up) {
    for (var machine : world.machines) {
      machine.port[Machine.CONTROL] = up;
      machine.port[Machine.MIGRATION] = up;
    }
  }

  /** Every port of every machine in one network. */
  void networkDown(int network) {
    world.log(
        "happens",
        "the " + (network == Machine.CONTROL ? "control" : "migration") + " network is down");
    world.machines.forEach(m -> m.port[network] = false);
  }

  /** Of any machine, a witness too. */
  void portBack(String machine) {
    world.machines.stream()
        .filter(m -> m.name.equals(machine))
        .forEach(
            m -> {
              m.port[Machine.CONTROL] = true;
              m.port[Machine.MIGRATION] = true;
            });
  }

  /** These machines reach only each other, and who has the same numbers. */
  void side(int control, int migration, String... machines) {
    var all = List.of(machines);
    world.log(
        "happens", "%s are on side %d, %d".formatted(String.join(", ", all), control, migration));
    for (var machine : world.machines) {
      if (all.contains(machine.name)) {
        machine.side[Machine.CONTROL] = control;
        machine.side[Machine.MIGRATION] = migration;
      }
    }
  }

  void whole() {
    world.log("happens", "the network is whole again");
    for (var machine : world.machines) {
      machine.side[Machine.CONTROL] = 0;
      machine.side[Machine.MIGRATION] = 0;
    }
  }

  /** That share of all heartbeats. */
  void beatsLost(double share) {
    world.log("happens", share > 0 ? "heartbeats are lost" : "no heartbeat is lost any more");
    world.loss = share;
  }

  /**
   * For so long what is sent to this agent, or by it, stays in a buffer. What is sent after the
   * next such sentence may overtake it.
   */
  void stall(String name, boolean in, Duration time) {
    world.log(
        "happens",
        "messages %s the agent of host %s linger for %d ms"
            .formatted(in ? "to" : "from", name, time.toMillis()));
    long until = world.clock.nanos() + time.toNanos();
    if (in) {
      host(name).stalledIn = until;
    } else {
      host(name).stalledOut = until;
    }
  }

  private SimHost host(String name) {
    return world.host(new HostId(name));
  }
}
