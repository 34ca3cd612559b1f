package dev.haven.simulator;

import dev.haven.model.AgentPing;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.RuleText;
import dev.haven.model.api.Command;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Healthy clusters and plain guests, for simulations and stories to begin with. */
final class Beginning {
  private static final Duration SETUP = Duration.ofMinutes(2);

  private Beginning() {}

  static Simulation of(long seed, boolean devices, boolean watchdogs, String... hosts) {
    return of(seed, devices, watchdogs, watchdogs, hosts);
  }

  /**
   * @param tested whether each watchdog has once been seen to reset its host
   */
  static Simulation of(
      long seed, boolean devices, boolean watchdogs, boolean tested, String... hosts) {
    var s = new Simulation(new World(seed));
    for (var name : hosts) {
      var machine = new Machine(name);
      s.world.machines.add(machine);
      var host = new SimHost(s.world, machine, devices, watchdogs);
      host.watchdogSeen = tested;
      host.watchdogIsDud = watchdogs && !tested;
      s.world.hosts.put(new HostId(name), host);
    }
    for (int i = hosts.length; i < 3; i++) {
      s.world.machines.add(new Machine("witness-" + (i - hosts.length + 1)));
    }
    for (var machine : s.world.machines.subList(0, 3)) {
      s.world.voters.add(new SimVoter(s.world, machine));
      s.world.voterNames.add(machine.name);
    }
    s.world.start();
    int number = 1;
    for (var host : s.world.hosts.values()) {
      s.ask(new Command.AddHost(spec(host, number++, devices)));
    }
    s.runUntil(
        SETUP,
        () ->
            s.world.committed.hosts().size() == hosts.length
                && s.world.committed.hosts().stream().allMatch(h -> h.online()));
    return s;
  }

  private static HostSpec spec(SimHost host, int number, boolean device) {
    return new HostSpec(
        host.id,
        Optional.of(host.uuid()),
        "qemu+tcp://" + host.id + "/system",
        List.of(
            new Network("control", "10.0.1." + number, List.of(Network.Role.CONTROL)),
            new Network("migration", "10.0.2." + number, List.of(Network.Role.MIGRATION))),
        device
            ? List.of(List.of(new FencingDevice("bmc-" + host.id, "ipmi", Map.of())))
            : List.of(),
        Map.of(),
        Optional.empty(),
        HostSpec.DEFAULT_MEMORY_RESERVE_MIB,
        HostSpec.DEFAULT_CPU_OVERCOMMIT);
  }

  static GuestSpec guestSpec(String name, long memoryMib) {
    return guestSpec(name, memoryMib, List.of());
  }

  /**
   * @param more labels ({@code app=shop}) and rules ({@code together:app=shop})
   */
  static GuestSpec guestSpec(String name, long memoryMib, List<String> more) {
    var labels = new TreeMap<String, String>();
    for (var word : more) {
      if (!word.contains(":")) {
        labels.put(word.substring(0, word.indexOf('=')), word.substring(word.indexOf('=') + 1));
      }
    }
    return new GuestSpec(
        new GuestId(name),
        "uuid-" + name,
        memoryMib,
        1,
        0,
        "<domain/>",
        labels,
        more.stream().filter(w -> w.contains(":")).map(RuleText::parse).toList(),
        GuestSpec.Restart.ANYWHERE,
        GuestSpec.DEFAULT_START_ATTEMPTS,
        Optional.empty(),
        Optional.of(new HealthCheck(Optional.of(AgentPing.DEFAULT), true)));
  }
}
