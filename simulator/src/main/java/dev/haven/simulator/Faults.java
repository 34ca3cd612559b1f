package dev.haven.simulator;

import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.Operation;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * One cluster, and what goes wrong in it: sentences of a {@link Story}, drawn from a seed. Some are
 * drawn in the middle of things, when the cluster comes to a {@link Moment}.
 */
final class Faults {
  static final String ENDS_WELL = "all-ends-well 360s";
  private static final int GUESTS = 30;

  /** Sentences after which somebody may hear nobody. */
  private static final Set<String> CUTS =
      Set.of("cut-off", "cut", "side", "deaf", "mute", "network-lost", "hang");

  private final Theme theme;
  private final Chance chance;
  private final Story story = new Story();
  private final List<Said> said = new ArrayList<>();
  private final List<Draw> draws = new ArrayList<>();
  private final Map<Moment, Double> reacts = new EnumMap<>(Moment.class);
  private boolean over;
  private int weights;
  private int guests;

  /**
   * @param at since the beginning, in nanoseconds; negative before anything happens
   */
  record Said(long at, String sentence) {}

  private final boolean grouped;

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
    int least = this.theme == Theme.LEASES ? 4 : 2;
    int hosts = least + (int) Long.remainderUnsigned(mixed >>> 7, 7 - least);
    var names = new StringBuilder();
    for (int i = 0; i < hosts; i++) {
      names.append(' ').append((char) ('a' + i));
    }
    begin("seed " + seed);
    begin(kind() + names);
    // in one cluster of three, two or three guests must stay together
    grouped = Long.remainderUnsigned(mixed >>> 13, 3) == 0;
    int together = 2 + (int) Long.remainderUnsigned(mixed >>> 15, 2);
    int more = (int) Long.remainderUnsigned(mixed >>> 17, 4);
    if (grouped && (mixed >>> 19 & 1) == 0) {
      begin("policy broken-rules mend");
    }
    for (int i = 0; i < hosts * 2; i++) {
      begin(create() + (grouped ? rules(i, together, more, hosts) : ""));
    }
    if (this.theme == Theme.LEASES && chance.happens(0.3)) {
      begin("page-cache guest-" + (guests - 1));
      begin("page-cache guest-" + guests);
    }
    if (this.theme == Theme.FENCING && chance.happens(0.3)) {
      for (int i = 0; i < hosts; i++) {
        begin("second-supply " + (char) ('a' + i) + " works");
      }
    }
    begin("until-settled 120s");
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
    // anything, leases, migration, fencing, voters
    draw(this::powerLoss, 2, 1, 2, 4, 1);
    draw(this::hang, 2, 0, 2, 2, 1);
    draw(this::cutOff, 2, 0, 2, 2, 1);
    draw(this::cutOne, 1, 0, 2, 1, 1);
    draw(this::oneWay, 1, 1, 1, 1, 1);
    draw(this::isolated, 1, 14, 1, 2, 2);
    draw(this::cordPulled, 1, 2, 1, 3, 1);
    draw(this::agentDies, 2, 1, 3, 1, 1);
    draw(this::agentStops, 2, 0, 1, 1, 1);
    draw(this::libvirt, 2, 1, 5, 1, 0);
    draw(this::device, 2, 0, 1, 6, 1);
    draw(this::startsFail, 1, 0, 1, 0, 0);
    draw(this::startsUnclear, 1, 0, 1, 0, 0);
    draw(this::destroysHang, 1, 0, 1, 1, 0);
    draw(this::planned, 1, 1, 1, 1, 1);
    draw(this::rebooted, 1, 1, 1, 3, 1);
    draw(_ -> partition(), 1, 0, 1, 1, 4);
    draw(_ -> beatsLost(), 1, 0, 1, 1, 1);
    draw(_ -> voterDies(), 1, 1, 1, 1, 4);
    draw(_ -> voterStops(), 1, 0, 1, 1, 4);
    draw(_ -> say("elect"), 1, 1, 2, 1, 4);
    draw(_ -> guestFails(), 1, 0, 2, 1, 1);
    draw(_ -> votersDie(), 1, 0, 1, 1, 2);
    draw(_ -> portByPort(), 1, 0, 1, 1, 1);
    draw(_ -> staleLeader(), 1, 6, 1, 1, 5);
    draw(_ -> clockJumps(), 1, 0, 1, 1, 2);
    draw(_ -> paused(), 0, 4, 0, 1, 0);
    draw(this::watchdogTested, 0, 1, 0, 0, 0);
    draw(this::frozen, 0, 2, 0, 0, 0);
    draw(_ -> overtaken(), 0, 2, 0, 0, 0);
    draw(this::returnsBusy, 0, 4, 0, 0, 0);
    draw(this::refuses, 1, 0, 0, 3, 0);
    draw(this::flaps, 1, 1, 1, 3, 2);
    draw(this::stalls, 1, 3, 2, 1, 1);
    draw(_ -> disksFull(), 1, 1, 1, 1, 2);
    draw(this::diskFails, 1, 1, 2, 1, 1);
    draw(_ -> restarted(), 2, 0, 2, 1, 3);
    draw(this::stranger, 1, 1, 1, 2, 1);
    draw(_ -> {}, 1, 0, 1, 1, 1);
    switch (theme) {
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

  private void draw(OfHost fault, int... weight) {
    int mine = weight[theme.ordinal()];
    weights += mine;
    draws.add(new Draw(mine, () -> fault.happens(aHost())));
  }

  /** What was said, so that it can be told again. */
  List<Said> said() {
    return said;
  }

  Simulation simulation() {
    return story.cluster();
  }

  private World world() {
    return simulation().world;
  }

  private void begin(String sentence) {
    said.add(new Said(-1, sentence));
    story.happens(sentence);
  }

  private void say(String sentence) {
    if (over) {
      return;
    }
    // a device that lies about a host that nobody hears is outside the promise
    if (anyLies() && CUTS.contains(sentence.split(" ")[0])) {
      return;
    }
    said.add(new Said(world().clock.nanos(), sentence));
    story.happens(sentence);
  }

  private void later(double leastMillis, double mostMillis, String sentence) {
    world().clock.afterMillis(chance.between(leastMillis, mostMillis), () -> say(sentence));
  }

  /**
   * Injects so many faults, and ends them all.
   *
   * @return what must always hold and did not, and what does not run although it is wanted
   */
  List<String> play(int faults) {
    say("chaos " + theme.name().toLowerCase(Locale.ROOT));
    world().watcher = this::moment;
    for (int i = 0; i < faults && world().violations.isEmpty(); i++) {
      fault();
      simulation().runFor(pause());
    }
    over = true;
    return end(story, said, world());
  }

  /** Often the next one comes while this one is being dealt with. */
  private Duration pause() {
    return theme == Theme.LEASES
        ? chance.happens(0.25) ? millis(0, 1_500) : millis(5_000, 60_000)
        : chance.happens(0.5) ? millis(0, 1_500) : millis(0, 15_000);
  }

  /** Ends all faults; the last sentence. */
  private static List<String> end(Story story, List<Said> said, World world) {
    if (world.violations.isEmpty()) {
      said.add(new Said(world.clock.nanos(), ENDS_WELL));
      try {
        story.happens(ENDS_WELL);
      } catch (AssertionError e) {
        return List.of(String.valueOf(e.getMessage()));
      }
    }
    return List.copyOf(world.violations);
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
      command(chance.oneOf(hosts()));
    }
  }

