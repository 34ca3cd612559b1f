package dev.haven.cli;

import dev.haven.model.FencingDevice;
import dev.haven.model.Network;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeMap;

/** What the options of {@code haven host add} say in one word. */
final class HostOptions {
  private HostOptions() {}

  static Network network(String text) {
    int equals = text.indexOf('=');
    if (equals < 1 || equals == text.length() - 1) {
      throw new IllegalArgumentException(
          "network '%s': write it as NAME=ADDRESS or NAME=ADDRESS:ROLE,ROLE".formatted(text));
    }
    var name = text.substring(0, equals);
    var address = text.substring(equals + 1);
    // an IPv6 address has colons of its own and no role has digits
    int colon = address.lastIndexOf(':');
    if (colon < 0 || !address.substring(colon + 1).matches("[a-z,]*[g-z,][a-z,]*")) {
      var named = role(name);
      return new Network(name, address, List.of(named.orElse(Network.Role.CONTROL)));
    }
    var roles = new ArrayList<Network.Role>();
    for (var role : address.substring(colon + 1).split(",", -1)) {
      roles.add(
          role(role)
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          "network '%s': there is no role '%s'; roles are control, migration, replication"
                              .formatted(text, role))));
    }
    return new Network(name, address.substring(0, colon), roles);
  }

  private static Optional<Network.Role> role(String text) {
    for (var role : Network.Role.values()) {
      if (role.name().toLowerCase(Locale.ROOT).equals(text)) {
        return Optional.of(role);
      }
    }
    return Optional.empty();
  }

  static List<List<FencingDevice>> levels(List<String> texts) {
    var levels = new TreeMap<Integer, List<FencingDevice>>();
    for (var text : texts) {
      var parts = List.of(text.split(",", -1));
      var head = parts.getFirst();
      int slash = head.indexOf('/');
      int equals = head.indexOf('=', slash + 1);
      var level = slash < 0 ? "1" : head.substring(0, slash);
      if (equals < slash + 2 || equals == head.length() - 1 || !level.matches("[1-9]")) {
        throw new IllegalArgumentException(
            "fencing '%s': write it as NAME=KIND,KEY=VALUE,… with LEVEL/ (1 to 9) before it for a further level"
                .formatted(text));
      }
      var settings = new LinkedHashMap<String, String>();
      for (var part : parts.subList(1, parts.size())) {
        int at = part.indexOf('=');
        if (at < 1) {
          throw new IllegalArgumentException(
              "fencing '%s': '%s' is no KEY=VALUE".formatted(text, part));
        }
        settings.put(part.substring(0, at), part.substring(at + 1));
      }
      if (settings.containsKey("password")) {
        throw new IllegalArgumentException(
            ("fencing '%s': no password on a command line, others can see it; write it to a file"
                    + " that every voter has and give passwordFile=FILE")
                .formatted(head));
      }
      levels
          .computeIfAbsent(Integer.valueOf(level), _ -> new ArrayList<>())
          .add(
              new FencingDevice(
                  head.substring(slash + 1, equals), head.substring(equals + 1), settings));
    }
    return List.copyOf(levels.values());
  }
}
