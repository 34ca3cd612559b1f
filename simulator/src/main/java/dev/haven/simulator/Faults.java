package dev.haven.simulator;

import dev.haven.core.ha.GuestPhase;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * One cluster, and what goes wrong in it: sentences of a {@link Story}, drawn from a seed. Some are
 * drawn in the middle of things, when the cluster comes to a {@link Moment}.
 */
final class Faults {
  private final Theme theme;
  private final Chance chance;
  private final Script script;
  private final DrawnCommands people;
  private final List<Draw> draws = new ArrayList<>();
  private int weights;

  private record Draw(int weight, Runnable fault) {}

  private interface OfHost {
    void happens(SimHost host);
  }

  /**
   * @param theme drawn from the seed if empty
   */
  Faults(long seed, Optional<Theme> theme) {
    long mixed = seed * 0x9E3779B97F4A7C15L;
    chance = new Chance(mixed);
    this.theme =
        theme.orElse(
            Theme.values()[(int) Long.remainderUnsigned(mixed >>> 9, Theme.values().length)]);
    script = new Script(this.theme, chance);
    int least = this.theme == Theme.LEASES ? 4 : 2;
    int hosts = least + (int) Long.remainderUnsigned(mixed >>> 7, 7 - least);
    var names = new StringBuilder();
    for (int i = 0; i < hosts; i++) {
      names.append(' ').append((char) ('a' + i));
    }
    script.begin("seed " + seed);
    script.begin(kind() + names);
    // in one cluster of three, two or three guests must stay together
    boolean grouped = Long.remainderUnsigned(mixed >>> 13, 3) == 0;
    people = new DrawnCommands(script, grouped);
    int together = 2 + (int) Long.remainderUnsigned(mixed >>> 15, 2);
    int more = (int) Long.remainderUnsigned(mixed >>> 17, 4);
    if (grouped && (mixed >>> 19 & 1) == 0) {
      script.begin("policy broken-rules mend");
    }
    for (int i = 0; i < hosts * 2; i++) {
      script.begin(people.create() + (grouped ? rules(i, together, more, hosts) : ""));
    }
    if (this.theme == Theme.LEASES && chance.happens(0.3)) {
      script.begin("page-cache guest-" + (people.guests() - 1));
      script.begin("page-cache guest-" + people.guests());
    }
    if (Long.remainderUnsigned(mixed >>> 21, 3) == 0) {
      script.begin("watchdog-not-kept " + (char) ('a' + hosts - 1));
    }
    if (this.theme == Theme.FENCING && chance.happens(0.3)) {
      for (int i = 0; i < hosts; i++) {
        script.begin("second-supply " + (char) ('a' + i) + " works");
      }
    }
    script.begin("until-settled 120s");
    weigh();
  }

  /**
   * Labels and rules of a guest.
   *
   * @param together how many stay together
   * @param more which rules there are besides
   */
  private static String rules(int guest, int together, int more, int hosts) {
    if (guest < together) {
      boolean last = guest == together - 1;
      return " app=shop together:app=shop"
          + (last && more == 1 ? " part=back" : "")
          + (last && more == 2 && hosts > 2 ? " on:a,b,c" : "");
    }
    return switch (guest - together) {
      case 0 ->
          switch (more) {
            case 1 -> " together:part=back"; // a chain
            case 2 -> hosts > 2 ? " apart:app=shop" : "";
            case 3 -> " prefer-follows:guest-1"; // a strict one may fit nowhere in the end
            default -> "";
          };
      case 1 -> more == 2 && hosts > 3 ? " apart:app=shop off:a" : "";
      default -> "";
    };
  }

  private String kind() {
    boolean leases = theme == Theme.LEASES;
    if (leases || theme == Theme.VOTERS ? chance.happens(0.9) : chance.happens(0.6)) {
      return leases && chance.happens(0.2)
          ? chance.happens(0.5) ? "hosts-with-untested-watchdog" : "hosts-with-softdog"
          : chance.happens(leases ? 0.5 : 0.1)
              ? "hosts-with-watchdog-alone"
              : "hosts-with-watchdog";
    }
    return "hosts";
  }