  private List<SimHost> hosts() {
    return List.copyOf(world().hosts.values());
  }

  private SimHost aHost() {
    var host = chance.oneOf(hosts());
    return chance.happens(theme == Theme.MIGRATION ? 0.7 : 0.3) ? inTheMiddle(host) : host;
  }

  /** Begins something, and names a host that takes part in it: the fault comes in its middle. */
  private SimHost inTheMiddle(SimHost otherwise) {
    var running =
        simulation().state().guests().stream()
            .filter(g -> g.phase() instanceof GuestPhase.Running && !world().person.waits(g.id()))
            .toList();
    if (running.isEmpty()) {
      return otherwise;
    }
    var guest = chance.oneOf(running);
    switch (chance.below(6)) {
      case 0 -> {
        guest.host().ifPresent(h -> say("agent-dies " + h + between(100, 2_000)));
        say("guest-becomes " + guest.id() + " off-crashed");
      }
      case 1 -> say("stop " + guest.id() + " 2s");
      case 2 -> guest.host().ifPresent(h -> say("evacuate " + h));
      default -> say("migrate " + guest.id());
    }
    simulation().runFor(millis(1, chance.happens(0.5) ? 100 : 4_000));
    if (chance.happens(0.3)) {
      return world()
          .leader()
          .map(l -> l.machine.name)
          .map(HostId::new)
          .map(world().hosts::get)
          .orElse(otherwise);
    }
    if (simulation().state().guest(guest.id()).map(g -> g.phase()).orElse(guest.phase())
        instanceof GuestPhase.Migrating m) {
      return world().host(chance.happens(0.5) ? m.source() : m.target());
    }
    return guest.host().map(world()::host).orElse(otherwise);
  }

