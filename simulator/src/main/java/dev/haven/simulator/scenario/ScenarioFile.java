package dev.haven.simulator.scenario;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.StartOrder;
import dev.haven.model.AgentPing;
import dev.haven.model.Capacity;
import dev.haven.model.DomainState;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.Network;
import dev.haven.model.Policy;
import dev.haven.model.RestartLimits;
import dev.haven.model.Rule;
import dev.haven.model.RuleText;
import dev.haven.model.api.Command;
import dev.haven.simulator.Simulation.PowerDeviceMode;
import dev.haven.simulator.Stage;
import dev.haven.simulator.Stage.Daemon;
import dev.haven.simulator.Stage.HostEvent;
import dev.haven.simulator.scenario.Happening.Timed;
import dev.haven.simulator.scenario.Happening.When;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** Reads a scenario, strictly: what it does not know is an error. The keys: docs/simulate.md. */
public final class ScenarioFile {
  private static final int HOSTS_MAX = 5_000;
  private static final int GUESTS_MAX = 100_000;
  private static final long CPUS_MAX = 4096;
  private static final Duration GRACE = Duration.ofSeconds(30);

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
  static final String[] GUEST_KEYS = {
    "name",
    "count",
    "host",
    "memory",
    "cpus",
    "desired",
    "priority",
    "labels",
    "rules",
    "restart",
    "restarts",
    "unhealthy",
    "start-attempts"
  };
  static final String[] POLICY_KEYS = {
    "power-loss-after",
    "silent-after",
    "silent-after-one-network",
    "agent-gone-after",
    "starts-per-host",
    "migrations-out",
    "migrations-in",
    "power-on-after-fence"
  };

  /** All that can happen, in the order of the documentation. */
  static final List<String> EVENTS =
      List.of(
          "power-off",
          "power-on",
          "shutdown",
          "reboot",
          "hang",
          "unhang",
          "isolate",
          "heal",
          "stop-daemon",
          "start-daemon",
          "fencing",
          "fail-start",
          "fail-migration",
          "crash",
          "power-off-inside",
          "hang-inside",
          "io-error",
          "storage-full",
          "load",
          "migrate",
          "relocate",
          "start",
          "stop",
          "add-guest",
          "remove-guest",
          "add-host",
          "remove-host",
          "cordon",
          "uncordon",
          "evacuate",
          "fence",
          "confirm-dead",
          "test-watchdog",
          "pause",
          "resume");

  private final Map<HostId, Stage.HostAtFirst> hosts = new LinkedHashMap<>();
  private final List<String> flagged = new ArrayList<>();
  private final Map<GuestId, GuestSpec> guests = new LinkedHashMap<>();
  private final Set<HostId> hostNames = new LinkedHashSet<>();
  private final Set<GuestId> guestNames = new LinkedHashSet<>();
  private int addresses;

  private ScenarioFile() {}

  /**
   * @throws ScenarioException if it is missing or wrong
   */
  public static Scenario read(Path file) throws ScenarioException {
    try {
      return parse(file.toString(), Files.readString(file));
    } catch (NoSuchFileException e) {
      throw new ScenarioException(file + ": there is no such file");
    } catch (MalformedInputException e) {
      throw new ScenarioException(file + ": is not UTF-8 text");
    } catch (IOException e) {
      throw new ScenarioException("%s: cannot be read (%s)".formatted(file, e));
    }
  }

  /**
   * @param name of the file, for messages
   */
  public static Scenario parse(String name, String text) throws ScenarioException {
    return new ScenarioFile().scenario(Piece.of(name, text));
  }

  /**
   * Reads what people type: {@code power-off a b}, or as in a file {@code fencing: {host: a, now:
   * hangs}}.
   *
   * @param in the cluster to which it happens
   * @param words at least one
   */
  public static Happening happening(Scenario in, List<String> words) throws ScenarioException {
    var reader = new ScenarioFile();
    in.hosts().forEach(h -> reader.hostNames.add(h.spec().id()));
    in.hosts().forEach(h -> reader.hosts.put(h.spec().id(), h));
    in.guests().forEach(g -> reader.guestNames.add(g.spec().id()));
    in.guests().forEach(g -> reader.guests.put(g.spec().id(), g.spec()));
    var text =
        words.getFirst().contains(":")
            ? String.join(" ", words)
            : words.getFirst() + ": [" + String.join(", ", words.subList(1, words.size())) + "]";
    var piece = Piece.of("what-if", text);
    var happening = piece.fields(keys()).all().entrySet().iterator().next();
    return reader.happening(happening.getKey(), piece, happening.getValue());
  }

