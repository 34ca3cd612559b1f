package dev.haven.simulator.scenario;

import dev.haven.model.DomainState;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.YamlNode;
import dev.haven.simulator.Simulation.PowerDeviceMode;
import dev.haven.simulator.Stage.Daemon;
import dev.haven.simulator.Stage.HostEvent;
import dev.haven.simulator.scenario.Happening.Timed;
import dev.haven.simulator.scenario.Happening.When;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Reads what happens in a scenario, and when. */
final class EventLines {
  private static final Duration GRACE = Duration.ofSeconds(30);

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

  private final Known known;
  private final HostLines hostLines;
  private final GuestLines guestLines;

  EventLines(Known known, HostLines hostLines, GuestLines guestLines) {
    this.known = known;
    this.hostLines = hostLines;
    this.guestLines = guestLines;
  }

  /** Those of a file, in its order. */
  List<Timed> read(YamlNode piece) throws SettingsException {
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

  private static When when(YamlNode at) throws SettingsException {
    var text = at.text();
    if (text.equals("settled")) {
      return new When.Settled();
    }
    boolean after = text.startsWith("+");
    var time = YamlNode.time(after ? text.substring(1) : text);
    if (time.isEmpty()) {
      throw at.wrong(
          "expected a time since the beginning such as 30s or 2m, a time since the event before"
              + " such as +30s, or settled; found '%s'",
          text);
    }
    return after ? new When.After(time.get()) : new When.At(time.get());
  }

  /**
   * What happens in one event.
   *
   * @param item the whole event, for messages
   */
  Happening happening(String name, YamlNode item, YamlNode value) throws SettingsException {
    return switch (name) {
      case "power-off", "power-on", "shutdown", "reboot", "hang", "unhang" ->
          new Happening.Hosts(
              HostEvent.valueOf(name.toUpperCase(Locale.ROOT).replace('-', '_')),
              known.hosts(value));
      case "isolate" -> ports(value, false);
      case "heal" -> ports(value, true);
      case "stop-daemon" -> daemons(value, false);
      case "start-daemon" -> daemons(value, true);
      case "fencing" -> devices(value);
      case "fail-start" -> failStart(value);
      case "fail-migration" -> failMigration(value);
      case "crash" -> new Happening.Guests(known.guests(value), DomainState.OFF_CRASHED);
      case "power-off-inside" ->
          new Happening.Guests(known.guests(value), DomainState.OFF_SHUTDOWN);
      case "hang-inside" -> new Happening.GuestsHang(known.guests(value));
      case "io-error" -> new Happening.Guests(known.guests(value), DomainState.PAUSED_IO_ERROR);
      case "storage-full" -> new Happening.Guests(known.guests(value), DomainState.PAUSED_NO_SPACE);
      case "load" -> load(value);
      case "migrate" -> migrate(value);
      case "relocate" -> relocate(value);
      case "start" -> guestCommands(value, Command.StartGuest::new);
      case "stop" -> stop(value);
      case "add-guest" -> addGuest(value);
      case "remove-guest" -> guestCommands(value, Command.RemoveGuest::new);
      case "add-host" -> addHost(value);
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
      case "pause" -> pause(value);
      case "resume" -> {
        value.none();
        yield new Happening.Commands(List.of(new Command.Resume()));
      }
      default -> throw item.wrong("there is no event '%s'", name);
    };
  }

  private Happening devices(YamlNode value) throws SettingsException {
    var f = value.fields("host", "now");
    return new Happening.Devices(
        known.hosts(f.need("host")), f.need("now").oneOf(PowerDeviceMode.class));
  }

  private Happening failStart(YamlNode value) throws SettingsException {
    var f = value.fields("guest", "host", "times");
    return new Happening.StartsFail(
        f.get("guest").isPresent()
            ? Optional.of(known.guest(f.get("guest").get()))
            : Optional.empty(),
        f.or("host", known::hosts, List.copyOf(known.hostNames)),
        f.or("times", p -> (int) p.whole(1, 1_000_000), 1));
  }

  private Happening failMigration(YamlNode value) throws SettingsException {
    var f = value.fields("guest", "times");
    return new Happening.MigrationsFail(
        known.guest(f.need("guest")), f.or("times", p -> (int) p.whole(1, 1_000_000), 1));
  }

  private Happening migrate(YamlNode value) throws SettingsException {
    if (!value.isMap()) {
      return guestCommands(value, g -> new Command.Migrate(g, Optional.empty()));
    }
    var f = value.fields("guest", "to");
    var to =
        f.get("to").isPresent()
            ? Optional.of(known.host(f.get("to").get()))
            : Optional.<HostId>empty();
    return guestCommands(f.need("guest"), g -> new Command.Migrate(g, to));
  }

  private Happening relocate(YamlNode value) throws SettingsException {
    if (!value.isMap()) {
      return guestCommands(value, g -> new Command.Relocate(g, Optional.empty(), GRACE));
    }
    var f = value.fields("guest", "to", "grace");
    var to =
        f.get("to").isPresent()
            ? Optional.of(known.host(f.get("to").get()))
            : Optional.<HostId>empty();
    var grace = f.or("grace", YamlNode::time, GRACE);
    return guestCommands(f.need("guest"), g -> new Command.Relocate(g, to, grace));
  }

  private Happening stop(YamlNode value) throws SettingsException {
    if (!value.isMap()) {
      return guestCommands(value, g -> new Command.StopGuest(g, GRACE));
    }
    var f = value.fields("guest", "grace");
    var grace = f.or("grace", YamlNode::time, GRACE);
    return guestCommands(f.need("guest"), g -> new Command.StopGuest(g, grace));
  }

  private Happening addGuest(YamlNode value) throws SettingsException {
    var commands = new ArrayList<Command>();
    for (var line : guestLines.read(value)) {
      if (line.host().isPresent()) {
        throw value.wrong("'host' is where a guest is at the beginning; use a rule here");
      }
      commands.add(new Command.CreateGuest(line.spec(), line.wanted()));
    }
    return new Happening.Commands(commands);
  }

  private Happening addHost(YamlNode value) throws SettingsException {
    int voters = hostLines.flagged();
    var lines = hostLines.read(value);
    if (hostLines.flagged() > voters) {
      throw value.wrong("a voter cannot be added later; leave 'voter' out");
    }
    return new Happening.NewHosts(lines);
  }

  private Happening pause(YamlNode value) throws SettingsException {
    var f = value.fields("reason", "for");
    return new Happening.Commands(
        List.of(
            new Command.Pause(
                f.or("reason", YamlNode::text, "a scenario"),
                f.get("for").isPresent()
                    ? Optional.of(f.get("for").get().time())
                    : Optional.empty())));
  }

  private enum Port {
    CONTROL,
    MIGRATION,
    ALL
  }

  private Happening ports(YamlNode value, boolean up) throws SettingsException {
    if (!value.isMap()) {
      return new Happening.Ports(known.hosts(value), List.of(0, 1), up);
    }
    var f = value.fields("host", "network");
    return new Happening.Ports(
        known.hosts(f.need("host")),
        switch (f.or("network", p -> p.oneOf(Port.class), Port.ALL)) {
          case CONTROL -> List.of(0);
          case MIGRATION -> List.of(1);
          case ALL -> List.of(0, 1);
        },
        up);
  }

  private Happening daemons(YamlNode value, boolean up) throws SettingsException {
    var f = value.fields("host", "daemon");
    return new Happening.Daemons(
        known.hosts(f.need("host")), f.need("daemon").oneOf(Daemon.class), up);
  }

  private Happening load(YamlNode value) throws SettingsException {
    var f = value.fields("guest", "memory", "cpus");
    if (f.get("memory").isEmpty() && f.get("cpus").isEmpty()) {
      throw value.wrong("expected 'memory' or 'cpus', or both");
    }
    return new Happening.Load(
        known.guest(f.need("guest")),
        f.get("memory").isPresent() ? Optional.of(f.get("memory").get().mib()) : Optional.empty(),
        f.get("cpus").isPresent()
            ? Optional.of((int) f.get("cpus").get().whole(1, HostLines.CPUS_MAX))
            : Optional.empty());
  }

  private interface Ask<T> {
    Command of(T name);
  }

  private Happening guestCommands(YamlNode value, Ask<GuestId> ask) throws SettingsException {
    return new Happening.Commands(known.guests(value).stream().map(ask::of).toList());
  }

  private Happening hostCommands(YamlNode value, Ask<HostId> ask) throws SettingsException {
    return new Happening.Commands(known.hosts(value).stream().map(ask::of).toList());
  }
}