  // in the middle of things

  /** Says nothing now: whoever tells of the moment is still at it. */
  private void moment(Moment moment, String machine) {
    if (over || !chance.happens(reacts.getOrDefault(moment, 0.0))) {
      return;
    }
    var host = world().hosts.get(new HostId(machine));
    if (host == null || lies(host)) {
      return;
    }
    switch (moment) {
      case BOUND_PROPOSED -> later(1, 1_500, "reconnect " + machine);
      case LEASE_ENDED -> {
        switch (chance.below(3)) {
          case 0 -> later(1, 15_000, "reconnect " + machine);
          case 1 -> later(1, 3_000, "agent-dies " + machine + between(200, 8_000));
          default -> libvirtAway(machine, 30_000);
        }
      }
      case HELLO_SENT -> later(0, 3, "stall-in " + machine + between(1_000, 15_000));
      case MIGRATION_ARRIVES -> alone(machine);
      case START_SENT, RESUME_SENT -> {
        if (theme == Theme.FENCING && chance.happens(0.5)) {
          believedDead(machine);
          return;
        }
        if (theme == Theme.LEASES && world().voterOn(host.machine).isPresent()) {
          return; // without a leader no bound runs out
        }
        later(0, 300, "device " + machine + " hangs");
        later(0, 300, "cut-off " + machine);
        back(machine, 60_000, 120_000);
      }
      case MIGRATION_SENT, MIGRATION_SWITCHES -> {
        if (theme == Theme.LEASES) {
          alone(machine);
          return;
        }
        switch (chance.below(4)) {
          case 0 -> libvirtAway(machine, 10_000);
          case 1 -> {
            later(0, 2_000, "cut-off " + machine);
            later(2_500, 20_000, "reconnect " + machine);
          }
          case 2 -> later(0, 2_000, "agent-dies " + machine + between(200, 3_000));
          default -> {
            later(0, 2_000, "elect");
          }
        }
      }
      case POWER_CUT -> later(5, 900, "power-on " + machine);
      case PROOF_LINGERS -> { // it is back, and lost again, when the word about its last boot comes
        later(5, 300, "power-on " + machine);
        later(8_000, 12_000, "device " + machine + " hangs");
        later(12_000, 14_000, "cut-off " + machine);
        back(machine, 45_000, 80_000);
      }
      case FENCING_PROPOSED ->
          later(0, 500, chance.happens(0.5) ? "reconnect " + machine : "elect");
      case PROOF_PROPOSED -> later(0, 500, chance.happens(0.6) ? "power-on " + machine : "elect");
      case ELECTED -> {}
    }
  }

  /** Nobody reaches it from a moment ago on, for longer than its bound. */
  private void alone(String machine) {
    if (world().voterOn(world().host(new HostId(machine)).machine).isEmpty()
        || chance.happens(0.2)) {
      later(0, 30, "device " + machine + " hangs");
      later(0, 30, "cut-off " + machine);
      back(machine, 60_000, 120_000);
    }
  }

  /** Orders wait in an agent that stands still, while somebody finds its host empty. */
  private void believedDead(String machine) {
    later(0, 1, "agent-stops " + machine);
    later(0, 200, "device " + machine + " hangs");
    later(0, 200, "cut-off " + machine);
    later(3_000, 9_000, "look-at " + machine);
    later(9_000, 17_000, "agent-goes-on " + machine);
    later(22_000, 30_000, "look-at " + machine);
    later(40_000, 40_000, "power-loss " + machine);
    later(41_000, 41_000, "reconnect " + machine);
    later(41_000, 41_000, "device " + machine + " works");
    later(41_000, 41_000, "power-on " + machine);
  }

  // what goes wrong