  private static String[] keys() {
    return EVENTS.toArray(String[]::new);
  }

  private Scenario scenario(Piece file) throws ScenarioException {
    var f =
        file.fields(
            "description",
            "seed",
            "policy",
            "hosts",
            "witnesses",
            "guests",
            "rules",
            "groups",
            "events",
            "run",
            "settle-within");
    for (var host : f.need("hosts").items()) {
      for (var one : hostLines(host)) {
        hosts.put(one.spec().id(), one);
      }
    }
    if (hosts.isEmpty()) {
      throw f.need("hosts").wrong("expected at least one host");
    }
    var voters = voters(f);
    var atFirst = new ArrayList<Stage.GuestAtFirst>();
    if (f.get("guests").isPresent()) {
      for (var guest : f.get("guests").get().items()) {
        atFirst.addAll(guestLines(guest));
      }
    }
    if (f.get("rules").isPresent()) {
      for (var rule : f.get("rules").get().items()) {
        rule(rule, atFirst);
      }
    }
    if (f.get("groups").isPresent()) {
      for (var group : f.get("groups").get().fields().all().values()) {
        group(group, atFirst);
      }
    }
    atFirst.forEach(g -> guests.put(g.spec().id(), g.spec()));
    if (f.get("guests").isPresent()) {
      inOrder(f.get("guests").get(), atFirst);
    }
    return new Scenario(
        f.or("description", Piece::text, ""),
        f.get("seed").isPresent()
            ? Optional.of(f.get("seed").get().whole(0, Long.MAX_VALUE))
            : Optional.empty(),
        f.or("policy", ScenarioFile::policy, Policy.DEFAULT),
        List.copyOf(hosts.values()),
        atFirst,
        voters,
        f.or("events", this::events, List.of()),
        f.get("run").isPresent() ? Optional.of(f.get("run").get().time()) : Optional.empty(),
        f.or("settle-within", Piece::time, Scenario.SETTLE_WITHIN));
  }

  // hosts

  private List<Stage.HostAtFirst> hostLines(Piece piece) throws ScenarioException {
    var f = piece.fields(HOST_KEYS);
    var capacity =
        new Capacity(f.need("memory").mib(), (int) f.need("cpus").whole(1, CPUS_MAX), "simulated");
    var labels = f.or("labels", Piece::labels, Map.<String, String>of());
    int networks = f.or("networks", p -> (int) p.whole(1, 2), 2);
    boolean fencing = f.or("fencing", Piece::yes, true);
    var domain =
        f.get("failure-domain").isPresent()
            ? Optional.of(f.get("failure-domain").get().text())
            : Optional.<String>empty();
    long reserve = f.or("memory-reserve", p -> p.mib(0), HostSpec.DEFAULT_MEMORY_RESERVE_MIB);
    double overcommit =
        f.or("cpu-overcommit", p -> p.number(0.1, 64), HostSpec.DEFAULT_CPU_OVERCOMMIT);
    boolean power = f.or("power", p -> p.oneOf(Power.class), Power.ON) == Power.ON;
    boolean voter = f.or("voter", Piece::yes, false);
    var watchdog = f.or("watchdog", p -> p.oneOf(Stage.Watchdog.class), Stage.Watchdog.NONE);
    var lines = new ArrayList<Stage.HostAtFirst>();
    for (var name : names(f, HOSTS_MAX)) {
      var id = name.host();
      if (!hostNames.add(id)) {
        throw f.need("name").wrong("there is a host '%s' already", id);
      }
      if (hostNames.size() > HOSTS_MAX) {
        throw piece.wrong("there are more than %d hosts", HOSTS_MAX);
      }
      if (voter) {
        flagged.add(id.value());
      }
      int n = ++addresses;
      var networkList = new ArrayList<Network>();
      var roles =
          networks == 1
              ? List.of(Network.Role.CONTROL, Network.Role.MIGRATION)
              : List.of(Network.Role.CONTROL);
      networkList.add(new Network("control", "10.1.%d.%d".formatted(n / 256, n % 256), roles));
      if (networks == 2) {
        networkList.add(
            new Network(
                "migration",
                "10.2.%d.%d".formatted(n / 256, n % 256),
                List.of(Network.Role.MIGRATION)));
      }
      lines.add(
          new Stage.HostAtFirst(
              new HostSpec(
                  id,
                  Optional.empty(),
                  "qemu+tcp://" + id + "/system",
                  networkList,
                  fencing
                      ? List.of(List.of(new FencingDevice("bmc-" + id, "ipmi", Map.of())))
                      : List.of(),
                  labels,
                  domain,
                  reserve,
                  overcommit),
              capacity,
              power,
              f.or("cordoned", Piece::yes, false),
              watchdog));
    }
    return lines;
  }

