package dev.haven.simulator;

import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.wire.GoingDown;
import java.time.Duration;
import java.util.Optional;

/** What happens to hosts: their power, kernel, agent and libvirt. */
final class HostHappenings {
  private final World world;
  private int strangers;

  HostHappenings(World world) {
    this.world = world;
  }

  void powerLoss(String host) {
    world.log("happens", "host " + host + " loses power");
    host(host).powerOff();
  }

  void powerOn(String host) {
    world.log("happens", "host " + host + " is switched on");
    host(host).powerOn();
  }

  /** Its kernel answers nobody any more; its guests run on. */
  void hang(String host) {
    world.log("happens", "host " + host + " hangs");
    host(host).machine.hung = true;
  }

  void unhang(String host) {
    var h = host(host);
    if (h.machine.hung) {
      world.log("happens", "host " + host + " goes on");
      h.machine.hung = false;
      if (h.agent != null) {
        h.agent.goOn();
      }
    }
  }

  /** Somebody shuts it down, or reboots it, in an orderly way. */
  void goesDown(String host, GoingDown how) {
    world.log(
        "happens",
        "host %s is %s".formatted(host, how == GoingDown.REBOOT ? "rebooted" : "shut down"));
    host(host).goesDown(how);
  }

  void agentStops(String host) {
    world.log("happens", "the agent of host " + host + " is stopped");
    var agent = host(host).agent;
    if (agent != null) {
      agent.stopped = true;
    }
  }

  void agentGoesOn(String host) {
    var agent = host(host).agent;
    if (agent != null && agent.stopped) {
      world.log("happens", "the agent of host " + host + " goes on");
      agent.stopped = false;
      agent.goOn();
    }
  }

  void agentDies(String host, Duration backAfter) {
    world.log("happens", "the agent of host " + host + " dies");
    host(host).killAgent((double) backAfter.toMillis());
  }

  /** The disk on which this host's agent keeps its order book: what it writes is uncertain. */
  void agentsDiskFails(String name, boolean fails) {
    world.log(
        "happens",
        "the disk of host %s's agent %s".formatted(name, fails ? "takes no note" : "works again"));
    host(name).disk.fails = fails;
  }

  void libvirtDown(String host) {
    world.log("happens", "libvirt of host " + host + " is down");
    host(host).libvirtDown();
  }

  void libvirtUp(String host) {
    if (!host(host).libvirtUp) {
      world.log("happens", "libvirt of host " + host + " is back");
      host(host).libvirtBack();
    }
  }

  void startsFailOn(String host, boolean fail) {
    world.log("happens", "guests " + (fail ? "do not" : "do") + " start on host " + host);
    host(host).startsFail = fail;
  }

  /** Whether libvirt says in time what became of starts there. */
  void startsUnclear(String host, boolean unclear) {
    world.log(
        "happens", "starts on host %s are %s".formatted(host, unclear ? "unclear" : "clear again"));
    host(host).startsUnclear = unclear;
  }

  /** Whether a start there takes a minute or more: longer than its agent waits. */
  void startsSlow(String host, boolean slow) {
    world.log(
        "happens",
        "starts on host %s %s".formatted(host, slow ? "take a minute" : "are quick again"));
    host(host).startsSlow = slow;
  }

  /** Nothing keeps its watchdog open when its agent ends, as where no unit runs the agent. */
  void watchdogIsNotKept(String host) {
    world.log("happens", "the end of host " + host + "'s agent feeds its watchdog");
    host(host).keepsWatchdogOpen = false;
  }

  /** What the processes of its agent hand on to each other in /run is lost. */
  void runEmptied(String host) {
    world.log("happens", "/run of host " + host + " is emptied");
    host(host).run = null;
  }

  /** For so long the agent hears of what happens to guests only seconds later. */
  void libvirtIsLate(String host, Duration time) {
    world.log(
        "happens", "libvirt of host %s tells late for %d ms".formatted(host, time.toMillis()));
    host(host).lateUntil = world.clock.nanos() + time.toNanos();
  }

  /** Whether libvirt can end guests there: where it cannot, QEMU hangs in the kernel. */
  void destroysHang(String host, boolean hang) {
    world.log("happens", "guests %s be ended on host %s".formatted(hang ? "cannot" : "can", host));
    host(host).destroysHang = hang;
  }

  /** Whether a guest there can be paused: its requests to the storage come to an end. */
  void drains(String name, boolean end) {
    world.log("happens", "guests on host " + name + (end ? " can" : " cannot") + " be paused");
    host(name).drainsHang = !end;
  }

  /**
   * Another machine with this host's key says hello as that host for half a minute.
   *
   * @param sameUuid whether its machine tells the host's own UUID
   */
  void stranger(String host, boolean sameUuid) {
    world.log(
        "happens",
        "a stranger with the key of host %s says hello%s"
            .formatted(host, sameUuid ? " and tells its UUID" : ""));
    var uuid = sameUuid ? host(host).uuid() : "uuid-of-another-machine";
    new Stranger(world, host(host), Optional.of(uuid), ++strangers, 46).asks();
  }

  /** Somebody at the console: if nothing of a guest is there, they say that the host is off. */
  void lookAt(String name) {
    var id = new HostId(name);
    boolean empty =
        host(name).domains.values().stream().noneMatch(d -> d.state.active() || d.occupied());
    world.log("happens", "host %s is looked at: %s".formatted(name, empty ? "empty" : "in use"));
    if (empty) {
      world.person.asks(
          new Command.ConfirmDead(id, Command.ConfirmDead.sentence(id), Optional.empty()));
    }
  }

  private SimHost host(String name) {
    return world.host(new HostId(name));
  }
}