  /** What it says of its leases lingers during a pause, of whose end it does not hear. */
  private void overtaken() {
    var able = hosts().stream().filter(h -> world().voterOn(h.machine).isEmpty()).toList();
    var host = chance.oneOf(able.isEmpty() ? hosts() : able);
    if (lies(host)) {
      return;
    }
    var name = host.id.value();
    say("stall-out " + name + between(30_000, 60_000));
    later(0, 100, "elect"); // all agents are told anew, and say what they do
    later(3_000, 4_000, "stall-out " + name + " 0ms");
    later(4_000, 5_000, "pause 60s");
    later(6_000, 8_000, "device " + name + " hangs");
    later(6_000, 8_000, "cut-off " + name);
    later(9_000, 12_000, "resume");
    back(name, 90_000, 120_000);
  }

  /** Its kernel hangs for longer than its bound, and its device is gone. */
  private void frozen(SimHost host) {
    if (!lies(host)) {
      say("device " + host.id + " hangs");
      say("hang " + host.id);
      later(60_000, 120_000, "unhang " + host.id);
      back(host.id.value(), 60_000, 120_000);
    }
  }

  /** It is taken for dead, comes back without libvirt, and is soon the one that is needed. */
  private void returnsBusy(SimHost otherwise) {
    var able = hosts().stream().filter(h -> world().voterOn(h.machine).isEmpty()).toList();
    var host = able.isEmpty() ? otherwise : chance.oneOf(able);
    var other = chance.oneOf(hosts());
    if (lies(host) || lies(other) || host == other) {
      return;
    }
    var name = host.id.value();
    say("device " + name + " hangs");
    say("cut-off " + name);
    double back = chance.between(50_000, 70_000);
    later(back - 5_000, back, "libvirt-down " + name);
    later(back, back, "reconnect " + name);
    later(back, back, "device " + name + " works");
    later(back, back, "power-on " + name);
    later(back + 300, back + 4_000, "power-loss " + other.id);
    later(back + 2_500, back + 12_000, "libvirt-up " + name);
    later(back + 20_000, back + 60_000, "power-on " + other.id);
  }

  /** Cut off, with a device that says how the power is and does not switch it. */
  private void refuses(SimHost host) {
    if (!lies(host)) {
      var name = host.id.value();
      if (host.secondDevice == null) {
        say("device " + name + " refuses");
      } else {
        say("second-supply " + name + " refuses");
        later(10_000, 40_000, "second-supply " + name + " works");
      }
      say("cut-off " + name);
      back(name, 10_000, 40_000);
    }
  }

  /** It boots again before anybody has dealt with its last boot. */
  private void flaps(SimHost host) {
    if (!lies(host)) {
      var name = host.id.value();
      say("power-loss " + name);
      later(10, 500, "power-on " + name);
      later(1_500, 7_000, "power-loss " + name);
      later(7_000, 7_500, "power-on " + name);
    }
  }

  /** A connection that lives and brings nothing for a while, in one direction. */
  private void stalls(SimHost host) {
    say((chance.happens(0.5) ? "stall-in " : "stall-out ") + host.id + between(1_000, 60_000));
  }

  private void disksFull() {
    say("disks-full");
    later(1_000, 60_000, "disks-have-room");
  }

  /** Often its agent dies too: the next one reads what stands there. */
  private void diskFails(SimHost host) {
    say("agents-disk-fails " + host.id);
    if (chance.happens(0.5)) {
      later(100, 20_000, "agent-dies " + host.id + between(100, 2_000));
    }
    later(1_000, 60_000, "agents-disk-works " + host.id);
  }

  private void unlessAsked(GuestId guest, double afterMillis, String sentence) {
    world()
        .clock
        .afterMillis(
            afterMillis,
            () -> {
              if (!world().person.waits(guest)) {
                say(sentence);
              }
            });
  }

  /** By its owner. */
  private void restarted() {
    var running =
        simulation().state().guests().stream()
            .filter(g -> g.phase() instanceof GuestPhase.Running && !world().person.waits(g.id()))
            .toList();
    if (!running.isEmpty()) {
      var guest = chance.oneOf(running).id();
      say("stop " + guest + " " + chance.below(4) + "s");
      double start = chance.between(2_000, 12_000);
      unlessAsked(guest, start, "start " + guest);
      if (chance.happens(0.5)) { // and thinks better of it
        unlessAsked(guest, start + chance.between(1_000, 6_000), "stop " + guest + " 0s");
      }
    }
  }