  private enum Power {
    ON,
    OFF
  }

  /**
   * The names that a line stands for: {@code web}, or with a count {@code web-1}, {@code web-2}.
   */
  private static List<Piece> names(Piece.Fields f, int most) throws ScenarioException {
    var name = f.need("name");
    if (f.get("count").isEmpty()) {
      return List.of(name);
    }
    long count = f.get("count").get().whole(1, most);
    var names = new ArrayList<Piece>();
    for (long i = 1; i <= count; i++) {
      names.add(name.numbered(i));
    }
    return names;
  }

  private List<String> voters(Piece.Fields f) throws ScenarioException {
    var voters = new ArrayList<>(flagged);
    if (f.get("witnesses").isPresent()) {
      for (var witness : f.get("witnesses").get().items()) {
        if (hostNames.contains(witness.host())) {
          throw witness.wrong("'%s' is a host; a witness runs no guests", witness.text());
        }
        voters.add(witness.text());
      }
    }
    if (voters.isEmpty()) {
      hosts.keySet().stream().limit(3).forEach(h -> voters.add(h.value()));
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

  // guests

  private List<Stage.GuestAtFirst> guestLines(Piece piece) throws ScenarioException {
    var f = piece.fields(GUEST_KEYS);
    long memory = f.need("memory").mib();
    int cpus = f.or("cpus", p -> (int) p.whole(1, CPUS_MAX), 1);
    int priority = f.or("priority", p -> (int) p.whole(-1000, 1000), 0);
    var labels = f.or("labels", Piece::labels, Map.<String, String>of());
    var rules = new ArrayList<Rule>();
    if (f.get("rules").isPresent()) {
      for (var rule : f.get("rules").get().items()) {
        rules.add(rule(rule));
      }
    }
    var restart =
        f.or("restart", p -> p.oneOf(GuestSpec.Restart.class), GuestSpec.Restart.ANYWHERE);
    var restarts =
        f.get("restarts").isPresent()
            ? Optional.of(restarts(f.get("restarts").get()))
            : Optional.<RestartLimits>empty();
    var health =
        f.get("unhealthy").isPresent()
            ? Optional.of(
                new HealthCheck(
                    Optional.of(AgentPing.DEFAULT),
                    f.get("unhealthy").get().oneOf(Unhealthy.class) == Unhealthy.RESTART))
            : Optional.<HealthCheck>empty();
    if (restart == GuestSpec.Restart.NEVER && health.filter(HealthCheck::restart).isPresent()) {
      throw f.need("unhealthy").wrong("a guest that is never restarted cannot be when it hangs");
    }
    int attempts =
        f.or("start-attempts", p -> (int) p.whole(1, 10), GuestSpec.DEFAULT_START_ATTEMPTS);
    boolean wanted =
        f.or("desired", p -> p.oneOf(Desired.class), Desired.RUNNING) == Desired.RUNNING;
    var host =
        f.get("host").isPresent()
            ? Optional.of(known(f.get("host").get()))
            : Optional.<HostId>empty();
    var lines = new ArrayList<Stage.GuestAtFirst>();
    for (var name : names(f, GUESTS_MAX)) {
      var id = name.guest();
      if (!guestNames.add(id)) {
        throw f.need("name").wrong("there is a guest '%s' already", id);
      }
      if (guestNames.size() > GUESTS_MAX) {
        throw piece.wrong("there are more than %d guests", GUESTS_MAX);
      }
      lines.add(
          new Stage.GuestAtFirst(
              new GuestSpec(
                  id,
                  "uuid-" + id,
                  memory,
                  cpus,
                  priority,
                  "<domain/>",
                  labels,
                  rules,
                  restart,
                  attempts,
                  restarts,
                  health),
              wanted,
              host));
    }
    return lines;
  }

  private static RestartLimits restarts(Piece piece) throws ScenarioException {
    var f = piece.fields("in-place", "within", "elsewhere", "after-power-off");
    var within = f.or("within", Piece::time, Duration.ofMinutes(10));
    if (within.compareTo(Duration.ofSeconds(1)) < 0 || within.compareTo(Duration.ofDays(7)) > 0) {
      throw f.need("within").wrong("expected a time from 1s to 7d, found '%s'", within);
    }
    return new RestartLimits(
        f.or("in-place", p -> (int) p.whole(0, 100), 3),
        within,
        f.or("elsewhere", p -> (int) p.whole(0, 100), 2),
        f.or("after-power-off", Piece::yes, false));
  }

  private enum Unhealthy {
    ALARM,
    RESTART
  }

  private enum Desired {
    RUNNING,
    STOPPED
  }

  private Rule rule(Piece piece) throws ScenarioException {
    var rule = piece.as(RuleText::parse);
    var named =
        switch (rule) {
          case Rule.OnHosts on -> on.hosts();
          case Rule.Failback back -> back.hosts();
          case Rule.After _, Rule.WithGuests _, Rule.Follows _, Rule.Partial _ -> Set.<HostId>of();
        };
    for (var host : named) {
      if (!hostNames.contains(host)) {
        throw piece.wrong("%s", noHost(host.value()));
      }
    }
    return rule;
  }

  /** A rule for several guests, by their names or labels. */
  private void rule(Piece piece, List<Stage.GuestAtFirst> all) throws ScenarioException {
    var f = piece.fields("guests", "rule");
    var whose = f.need("guests");
    var rule = rule(f.need("rule"));
    var named = new LinkedHashSet<GuestId>();
    var labels = whose.isMap() ? whose.labels() : Map.<String, String>of();
    if (!whose.isMap()) {
      for (var name : whose.oneOrMore()) {
        named.add(guest(name));
      }
    }
    int met = 0;
    for (int i = 0; i < all.size(); i++) {
      var g = all.get(i);
      var spec = g.spec();
      boolean meant =
          whose.isMap()
              ? spec.labels().entrySet().containsAll(labels.entrySet())
              : named.contains(spec.id());
      if (meant) {
        met++;
        all.set(i, with(g, rule));
      }
    }
    if (met == 0) {
      throw whose.wrong("no guest has these labels");
    }
  }

  /** Guests that start in this order. */
  private void group(Piece piece, List<Stage.GuestAtFirst> all) throws ScenarioException {
    var before = Optional.<GuestId>empty();
    for (var member : piece.oneOrMore()) {
      var id = guest(member);
      if (before.isPresent()) {
        var after = new Rule.After(Set.of(before.get()));
        all.replaceAll(g -> g.spec().id().equals(id) ? with(g, after) : g);
      }
      before = Optional.of(id);
    }
  }

  /** Nobody waits for somebody who is not there, or in the end for himself. */
  private static void inOrder(Piece piece, List<Stage.GuestAtFirst> all) throws ScenarioException {
    if (all.stream()
        .flatMap(g -> g.spec().rules().stream())
        .noneMatch(Rule.After.class::isInstance)) {
      return;
    }
    var state = ClusterState.EMPTY;
    for (var guest : all) {
      state = state.apply(new Change.GuestDescribed(guest.spec(), false));
    }
    for (var guest : all) {
      var wrong = StartOrder.wrong(state, guest.spec());
      if (wrong.isPresent()) {
        throw piece.wrong("%s", wrong.get());
      }
    }
  }

  private static Stage.GuestAtFirst with(Stage.GuestAtFirst guest, Rule rule) {
    var rules = new ArrayList<>(guest.spec().rules());
    rules.add(rule);
    return new Stage.GuestAtFirst(with(guest.spec(), rules), guest.wanted(), guest.host());
  }

  private static GuestSpec with(GuestSpec spec, List<Rule> rules) {
    return new GuestSpec(
        spec.id(),
        spec.uuid(),
        spec.memoryMib(),
        spec.vcpus(),
        spec.priority(),
        spec.domainXml(),
        spec.labels(),
        rules,
        spec.restart(),
        spec.startAttempts(),
        spec.restarts(),
        spec.health());
  }

  // policy

  private static Policy policy(Piece piece) throws ScenarioException {
    var f = piece.fields(POLICY_KEYS);
    ObjectNode tree = Json.mapper().valueToTree(Policy.DEFAULT);
    for (var e : f.all().entrySet()) {
      var field = camel(e.getKey());
      switch (e.getKey()) {
        case "starts-per-host", "migrations-out", "migrations-in" ->
            tree.put(field, e.getValue().whole(1, 1000));
        case "power-on-after-fence" -> tree.put(field, e.getValue().yes());
        default -> tree.set(field, Json.mapper().valueToTree(e.getValue().time()));
      }
    }
    try {
      return Json.mapper().treeToValue(tree, Policy.class);
    } catch (JsonProcessingException e) {
      throw piece.wrong("%s", e.getOriginalMessage());
    }
  }

  static String camel(String key) {
    var words = key.split("-");
    var name = new StringBuilder(words[0]);
    for (int i = 1; i < words.length; i++) {
      name.append(Character.toUpperCase(words[i].charAt(0))).append(words[i].substring(1));
    }
    return name.toString();
  }

  // events

  private List<Timed> events(Piece piece) throws ScenarioException {
    var events = new ArrayList<Timed>();
    var last = Duration.ZERO;
    boolean exact = true;
    var keys = new ArrayList<String>(EVENTS);
    keys.addFirst("at");
    for (var item : piece.items()) {
      var f = item.fields(keys.toArray(String[]::new));
      var at = f.need("at");
      var when = when(at);
      switch (when) {
        case When.At(var time) -> {
          if (exact && time.compareTo(last) < 0) {
            throw at.wrong("'%s' is before the event above it; put them in order", at.text());
          }
          last = time;
        }
        case When.After(var time) -> last = last.plus(time);
        case When.Settled _ -> exact = false;
      }
      var named = f.all().keySet().stream().filter(k -> !k.equals("at")).toList();
      if (named.size() != 1) {
        throw item.wrong(
            named.isEmpty()
                ? "nothing happens; expected one of " + String.join(", ", EVENTS)
                : "one thing at a time; found " + String.join(" and ", named));
      }
      var name = named.getFirst();
      events.add(new Timed(when, happening(name, item, f.need(name))));
    }
    return events;
  }

  private static When when(Piece at) throws ScenarioException {
    var text = at.text();
    if (text.equals("settled")) {
      return new When.Settled();
    }
    boolean after = text.startsWith("+");
    var time = Piece.time(after ? text.substring(1) : text);
    if (time.isEmpty()) {
      throw at.wrong(
          "expected a time since the beginning such as 30s or 2m, a time since the event before"
              + " such as +30s, or settled; found '%s'",
          text);
    }
    return after ? new When.After(time.get()) : new When.At(time.get());
  }

  private Happening happening(String name, Piece item, Piece value) throws ScenarioException {
    return switch (name) {
      case "power-off" -> new Happening.Hosts(HostEvent.POWER_OFF, hosts(value));
      case "power-on" -> new Happening.Hosts(HostEvent.POWER_ON, hosts(value));
      case "shutdown" -> new Happening.Hosts(HostEvent.SHUTDOWN, hosts(value));
      case "reboot" -> new Happening.Hosts(HostEvent.REBOOT, hosts(value));
      case "hang" -> new Happening.Hosts(HostEvent.HANG, hosts(value));
      case "unhang" -> new Happening.Hosts(HostEvent.UNHANG, hosts(value));
      case "isolate" -> ports(value, false);
      case "heal" -> ports(value, true);
      case "stop-daemon" -> daemons(value, false);
      case "start-daemon" -> daemons(value, true);
      case "fencing" -> {
        var f = value.fields("host", "now");
        yield new Happening.Devices(
            hosts(f.need("host")), f.need("now").oneOf(PowerDeviceMode.class));
      }
      case "fail-start" -> {
        var f = value.fields("guest", "host", "times");
        yield new Happening.StartsFail(
            f.get("guest").isPresent()
                ? Optional.of(guest(f.get("guest").get()))
                : Optional.empty(),
            f.or("host", this::hosts, List.copyOf(hostNames)),
            f.or("times", p -> (int) p.whole(1, 1_000_000), 1));
      }
      case "fail-migration" -> {
        var f = value.fields("guest", "times");
        yield new Happening.MigrationsFail(
            guest(f.need("guest")), f.or("times", p -> (int) p.whole(1, 1_000_000), 1));
      }
      case "crash" -> new Happening.Guests(guests(value), DomainState.OFF_CRASHED);
      case "power-off-inside" -> new Happening.Guests(guests(value), DomainState.OFF_SHUTDOWN);
      case "hang-inside" -> new Happening.GuestsHang(guests(value));
      case "io-error" -> new Happening.Guests(guests(value), DomainState.PAUSED_IO_ERROR);
      case "storage-full" -> new Happening.Guests(guests(value), DomainState.PAUSED_NO_SPACE);
      case "load" -> load(value);
      case "migrate" -> {
        if (!value.isMap()) {
          yield guestCommands(value, g -> new Command.Migrate(g, Optional.empty()));
        }
        var f = value.fields("guest", "to");
        var to =
            f.get("to").isPresent()
                ? Optional.of(known(f.get("to").get()))
                : Optional.<HostId>empty();
        yield guestCommands(f.need("guest"), g -> new Command.Migrate(g, to));
      }
      case "relocate" -> {
        if (!value.isMap()) {
          yield guestCommands(value, g -> new Command.Relocate(g, Optional.empty(), GRACE));
        }
        var f = value.fields("guest", "to", "grace");
        var to =
            f.get("to").isPresent()
                ? Optional.of(known(f.get("to").get()))
                : Optional.<HostId>empty();
        var grace = f.or("grace", Piece::time, GRACE);
        yield guestCommands(f.need("guest"), g -> new Command.Relocate(g, to, grace));
      }
      case "start" -> guestCommands(value, Command.StartGuest::new);
      case "stop" -> {
        if (!value.isMap()) {
          yield guestCommands(value, g -> new Command.StopGuest(g, GRACE));
        }
        var f = value.fields("guest", "grace");
        var grace = f.or("grace", Piece::time, GRACE);
        yield guestCommands(f.need("guest"), g -> new Command.StopGuest(g, grace));
      }
      case "add-guest" -> {
        var commands = new ArrayList<Command>();
        for (var line : guestLines(value)) {
          if (line.host().isPresent()) {
            throw value.wrong("'host' is where a guest is at the beginning; use a rule here");
          }
          guests.put(line.spec().id(), line.spec());
          commands.add(new Command.CreateGuest(line.spec(), line.wanted()));
        }
        yield new Happening.Commands(commands);
      }
      case "remove-guest" -> guestCommands(value, Command.RemoveGuest::new);
      case "add-host" -> {
        int voters = flagged.size();
        var lines = hostLines(value);
        if (flagged.size() > voters) {
          throw value.wrong("a voter cannot be added later; leave 'voter' out");
        }
        lines.forEach(h -> hosts.put(h.spec().id(), h));
        yield new Happening.NewHosts(lines);
      }
      case "remove-host" -> hostCommands(value, Command.RemoveHost::new);
      case "cordon" -> hostCommands(value, Command.Cordon::new);
      case "uncordon" -> hostCommands(value, Command.Uncordon::new);
      case "evacuate" -> hostCommands(value, Command.Evacuate::new);
      case "fence" -> hostCommands(value, Command.Fence::new);
      case "confirm-dead" ->
          hostCommands(
              value,
              h -> new Command.ConfirmDead(h, Command.ConfirmDead.sentence(h), Optional.empty()));
      case "test-watchdog" -> hostCommands(value, Command.TestWatchdog::new);
      case "pause" -> {
        var f = value.fields("reason", "for");
        yield new Happening.Commands(
            List.of(
                new Command.Pause(
                    f.or("reason", Piece::text, "a scenario"),
                    f.get("for").isPresent()
                        ? Optional.of(f.get("for").get().time())
                        : Optional.empty())));
      }
      case "resume" -> {
        value.none();
        yield new Happening.Commands(List.of(new Command.Resume()));
      }
      default -> throw item.wrong("there is no event '%s'", name);
    };
  }

  private enum Port {
    CONTROL,
    MIGRATION,
    ALL
  }

  private Happening ports(Piece value, boolean up) throws ScenarioException {
    if (!value.isMap()) {
      return new Happening.Ports(hosts(value), List.of(0, 1), up);
    }
    var f = value.fields("host", "network");
    return new Happening.Ports(
        hosts(f.need("host")),
        switch (f.or("network", p -> p.oneOf(Port.class), Port.ALL)) {
          case CONTROL -> List.of(0);
          case MIGRATION -> List.of(1);
          case ALL -> List.of(0, 1);
        },
        up);
  }

  private Happening daemons(Piece value, boolean up) throws ScenarioException {
    var f = value.fields("host", "daemon");
    return new Happening.Daemons(hosts(f.need("host")), f.need("daemon").oneOf(Daemon.class), up);
  }

  private Happening load(Piece value) throws ScenarioException {
    var f = value.fields("guest", "memory", "cpus");
    if (f.get("memory").isEmpty() && f.get("cpus").isEmpty()) {
      throw value.wrong("expected 'memory' or 'cpus', or both");
    }
    return new Happening.Load(
        guest(f.need("guest")),
        f.get("memory").isPresent() ? Optional.of(f.get("memory").get().mib()) : Optional.empty(),
        f.get("cpus").isPresent()
            ? Optional.of((int) f.get("cpus").get().whole(1, CPUS_MAX))
            : Optional.empty());
  }

  private interface Ask<T> {
    Command of(T name);
  }

  private Happening guestCommands(Piece value, Ask<GuestId> ask) throws ScenarioException {
    return new Happening.Commands(guests(value).stream().map(ask::of).toList());
  }

  private Happening hostCommands(Piece value, Ask<HostId> ask) throws ScenarioException {
    return new Happening.Commands(hosts(value).stream().map(ask::of).toList());
  }

  private List<HostId> hosts(Piece value) throws ScenarioException {
    var ids = new ArrayList<HostId>();
    for (var piece : value.oneOrMore()) {
      ids.add(known(piece));
    }
    return ids;
  }

  private HostId known(Piece piece) throws ScenarioException {
    var id = piece.host();
    if (!hostNames.contains(id)) {
      throw piece.wrong("%s", noHost(id.value()));
    }
    return id;
  }

  private String noHost(String name) {
    return "there is no host '%s'; there are %s".formatted(name, some(hostNames));
  }

  private List<GuestId> guests(Piece value) throws ScenarioException {
    var ids = new ArrayList<GuestId>();
    for (var piece : value.oneOrMore()) {
      ids.add(guest(piece));
    }
    return ids;
  }

  private GuestId guest(Piece piece) throws ScenarioException {
    var id = piece.guest();
    if (!guestNames.contains(id)) {
      throw piece.wrong("there is no guest '%s'; there are %s", id, some(guestNames));
    }
    return id;
  }

  private static String some(Set<?> names) {
    return names.isEmpty()
        ? "none"
        : names.stream().limit(8).map(Object::toString).collect(Collectors.joining(", "))
            + (names.size() > 8 ? " and %d more".formatted(names.size() - 8) : "");
  }
}
