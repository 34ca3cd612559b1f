package dev.haven.simulator.scenario;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.YamlNode;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The hosts and guests that a scenario has named so far. */
final class Known {
  final Set<HostId> hostNames = new LinkedHashSet<>();
  final Set<GuestId> guestNames = new LinkedHashSet<>();

  /** One name or several. */
  List<HostId> hosts(YamlNode value) throws SettingsException {
    var ids = new ArrayList<HostId>();
    for (var piece : value.oneOrMore()) {
      ids.add(host(piece));
    }
    return ids;
  }

  HostId host(YamlNode piece) throws SettingsException {
    var id = piece.host();
    if (!hostNames.contains(id)) {
      throw piece.wrong("%s", noHost(id.value()));
    }
    return id;
  }

  String noHost(String name) {
    return "there is no host '%s'; there are %s".formatted(name, some(hostNames));
  }

  /** One name or several. */
  List<GuestId> guests(YamlNode value) throws SettingsException {
    var ids = new ArrayList<GuestId>();
    for (var piece : value.oneOrMore()) {
      ids.add(guest(piece));
    }
    return ids;
  }

  GuestId guest(YamlNode piece) throws SettingsException {
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

  /**
   * The names that a line stands for: {@code web}, or with a count {@code web-1}, {@code web-2}.
   */
  static List<YamlNode> names(YamlNode.Fields f, int most) throws SettingsException {
    var name = f.need("name");
    if (f.get("count").isEmpty()) {
      return List.of(name);
    }
    long count = f.get("count").get().whole(1, most);
    var names = new ArrayList<YamlNode>();
    for (long i = 1; i <= count; i++) {
      names.add(name.numbered(i));
    }
    return names;
  }
}