  private void powerLoss(SimHost host) {
    if (world().hosts.values().stream().filter(h -> h.machine.power).count() > 1 && !lies(host)) {
      say("power-loss " + host.id);
      if (chance.happens(0.3)) {
        say("device " + host.id + " hangs");
      }
      back(host.id.value(), 5_000, 60_000);
    }
  }

  private void hang(SimHost host) {
    if (!lies(host)) {
      say("hang " + host.id);
      later(500, 60_000, "unhang " + host.id);
    }
  }

  private void cutOff(SimHost host) {
    if (!lies(host)) {
      say("cut-off " + host.id);
      later(200, 60_000, "reconnect " + host.id);
    }
  }

  private void cutOne(SimHost host) {
    say("cut " + host.id + (chance.happens(0.5) ? " control" : " migration"));
    later(200, 60_000, "reconnect " + host.id);
  }

  private void oneWay(SimHost host) {
    if (!lies(host)) {
      say((chance.happens(0.5) ? "deaf " : "mute ") + host.id);
      later(500, 60_000, "reconnect " + host.id);
    }
  }

  /** Nobody reaches it and its device is gone too, for longer than its bound; it lives on. */
  private void isolated(SimHost otherwise) {
    // without a leader no bound runs out
    var led = hosts().stream().filter(h -> world().voterOn(h.machine).isEmpty()).toList();
    var host = led.isEmpty() || chance.happens(0.2) ? otherwise : chance.oneOf(led);
    if (lies(host)) {
      return;
    }
    var name = host.id.value();
    say("device " + name + " hangs");
    say("cut-off " + name);
    switch (chance.below(6)) {
      case 0 -> libvirtAway(name, 60_000);
      case 1 -> later(0, 40_000, "agent-dies " + name + between(200, 8_000));
      case 2 -> {
        later(0, 30_000, "agent-stops " + name);
        later(30_000, 60_000, "agent-goes-on " + name);
      }
      case 3 -> {
        later(0, 20_000, "libvirt-down " + name);
        later(45_000, 90_000, "libvirt-up " + name);
        later(0, 30_000, "agent-dies " + name + between(200, 3_000));
      }
      case 4 -> later(5_000, 60_000, "elect");
      default -> {}
    }
    back(name, 40_000, 150_000);
  }

  /** The power cord of a host whose device dies with it. */
  private void cordPulled(SimHost host) {
    if (!lies(host)) {
      say("device " + host.id + " hangs");
      say("power-loss " + host.id);
      back(host.id.value(), 20_000, 120_000);
    }
  }

  private void back(String name, int leastMillis, int mostMillis) {
    var at = chance.between(leastMillis, mostMillis);
    later(at, at, "reconnect " + name);
    later(at, at, "device " + name + " works");
    later(at, at, "power-on " + name);
  }

  private void rebooted(SimHost host) {
    if (!lies(host)) {
      say("power-loss " + host.id);
      later(10, 1_500, "power-on " + host.id);
    }
  }

  private void agentDies(SimHost host) {
    say("agent-dies " + host.id + between(200, chance.happens(0.8) ? 3_000 : 20_000));
  }

  /** Its key was stolen, or its disk cloned. */
  private void stranger(SimHost host) {
    say((chance.happens(0.7) ? "stranger " : "clone ") + host.id);
  }

  private void agentStops(SimHost host) {
    say("agent-stops " + host.id);
    later(200, 45_000, "agent-goes-on " + host.id);
  }

  private void libvirt(SimHost host) {
    say("libvirt-down " + host.id);
    later(200, 15_000, "libvirt-up " + host.id);
  }

  private void libvirtAway(String name, int mostMillis) {
    later(0, mostMillis / 2.0, "libvirt-down " + name);
    later(mostMillis / 2.0, mostMillis, "libvirt-up " + name);
  }

