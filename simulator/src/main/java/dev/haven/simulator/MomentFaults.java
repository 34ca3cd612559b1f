package dev.haven.simulator;

import dev.haven.model.HostId;
import java.util.EnumMap;
import java.util.Map;

/** What goes wrong in the middle of things, when the cluster comes to a {@link Moment}. */
final class MomentFaults {
  private final Script script;
  private final Chance chance;

  /** How probable a fault is at each moment. */
  private final Map<Moment, Double> reacts = new EnumMap<>(Moment.class);

  MomentFaults(Script script) {
    this.script = script;
    this.chance = script.chance;
    switch (script.theme) {
      case ANYTHING, VOTERS -> {}
      case LEASES -> {
        reacts.put(Moment.BOUND_PROPOSED, 0.5);
        reacts.put(Moment.LEASE_ENDED, 0.1);
        reacts.put(Moment.START_SENT, 0.1);
        reacts.put(Moment.RESUME_SENT, 0.5);
        reacts.put(Moment.MIGRATION_ARRIVES, 0.1);
        reacts.put(Moment.MIGRATION_SWITCHES, 0.2);
        reacts.put(Moment.HELLO_SENT, 0.1);
      }
      case MIGRATION -> {
        reacts.put(Moment.MIGRATION_SENT, 0.2);
        reacts.put(Moment.MIGRATION_SWITCHES, 0.3);
        reacts.put(Moment.RESUME_SENT, 0.2);
      }
      case FENCING -> {
        reacts.put(Moment.POWER_CUT, 0.3);
        reacts.put(Moment.FENCING_PROPOSED, 0.1);
        reacts.put(Moment.PROOF_PROPOSED, 0.3);
        reacts.put(Moment.PROOF_LINGERS, 0.7);
        reacts.put(Moment.START_SENT, 0.2);
      }
    }
  }

  /** Says nothing now: the one that tells of the moment is still at it. */
  void comes(Moment moment, String machine) {
    if (script.isOver() || !chance.happens(reacts.getOrDefault(moment, 0.0))) {
      return;
    }
    var host = script.world().hosts.get(new HostId(machine));
    if (host == null || script.lies(host)) {
      return;
    }
    switch (moment) {
      case BOUND_PROPOSED -> script.later(1, 1_500, "reconnect " + machine);
      case LEASE_ENDED -> {
        switch (chance.below(3)) {
          case 0 -> script.later(1, 15_000, "reconnect " + machine);
          case 1 -> script.later(1, 3_000, "agent-dies " + machine + script.between(200, 8_000));
          default -> script.libvirtAway(machine, 30_000);
        }
      }
      case HELLO_SENT -> script.later(0, 3, "stall-in " + machine + script.between(1_000, 15_000));
      case MIGRATION_ARRIVES -> alone(machine);
      case START_SENT, RESUME_SENT -> ordered(host, machine);
      case MIGRATION_SENT, MIGRATION_SWITCHES -> migrating(machine);
      case POWER_CUT -> script.later(5, 900, "power-on " + machine);
      case PROOF_LINGERS -> { // it is back, and lost again, when the word about its last boot comes
        script.later(5, 300, "power-on " + machine);
        script.later(8_000, 12_000, "device " + machine + " hangs");
        script.later(12_000, 14_000, "cut-off " + machine);
        script.back(machine, 45_000, 80_000);
      }
      case FENCING_PROPOSED ->
          script.later(0, 500, chance.happens(0.5) ? "reconnect " + machine : "elect");
      case PROOF_PROPOSED ->
          script.later(0, 500, chance.happens(0.6) ? "power-on " + machine : "elect");
      case ELECTED -> {}
    }
  }

  /** Nobody reaches it from a moment ago on, for longer than its bound. */
  private void alone(String machine) {
    if (script.world().voterOn(script.world().host(new HostId(machine)).machine).isEmpty()
        || chance.happens(0.2)) {
      script.later(0, 30, "device " + machine + " hangs");
      script.later(0, 30, "cut-off " + machine);
      script.back(machine, 60_000, 120_000);
    }
  }

  /** Orders wait in an agent that stands still, while somebody finds its host empty. */
  private void believedDead(String machine) {
    script.later(0, 1, "agent-stops " + machine);
    script.later(0, 200, "device " + machine + " hangs");
    script.later(0, 200, "cut-off " + machine);
    script.later(3_000, 9_000, "look-at " + machine);
    script.later(9_000, 17_000, "agent-goes-on " + machine);
    script.later(22_000, 30_000, "look-at " + machine);
    script.later(40_000, 40_000, "power-loss " + machine);
    script.later(41_000, 41_000, "reconnect " + machine);
    script.later(41_000, 41_000, "device " + machine + " works");
    script.later(41_000, 41_000, "power-on " + machine);
  }

  /** A start or the end of a pause is on its way to a host. */
  private void ordered(SimHost host, String machine) {
    if (script.theme == Theme.FENCING && chance.happens(0.5)) {
      believedDead(machine);
      return;
    }
    if (script.theme == Theme.LEASES && script.world().voterOn(host.machine).isPresent()) {
      return; // without a leader no bound runs out
    }
    script.later(0, 300, "device " + machine + " hangs");
    script.later(0, 300, "cut-off " + machine);
    script.back(machine, 60_000, 120_000);
  }

  private void migrating(String machine) {
    if (script.theme == Theme.LEASES) {
      alone(machine);
      return;
    }
    switch (chance.below(4)) {
      case 0 -> script.libvirtAway(machine, 10_000);
      case 1 -> {
        script.later(0, 2_000, "cut-off " + machine);
        script.later(2_500, 20_000, "reconnect " + machine);
      }
      case 2 -> script.later(0, 2_000, "agent-dies " + machine + script.between(200, 3_000));
      default -> script.later(0, 2_000, "elect");
    }
  }
}
