package dev.haven.simulator;

import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Operation;
import dev.haven.model.DomainState;
import dev.haven.model.api.Command;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * What must be so once all faults are over: people tidy up, and then all that is wanted runs and
 * nothing else does.
 */
final class Aftermath {
  private final Simulation cluster;
  private final World world;

  Aftermath(Simulation cluster) {
    this.cluster = cluster;
    this.world = cluster.world;
  }

  /**
   * Ends all faults and lets people tidy up; then all that is wanted must run again.
   *
   * @return what is not so, one line each
   */
  List<String> endsWell(Duration within) {
    if (!world.violations.isEmpty()) {
      return cluster.violations();
    }
    cluster.heal();
    cluster.runFor(Duration.ofSeconds(90));
    cluster.command(new Command.Resume());
    for (var operation : cluster.state().operations()) {
      if (operation.running() && operation.kind() instanceof Operation.Kind.EvacuateHost) {
        cluster.command(new Command.CancelOperation(operation.id()));
      }
    }
    cluster.runFor(Duration.ofSeconds(5));
    for (var host : cluster.state().hosts()) {
      cluster.command(new Command.Uncordon(host.id()));
    }
    for (var guest : cluster.state().guests()) {
      if (guest.phase() instanceof GuestPhase.Failed) {
        cluster.command(new Command.StartGuest(guest.id()));
      }
    }
    doAsAlarmsSay();
    boolean settled =
        cluster.runUntil(within, () -> !world.violations.isEmpty() || unsettled().isEmpty());
    var wrong = new ArrayList<>(world.violations);
    if (!settled) {
      wrong.add("not settled %s after the last fault ended: %s".formatted(within, unsettled()));
    }
    for (var request : world.person.acknowledged) {
      if (cluster.state().answer(request).isEmpty()) {
        wrong.add("acknowledged and lost: " + request);
      }
    }
    return wrong;
  }

  /**
   * A host that beats though somebody said that it was off is switched off and on. An older copy is
   * destroyed by hand (a report that lingered for long may have raised that alarm), and what
   * failing or full storage has paused goes on.
   */
  private void doAsAlarmsSay() {
    for (var host : world.hosts.values()) {
      if (cluster.state().alarm("two-lives-" + host.id).isPresent()) {
        cluster.powerLoss(host.id.value());
        cluster.powerOn(host.id.value());
      }
      host.domains.forEach(
          (guest, domain) -> {
            var alarm = "two-copies-%s-on-%s".formatted(guest, host.id);
            if (domain.state == DomainState.PAUSED && cluster.state().alarm(alarm).isPresent()) {
              host.ends(guest, DomainState.OFF_DESTROYED);
            } else if ((domain.state == DomainState.PAUSED_IO_ERROR
                    && cluster.state().alarm("storage-" + guest).isPresent())
                || (domain.state == DomainState.PAUSED_NO_SPACE
                    && cluster.state().alarm("guest-" + guest).isPresent())) {
              domain.state = DomainState.RUNNING;
              world.executes(host, guest, domain, "resumed by hand");
              host.changed();
            }
          });
    }
  }

  /** What is not yet as it should be, one line each; empty once all has settled. */
  List<String> unsettled() {
    var left = new ArrayList<String>();
    if (world.leader().isEmpty()) {
      left.add("there is no leader");
    }
    for (var host : cluster.state().hosts()) {
      if (!host.online()) {
        left.add("host %s is %s".formatted(host.id(), host.state()));
      }
    }
    guests(left);
    for (var operation : cluster.state().operations()) {
      if (operation.state() == Operation.State.RUNNING) {
        left.add("%s goes on: %s".formatted(operation.id(), operation));
      }
    }
    if (world.person.waits()) {
      left.add("a command has no answer");
    }
    return left;
  }

  private void guests(List<String> left) {
    for (var guest : cluster.state().guests()) {
      switch (guest.phase()) {
        case GuestPhase.Running p -> {
          if (!world.runs(guest.id(), p.host())) {
            left.add("guest %s does not run on host %s".formatted(guest.id(), p.host()));
          }
          if (!guest.wanted()) {
            left.add("guest %s runs and is not wanted".formatted(guest.id()));
          }
        }
        case GuestPhase.Stopped _, GuestPhase.Failed _ -> {
          for (var host : world.hosts.keySet()) {
            if (world.runs(guest.id(), host)) {
              left.add("guest %s is off but runs on host %s".formatted(guest.id(), host));
            }
          }
        }
        case GuestPhase.Waiting _,
            GuestPhase.Starting _,
            GuestPhase.Stopping _,
            GuestPhase.Vacating _,
            GuestPhase.Migrating _ ->
            left.add("guest %s is %s".formatted(guest.id(), guest.phase()));
      }
    }
    for (var host : world.hosts.values()) {
      host.domains.forEach(
          (guest, domain) -> {
            if (domain.state.active()
                && cluster
                    .state()
                    .guest(guest)
                    .filter(g -> g.holders().containsKey(host.id))
                    .isEmpty()) {
              left.add("guest %s is left on host %s: %s".formatted(guest, host.id, domain.state));
            }
          });
    }
  }
}