  private void device(SimHost host) {
    var name = host.id.value();
    switch (chance.below(10)) {
      case 0 -> say("device " + name + " hangs");
      case 6 -> { // as a BMC whose host runs on, or which comes back together with it
        say("device " + name + " forgets");
        lost(host);
      }
      case 7 -> {
        say("device " + name + " stale");
        lost(host);
      }
      case 8 -> { // somebody has to unplug it first
        say("device " + name + " hangs");
        later(185_000, 190_000, "device " + name + " wrong-host");
        if (chance.happens(0.5)) {
          later(190_000, 200_000, "power-loss " + name);
          later(205_000, 260_000, "power-on " + name);
        }
        later(210_000, 260_000, "device " + name + " works");
        return;
      }
      case 9 -> {
        say("device " + name + " dies");
        lost(host);
      }
      case 1 -> say("device " + name + " refuses");
      case 2 -> say("device " + name + " slow");
      case 3 -> { // and somebody switches the host on
        say("device " + name + " nameless");
        say("power-loss " + name);
        later(1_000, 90_000, "power-on " + name);
      }
      case 4 -> {
        say("device " + name + " asks-first");
        if (chance.happens(0.5)) {
          say("power-loss " + name);
          later(5_000, 90_000, "power-on " + name);
        }
      }
      default -> {
        boolean heard =
            host.machine.alive()
                && world().machines.stream().allMatch(m -> !m.hung && m.connected());
        say("device " + name + (heard ? " lies" : " hangs"));
        if (heard && chance.happens(0.7)) {
          say("fence " + name);
        }
      }
    }
    later(5_000, 40_000, "device " + name + " works");
  }

  /** Somebody has to prove it off. */
  private void lost(SimHost host) {
    var name = host.id.value();
    switch (chance.below(4)) {
      case 0 -> say("fence " + name);
      case 1 -> {
        say("power-loss " + name);
        later(5_000, 60_000, "power-on " + name);
      }
      case 2 -> {
        say("power-loss " + name);
        later(100, 5_000, "power-on " + name);
        later(2_000, 20_000, "cut-off " + name);
        later(20_000, 60_000, "reconnect " + name);
      }
      default -> {
        say("cut-off " + name);
        later(10_000, 60_000, "reconnect " + name);
      }
    }
  }

  private boolean lies(SimHost host) {
    return host.device.mode() == DeviceMode.LIES;
  }

  private boolean anyLies() {
    return world().hosts.values().stream().anyMatch(this::lies);
  }

  private void startsFail(SimHost host) {
    say("starts-fail " + host.id);
    later(1_000, 15_000, "starts-work " + host.id);
  }

  private void startsUnclear(SimHost host) {
    say("starts-unclear " + host.id);
    later(1_000, 15_000, "starts-clear " + host.id);
  }

  private void destroysHang(SimHost host) {
    say("destroys-hang " + host.id);
    later(1_000, 120_000, "destroys-work " + host.id);
  }

  private void planned(SimHost host) {
    if (!lies(host)) {
      if (chance.happens(0.5)) {
        say("reboot " + host.id);
      } else {
        say("shutdown " + host.id);
        later(10_000, 60_000, "power-on " + host.id);
      }
    }
  }

  private void partition() {
    if (anyLies()) {
      return;
    }
    for (var machine : world().machines) {
      int control = chance.below(2);
      say(
          "side %d %d %s"
              .formatted(control, chance.happens(0.7) ? control : chance.below(2), machine.name));
    }
    later(500, 40_000, "whole");
  }

  private void beatsLost() {
    say("beats-lost " + chance.between(0.05, 0.6));
    later(1_000, 20_000, "beats-lost 0");
  }

  private String aVoter() {
    return chance.oneOf(world().voters).name();
  }

  private void voterDies() {
    say("voter-dies " + aVoter() + between(500, 8_000));
  }

  private void voterStops() {
    var name = aVoter();
    say("voter-stops " + name);
    later(100, 8_000, "voter-goes-on " + name);
  }

  private void votersDie() {
    // now and then for so long that every bound has run out before one is back
    say("voters-die" + between(1_000, chance.happens(0.2) ? 600_000 : 70_000));
  }

  private void clockJumps() {
    say("clock-jumps %s %ds".formatted(aVoter(), (int) chance.between(-4_000, 4_000)));
  }

  private void paused() {
    var able = hosts().stream().filter(h -> world().voterOn(h.machine).isEmpty()).toList();
    var host = chance.oneOf(able.isEmpty() ? hosts() : able);
    if (chance.happens(0.4)) { // what it says of it does not come
      say("stall-out " + host.id + between(5_000, 60_000));
    }
    say("pause" + between(5_000, 120_000));
    later(5_000, 30_000, "resume");
    if (chance.happens(0.7)) { // one of them does not hear of the end
      if (!lies(host)) {
        later(1_000, 5_000, "device " + host.id + " hangs");
        later(1_000, 5_000, "cut-off " + host.id);
        back(host.id.value(), 60_000, 120_000);
      }
    }
  }