  private void weigh() {
    var hosts = new HostFaults(script);
    var guests = new GuestFaults(script);
    var devices = new DeviceFaults(script);
    var leases = new LeaseFaults(script);
    var voters = new VoterFaults(script);
    var storage = new StorageFaults(script);
    // anything, leases, migration, fencing, voters
    draw(hosts::powerLoss, 2, 1, 2, 4, 1);
    draw(hosts::hang, 2, 0, 2, 2, 1);
    draw(hosts::cutOff, 2, 0, 2, 2, 1);
    draw(hosts::cutOne, 1, 0, 2, 1, 1);
    draw(hosts::oneWay, 1, 1, 1, 1, 1);
    draw(leases::isolated, 1, 14, 1, 2, 2);
    draw(hosts::cordPulled, 1, 2, 1, 3, 1);
    draw(hosts::agentDies, 2, 1, 3, 1, 1);
    draw(hosts::agentStops, 2, 0, 1, 1, 1);
    draw(hosts::libvirt, 2, 1, 5, 1, 0);
    draw(devices::device, 2, 0, 1, 6, 1);
    draw(guests::startsFail, 1, 0, 1, 0, 0);
    draw(guests::startsUnclear, 1, 0, 1, 0, 0);
    draw(storage::startsSlow, 1, 0, 1, 0, 0);
    draw(storage::hungIo, 1, 2, 1, 1, 0);
    draw(storage::full, 1, 1, 0, 0, 0);
    draw(hosts::runEmptied, 1, 1, 0, 0, 0);
    draw(hosts::libvirtIsLate, 1, 1, 1, 1, 0);
    draw(leases::qemuLost, 1, 2, 1, 0, 0);
    draw(guests::destroysHang, 1, 0, 1, 1, 0);
    draw(hosts::planned, 1, 1, 1, 1, 1);
    draw(hosts::rebooted, 1, 1, 1, 3, 1);
    draw(_ -> voters.partition(), 1, 0, 1, 1, 4);
    draw(_ -> voters.beatsLost(), 1, 0, 1, 1, 1);
    draw(_ -> voters.voterDies(), 1, 1, 1, 1, 4);
    draw(_ -> voters.voterStops(), 1, 0, 1, 1, 4);
    draw(_ -> script.say("elect"), 1, 1, 2, 1, 4);
    draw(_ -> guests.guestFails(), 1, 0, 2, 1, 1);
    draw(_ -> voters.votersDie(), 1, 0, 1, 1, 2);
    draw(_ -> voters.portByPort(), 1, 0, 1, 1, 1);
    draw(_ -> voters.staleLeader(), 1, 6, 1, 1, 5);
    draw(_ -> voters.clockJumps(), 1, 0, 1, 1, 2);
    draw(_ -> leases.paused(), 0, 4, 0, 1, 0);
    draw(leases::watchdogTested, 0, 1, 0, 0, 0);
    draw(leases::frozen, 0, 2, 0, 0, 0);
    draw(_ -> leases.overtaken(), 0, 2, 0, 0, 0);
    draw(leases::returnsBusy, 0, 4, 0, 0, 0);
    draw(devices::refuses, 1, 0, 0, 3, 0);
    draw(hosts::flaps, 1, 1, 1, 3, 2);
    draw(hosts::stalls, 1, 3, 2, 1, 1);
    draw(_ -> voters.disksFull(), 1, 1, 1, 1, 2);
    draw(hosts::diskFails, 1, 1, 2, 1, 1);
    draw(_ -> guests.restarted(), 2, 0, 2, 1, 3);
    draw(hosts::stranger, 1, 1, 1, 2, 1);
    draw(_ -> {}, 1, 0, 1, 1, 1);
  }

  /** What was said, so that it can be told again. */
  List<Script.Said> said() {
    return script.said();
  }

  Simulation simulation() {
    return script.simulation();
  }

  private void draw(OfHost fault, int... weight) {
    int mine = weight[theme.ordinal()];
    weights += mine;
    draws.add(new Draw(mine, () -> fault.happens(aHost())));
  }

  /**
   * Injects so many faults, and ends them all.
   *
   * @return what must always hold and did not, and what does not run although it is wanted
   */
  List<String> play(int faults) {
    script.say("chaos " + theme.name().toLowerCase(Locale.ROOT));
    script.world().watcher = new MomentFaults(script)::comes;
    for (int i = 0; i < faults && script.world().violations.isEmpty(); i++) {
      fault();
      script.simulation().runFor(pause());
    }
    return script.end();
  }

  /** Often the next one comes while this one is being dealt with. */
  private Duration pause() {
    return theme == Theme.LEASES
        ? chance.happens(0.25) ? script.millis(0, 1_500) : script.millis(5_000, 60_000)
        : chance.happens(0.5) ? script.millis(0, 1_500) : script.millis(0, 15_000);
  }

  private void fault() {
    int left = chance.below(weights);
    for (var draw : draws) {
      left -= draw.weight();
      if (left < 0) {
        draw.fault().run();
        break;
      }
    }
    if (chance.happens(0.6)) { // people work meanwhile
      people.command(chance.oneOf(script.hosts()));
    }
  }

  private SimHost aHost() {
    var host = chance.oneOf(script.hosts());
    return chance.happens(theme == Theme.MIGRATION ? 0.7 : 0.3) ? inTheMiddle(host) : host;
  }

  /** Begins something, and names a host that takes part in it: the fault comes in its middle. */
  private SimHost inTheMiddle(SimHost otherwise) {
    var running =
        script.simulation().state().guests().stream()
            .filter(
                g ->
                    g.phase() instanceof GuestPhase.Running && !script.world().person.waits(g.id()))
            .toList();
    if (running.isEmpty()) {
      return otherwise;
    }
    var guest = chance.oneOf(running);
    switch (chance.below(6)) {
      case 0 -> {
        guest.host().ifPresent(h -> script.say("agent-dies " + h + script.between(100, 2_000)));
        script.say("guest-becomes " + guest.id() + " off-crashed");
      }
      case 1 -> script.say("stop " + guest.id() + " 2s");
      case 2 -> guest.host().ifPresent(h -> script.say("evacuate " + h));
      default -> script.say("migrate " + guest.id());
    }
    script.simulation().runFor(script.millis(1, chance.happens(0.5) ? 100 : 4_000));
    if (chance.happens(0.3)) {
      return script
          .world()
          .leader()
          .map(l -> l.machine.name)
          .map(HostId::new)
          .map(script.world().hosts::get)
          .orElse(otherwise);
    }
    if (script.simulation().state().guest(guest.id()).map(g -> g.phase()).orElse(guest.phase())
        instanceof GuestPhase.Migrating m) {
      return script.world().host(chance.happens(0.5) ? m.source() : m.target());
    }
    return guest.host().map(script.world()::host).orElse(otherwise);
  }
}
