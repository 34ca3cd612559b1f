package dev.haven.model.api;

import dev.haven.model.Definition;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostSpec;
import dev.haven.model.Names;
import dev.haven.model.Network;
import dev.haven.model.Rule;
import dev.haven.model.RuleText;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.regex.Pattern;

/**
 * What is wrong with what a person typed: each a sentence with the field, its value and the way
 * out. Looked for where it is typed, and again where the leader takes it in.
 */
public final class Mistakes {
  private static final Pattern IPV4 = Pattern.compile("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
  private static final Pattern HOST_NAME =
      Pattern.compile("[A-Za-z]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?");
  private static final Pattern SCHEME =
      Pattern.compile("(qemu|xen|test)(\\+(tls|tcp|ssh|libssh|libssh2|ext))?");
  private static final Pattern LABEL =
      Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?");
  private static final int LABELS = 64;
  private static final int LABEL_VALUE = 128;
  private static final int RULES = 64;

  /** In one rule. */
  private static final int NAMES = 256;

  private static final int NETWORKS = 16;
  private static final int DEVICES = 16;
  private static final int XML = 512 << 10;
  private static final int REASON = 500;
  private static final long RESERVE_MIB = 64L << 20;

  private Mistakes() {}

  /** Of a command, as far as it can be judged without the cluster. Empty if there is none. */
  public static List<String> of(Command command) {
    return switch (command) {
      case Command.AddHost c -> host(c.host());
      case Command.CreateGuest c -> guest(c.guest());
      case Command.EditGuest c -> guest(c.guest());
      case Command.Pause c -> pause(c);
      case Command.CreateToken c -> token(c);
      case Command.UseToken c -> c.host().map(Mistakes::host).orElse(List.of());
      case Command.RemoveHost _,
          Command.AcceptHost _,
          Command.Cordon _,
          Command.Uncordon _,
          Command.Evacuate _,
          Command.Fence _,
          Command.TestFencing _,
          Command.ConfirmDead _,
          Command.StartGuest _,
          Command.StopGuest _,
          Command.RemoveGuest _,
          Command.Migrate _,
          Command.Relocate _,
          Command.Resume _,
          Command.TestWatchdog _,
          Command.TrustSoftdog _,
          Command.CancelOperation _,
          Command.RevokeToken _,
          Command.RevokeKey _,
          Command.TakeAuthority _,
          Command.SetPolicy _ ->
          List.of();
    };
  }

  private static List<String> token(Command.CreateToken c) {
    var found = new ArrayList<String>();
    if (!c.hash().matches("[0-9a-f]{64}")) {
      found.add("token: its hash must be a SHA-256 of 64 hexadecimal digits");
    }
    c.name().flatMap(n -> name(c.role().word(), n)).ifPresent(found::add);
    if (c.within().compareTo(Duration.ofMinutes(1)) < 0
        || c.within().compareTo(Duration.ofDays(7)) > 0) {
      found.add(
          "token: a time of %s is not between 1 min and 7 days; leave --for out for 15 min"
              .formatted(c.within()));
    }
    return found;
  }

  private static List<String> pause(Command.Pause c) {
    return c.reason().length() > REASON || control(c.reason())
        ? List.of("pause: its reason must be one line of at most %d characters".formatted(REASON))
        : List.of();
  }

  /** Of a host's description. */
  static List<String> host(HostSpec spec) {
    var found = new ArrayList<String>();
    var host = "host " + spec.id() + ": ";
    spec.uuid()
        .flatMap(u -> uuid(u, "what `dmidecode -s system-uuid` prints on it"))
        .ifPresent(w -> found.add(host + w));
    uri(spec.migrationUri()).ifPresent(w -> found.add(host + w));
    networks(spec.networks()).forEach(w -> found.add(host + w));
    devices(spec.fencing()).forEach(w -> found.add(host + w));
    labels(spec.labels()).forEach(w -> found.add(host + w));
    spec.failureDomain()
        .filter(d -> d.isBlank() || d.length() > LABEL_VALUE || control(d))
        .ifPresent(
            d ->
                found.add(
                    host
                        + "failure domain '%s': use 1 to 128 characters, or leave it out"
                            .formatted(shown(d))));
    if (spec.memoryReserveMib() > RESERVE_MIB) {
      found.add(
          host
              + "a reserve of %d MiB is not between 0 and 64 TiB"
                  .formatted(spec.memoryReserveMib()));
    }
    return found;
  }

  private static List<String> networks(Collection<Network> networks) {
    var found = new ArrayList<String>();
    if (networks.isEmpty()) {
      found.add("it has no network, so nothing of it would be heard: --network control=ADDRESS");
    }
    if (networks.size() > NETWORKS) {
      found.add("more than %d networks".formatted(NETWORKS));
    }
    var names = new HashSet<String>();
    var addresses = new HashSet<String>();
    for (var network : networks) {
      network(network).ifPresent(found::add);
      if (!names.add(network.name())) {
        found.add(
            "network '%s' is there twice; each of its networks needs a name of its own"
                .formatted(network.name()));
      }
      if (!addresses.add(network.address())) {
        found.add(
            "address '%s' is there twice; name the one network that it belongs to, with all its roles: NAME=%s:control,migration"
                .formatted(network.address(), network.address()));
      }
    }
    return found;
  }

  private static List<String> devices(List<List<FencingDevice>> levels) {
    var found = new ArrayList<String>();
    var devices = new HashSet<String>();
    for (var level : levels) {
      if (level.isEmpty()) {
        found.add("a level of its fencing has no device; take it away");
      }
      for (var device : level) {
        name("fencing device", device.name()).ifPresent(found::add);
        if (!devices.add(device.name())) {
          found.add(
              "fencing device '%s' is there twice; give each a name of its own"
                  .formatted(device.name()));
        }
        settings(device).ifPresent(found::add);
      }
    }
    if (devices.size() > DEVICES) {
      found.add("more than %d fencing devices".formatted(DEVICES));
    }
    return found;
  }

  private static Optional<String> network(Network network) {
    var wrong = name("network", network.name());
    if (wrong.isPresent()) {
      return wrong;
    }
    return address(network.address())
        .map(
            why ->
                "network %s: address '%s' %s"
                    .formatted(network.name(), shown(network.address()), why))
        .or(
            () ->
                network.roles().isEmpty()
                    ? Optional.of(
                        "network %s: it has no role; roles are control, migration, replication"
                            .formatted(network.name()))
                    : Optional.empty());
  }

  /** Why it is no address of one machine; nothing is looked up. */
  private static Optional<String> address(String text) {
    var no =
        Optional.of("is no IP address; write it like 10.0.0.1 or fd00::1, without port or role");
    if (!text.contains(":") && !IPV4.matcher(text).matches()) {
      return no;
    }
    try {
      var address = InetAddress.ofLiteral(text);
      return address.isAnyLocalAddress()
              || address.isMulticastAddress()
              || text.equals("255.255.255.255")
          ? Optional.of("belongs to no single machine; give the host's own")
          : Optional.empty();
    } catch (IllegalArgumentException e) {
      return no;
    }
  }

  private static Optional<String> uri(String text) {
    var way =
        "; write it like qemu+tls://10.0.2.1/system, with a name or address at which the other"
            + " hosts reach it";
    try {
      var uri = new URI(text);
      if (uri.getScheme() == null || !SCHEME.matcher(uri.getScheme()).matches()) {
        return Optional.of("migration URI '%s' is none of libvirt's%s".formatted(shown(text), way));
      }
      if (uri.getHost() == null || uri.getHost().isEmpty()) {
        return Optional.of("migration URI '%s' names no host%s".formatted(shown(text), way));
      }
      if (uri.getPort() == 0 || uri.getPort() > 65_535) {
        return Optional.of(
            "migration URI '%s': the port must be 1 to 65535".formatted(shown(text)));
      }
      return Optional.empty();
    } catch (URISyntaxException e) {
      return Optional.of("migration URI '%s' is no URI%s".formatted(shown(text), way));
    }
  }

  private static Optional<String> settings(FencingDevice device) {
    for (var setting : device.settings().entrySet()) {
      if (setting.getKey().isBlank() || control(setting.getKey()) || control(setting.getValue())) {
        return Optional.of(
            "fencing device %s: setting '%s' has a character that cannot be printed"
                .formatted(device.name(), shown(setting.getKey())));
      }
    }
    return Optional.empty();
  }

  private static Optional<String> uuid(String text, String way) {
    try {
      if (UUID.fromString(text).toString().equalsIgnoreCase(text)) {
        return Optional.empty();
      }
    } catch (IllegalArgumentException e) {
      // said below
    }
    return Optional.of("UUID '%s' is none; give %s, or leave it out".formatted(shown(text), way));
  }

  private static Optional<String> name(String what, String value) {
    try {
      Names.check(what, value);
      return Optional.empty();
    } catch (IllegalArgumentException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }

  private static List<String> labels(Map<String, String> labels) {
    var found = new ArrayList<String>();
    if (labels.size() > LABELS) {
      found.add("more than %d labels".formatted(LABELS));
    }
    for (var label : new java.util.TreeMap<>(labels).entrySet()) {
      var value = label.getValue();
      if (!LABEL.matcher(label.getKey()).matches()) {
        found.add(
            "label '%s': use 1 to 63 letters, digits, dots, dashes, underscores or slashes"
                .formatted(shown(label.getKey())));
      } else if (value.isBlank() || value.length() > LABEL_VALUE || control(value)) {
        found.add(
            "label %s: its value '%s' must have 1 to 128 characters that can be printed"
                .formatted(label.getKey(), shown(value)));
      }
    }
    return found;
  }

  /** Labels in rules are labels; a rule with one that nobody can have would never be kept. */
  private static List<String> rules(List<Rule> rules) {
    var found = new ArrayList<String>();
    if (rules.size() > RULES) {
      found.add("more than %d rules".formatted(RULES));
      return found;
    }
    for (var rule : rules) {
      var labels =
          switch (rule) {
            case Rule.OnHosts r -> r.labels();
            case Rule.Failback r -> r.labels();
            case Rule.WithGuests r -> Map.of(r.label(), r.value());
            case Rule.After _, Rule.Follows _, Rule.Partial _ -> Map.<String, String>of();
          };
      int names =
          switch (rule) {
            case Rule.OnHosts r -> r.hosts().size() + r.labels().size();
            case Rule.Failback r -> r.hosts().size() + r.labels().size();
            case Rule.After r -> r.guests().size();
            case Rule.WithGuests _, Rule.Follows _, Rule.Partial _ -> 1;
          };
      if (names == 0 || names > NAMES) {
        found.add(
            "rule '%s': it names %d hosts, guests or labels; name 1 to %d"
                .formatted(shown(RuleText.of(rule)), names, NAMES));
      } else {
        labels(labels)
            .forEach(w -> found.add("rule '%s': %s".formatted(shown(RuleText.of(rule)), w)));
      }
    }
    return found;
  }

  /** Of a guest's description. */
  static List<String> guest(GuestSpec spec) {
    var found = new ArrayList<String>();
    var guest = "guest " + spec.id() + ": ";
    uuid(spec.uuid(), "32 hexadecimal digits with dashes").ifPresent(w -> found.add(guest + w));
    labels(spec.labels()).forEach(w -> found.add(guest + w));
    rules(spec.rules()).forEach(w -> found.add(guest + w));
    if (spec.domainXml().length() > XML) {
      found.add(guest + "its domain XML is longer than %d KiB".formatted(XML >> 10));
      return found;
    }
    try {
      var definition = Definition.read(spec.domainXml());
      if (!definition.name().equals(Optional.of(spec.id().value()))) {
        found.add(
            guest
                + "its domain XML has the <name> '%s'; it must be the guest's own name"
                    .formatted(shown(definition.name().orElse(""))));
      }
      for (var disk : definition.disks()) {
        disk.path()
            .filter(p -> !p.startsWith("/") || control(p))
            .ifPresent(
                p ->
                    found.add(
                        guest
                            + "disk '%s': give the whole path from / on; it is the same on every host"
                                .formatted(shown(p))));
      }
    } catch (IllegalArgumentException e) {
      found.add(guest + e.getMessage());
    }
    return found;
  }

  /**
   * Of a voter that is to be added.
   *
   * @param raft where the other voters reach it, {@code address:port}
   * @param api where clients reach it, {@code address:port}
   * @param networks its addresses by the network's name
   */
  public static List<String> voter(
      String name, String raft, Optional<String> api, Map<String, String> networks) {
    var found = new ArrayList<String>();
    var voter = "voter " + shown(name) + ": ";
    name("voter", name).ifPresent(found::add);
    for (var place : api.map(a -> List.of(raft, a)).orElse(List.of(raft))) {
      place(place).ifPresent(w -> found.add(voter + w));
    }
    if (api.filter(raft::equals).isPresent()) {
      found.add(
          voter
              + "'%s' cannot be both --raft and --api; each needs a port of its own"
                  .formatted(shown(raft)));
    }
    networks.forEach(
        (network, address) ->
            network(new Network(network, address, List.of(Network.Role.CONTROL)))
                .ifPresent(w -> found.add(voter + w)));
    return found;
  }

  private static Optional<String> place(String text) {
    int colon = text.lastIndexOf(':');
    var host = colon < 0 ? "" : text.substring(0, colon);
    boolean six = host.startsWith("[") && host.endsWith("]");
    var wrong =
        six
            ? address(host.substring(1, host.length() - 1)).isPresent()
            : IPV4.matcher(host).matches()
                ? address(host).isPresent()
                : !HOST_NAME.matcher(host).matches();
    var port = text.substring(colon + 1);
    wrong |=
        !port.matches("[0-9]{1,5}")
            || Integer.parseInt(port) < 1
            || Integer.parseInt(port) > 65_535;
    return wrong
        ? Optional.of(
            "'%s' must be address:port with a port of 1 to 65535, such as 10.0.0.4:7702 or [fd00::4]:7702"
                .formatted(shown(text)))
        : Optional.empty();
  }

  private static boolean control(String text) {
    return text.chars().anyMatch(Character::isISOControl);
  }

  /** For a message on one line: nothing in it moves a terminal's cursor. */
  private static String shown(String text) {
    var line =
        text.codePoints()
            .map(c -> Character.isISOControl(c) ? '?' : c)
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
    return line.length() > 80 ? line.substring(0, 80) + "…" : line;
  }
}