  private void watchdogTested(SimHost host) {
    say("evacuate " + host.id);
    later(5_000, 20_000, "test-watchdog " + host.id);
    later(40_000, 60_000, "uncordon " + host.id);
  }

  private void portByPort() {
    say("network-lost control");
    if (chance.happens(0.5)) {
      say("network-lost migration");
    }
    world().hosts.keySet().forEach(h -> later(20_000, 70_000, "reconnect " + h));
    if (world().machines.size() > world().hosts.size()) {
      world().machines.stream()
          .filter(m -> !world().hosts.containsKey(new HostId(m.name)))
          .forEach(m -> later(20_000, 70_000, "port-back " + m.name));
    }
  }

  /** The leader stands still, and goes on beside one host that hears nobody else. */
  private void staleLeader() {
    var leader = world().leader();
    var others =
        hosts().stream().filter(h -> leader.filter(l -> l.machine == h.machine).isEmpty()).toList();
    if (leader.isEmpty() || anyLies() || others.isEmpty()) {
      return;
    }
    var voter = leader.get().name();
    // one that carries no voter, or the two would be a majority
    var alone = others.stream().filter(h -> world().voterOn(h.machine).isEmpty()).toList();
    var host = chance.oneOf(alone.isEmpty() ? others : alone).id;
    say("device " + host + " hangs");
    if (world().hosts.containsKey(new HostId(voter))) {
      say("device " + voter + " hangs");
    }
    say("side 2 2 %s %s".formatted(voter, host));
    if (chance.happens(0.8)) {
      say("voter-stops " + voter);
      later(500, 50_000, "voter-goes-on " + voter);
    }
    double back = chance.between(50_000, 120_000);
    later(back, back, "side 0 0 %s %s".formatted(voter, host));
    later(back, back, "device " + host + " works");
    if (world().hosts.containsKey(new HostId(voter))) {
      later(back, back, "device " + voter + " works");
    }
  }

  private void guestFails() {
    var all = List.copyOf(simulation().state().guests());
    if (!all.isEmpty() && chance.happens(0.25)) {
      say("guest-hangs " + chance.oneOf(all).id());
    } else if (!all.isEmpty()) {
      say(
          "guest-becomes %s %s"
              .formatted(
                  chance.oneOf(all).id(),
                  switch (chance.below(6)) {
                    case 0 -> "off-shutdown";
                    case 1 -> "paused-io-error";
                    case 2 -> "paused-no-space";
                    default -> "off-crashed";
                  }));
    }
  }

  // what people do

  private String create() {
    return "create guest-%d %d".formatted(++guests, 512 + 256 * chance.below(3));
  }

  private void command(SimHost on) {
    var all =
        simulation().state().guests().stream()
            .map(g -> g.id())
            .filter(g -> !world().person.waits(g))
            .toList();
    if (all.isEmpty()) {
      return;
    }
    GuestId guest = chance.oneOf(all);
    switch (chance.below(12)) {
      case 0, 1, 2, 3 ->
          say(
              (grouped && chance.happens(0.5) ? "migrate-group " : "migrate ")
                  + guest
                  + (chance.happens(0.5) ? "" : " " + on.id));
      case 4 -> say("stop " + guest + " " + chance.below(10) + "s");
      case 5, 6 -> say("start " + guest);
      case 7 -> say("evacuate " + on.id);
      case 8 -> say("uncordon " + on.id);
      case 9 ->
          simulation().state().operations().stream()
              .filter(Operation::running)
              .findFirst()
              .ifPresent(o -> say("cancel " + o.id()));
      case 10 -> {
        if (!on.machine.power) {
          say("confirm-dead " + on.id);
        } else if (chance.happens(0.3)) {
          say("fence " + on.id);
        }
      }
      default -> {
        if (guests < GUESTS) {
          say(create());
        }
      }
    }
  }

  private Duration millis(double least, double most) {
    return Duration.ofNanos((long) (chance.between(least, most) * 1e6));
  }

  /** As the last word of a sentence. */
  private String between(double leastMillis, double mostMillis) {
    return " " + (long) chance.between(leastMillis, mostMillis) + "ms";
  }
}
