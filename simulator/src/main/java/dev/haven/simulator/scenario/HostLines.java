package dev.haven.simulator.scenario;

import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.YamlNode;
import dev.haven.simulator.Stage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads the hosts of a scenario, and which of them vote. */
final class HostLines {
  private static final int HOSTS_MAX = 5_000;
  static final long CPUS_MAX = 4096;

  static final String[] HOST_KEYS = {
    "name",
    "count",
    "cpus",
    "memory",
    "labels",
    "voter",
    "fencing",
    "networks",
    "failure-domain",
    "memory-reserve",
    "cpu-overcommit",
    "power",
    "cordoned",
    "watchdog"
  };
  private final Known known;
  private final List<String> flagged = new ArrayList<>();
  private int addresses;

  HostLines(Known known) {
    this.known = known;
  }

  /** How many say that they vote. */
  int flagged() {
    return flagged.size();
  }

  /** The hosts that a line stands for. */
  List<Stage.HostAtFirst> read(YamlNode piece) throws SettingsException {
    var f = piece.fields(HOST_KEYS);
    var capacity =
        new Capacity(f.need("memory").mib(), (int) f.need("cpus").whole(1, CPUS_MAX), "simulated");
    var labels = f.or("labels", YamlNode::labels, Map.<String, String>of());
    int networks = f.or("networks", p -> (int) p.whole(1, 2), 2);
    boolean fencing = f.or("fencing", YamlNode::yes, true);
    var domain =
        f.get("failure-domain").isPresent()
            ? Optional.of(f.get("failure-domain").get().text())
            : Optional.<String>empty();
    long reserve = f.or("memory-reserve", p -> p.mib(0), HostSpec.DEFAULT_MEMORY_RESERVE_MIB);
    double overcommit =
        f.or("cpu-overcommit", p -> p.number(0.1, 64), HostSpec.DEFAULT_CPU_OVERCOMMIT);
    boolean power = f.or("power", p -> p.oneOf(Power.class), Power.ON) == Power.ON;
    boolean voter = f.or("voter", YamlNode::yes, false);
    var watchdog = f.or("watchdog", p -> p.oneOf(Stage.Watchdog.class), Stage.Watchdog.NONE);
    var lines = new ArrayList<Stage.HostAtFirst>();
    for (var name : Known.names(f, HOSTS_MAX)) {
      var id = name.host();
      if (!known.hostNames.add(id)) {
        throw f.need("name").wrong("there is a host '%s' already", id);
      }
      if (known.hostNames.size() > HOSTS_MAX) {
        throw piece.wrong("there are more than %d hosts", HOSTS_MAX);
      }
      if (voter) {
        flagged.add(id.value());
      }
      lines.add(
          new Stage.HostAtFirst(
              new HostSpec(
                  id,
                  Optional.empty(),
                  "qemu+tcp://" + id + "/system",
                  networks(networks),
                  fencing ? List.of(device(id)) : List.of(),
                  labels,
                  domain,
                  reserve,
                  overcommit),
              capacity,
              power,
              f.or("cordoned", YamlNode::yes, false),
              watchdog));
    }
    return lines;
  }

  private static List<FencingDevice> device(HostId host) {
    return List.of(new FencingDevice("bmc-" + host, "ipmi", Map.of()));
  }

  /** One network carries both, two one each. */
  private List<Network> networks(int count) {
    int n = ++addresses;
    var networks = new ArrayList<Network>();
    var roles =
        count == 1
            ? List.of(Network.Role.CONTROL, Network.Role.MIGRATION)
            : List.of(Network.Role.CONTROL);
    networks.add(new Network("control", "10.1.%d.%d".formatted(n / 256, n % 256), roles));
    if (count == 2) {
      networks.add(
          new Network(
              "migration",
              "10.2.%d.%d".formatted(n / 256, n % 256),
              List.of(Network.Role.MIGRATION)));
    }
    return networks;
  }

  private enum Power {
    ON,
    OFF
  }

  /** Those that say so; the first three hosts, and witnesses, if nobody does. */
  List<String> voters(YamlNode.Fields f) throws SettingsException {
    var voters = new ArrayList<>(flagged);
    if (f.get("witnesses").isPresent()) {
      for (var witness : f.get("witnesses").get().items()) {
        if (known.hostNames.contains(witness.host())) {
          throw witness.wrong("'%s' is a host; a witness runs no guests", witness.text());
        }
        voters.add(witness.text());
      }
    }
    if (voters.isEmpty()) {
      known.hostNames.stream().limit(3).forEach(h -> voters.add(h.value()));
      for (int i = 1; voters.size() < 3; i++) {
        voters.add("witness-" + i);
      }
    }
    if (voters.size() != 1 && voters.size() != 3 && voters.size() != 5) {
      throw f.need("hosts")
          .wrong(
              "expected 1, 3 or 5 voters, found %d: %s", voters.size(), String.join(", ", voters));
    }
    return voters;
  }
}
