package dev.haven.cli;

import dev.haven.model.HostId;
import dev.haven.model.Rule;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** Placement rules and labels as they are typed. */
final class Rules {
  static final String HELP =
      "on:HOST,…  off:HOST,…  on:LABEL=VALUE  off:LABEL=VALUE (hosts' labels)"
          + "  together:LABEL=VALUE  apart:LABEL=VALUE (guests' labels);"
          + " 'prefer-' before it makes it a wish. May be repeated.";

  private Rules() {}

  /**
   * @throws IllegalArgumentException if it is none
   */
  static Rule parse(String text) {
    boolean strict = !text.startsWith("prefer-");
    var rest = strict ? text : text.substring("prefer-".length());
    int colon = rest.indexOf(':');
    var kind = colon < 0 ? rest : rest.substring(0, colon);
    var what = colon < 0 ? "" : rest.substring(colon + 1);
    if (!what.isBlank()) {
      switch (kind) {
        case "on", "off" -> {
          return onHosts(what, kind.equals("off"), strict);
        }
        case "together", "apart" -> {
          int equals = what.indexOf('=');
          if (equals > 0 && equals < what.length() - 1) {
            return new Rule.WithGuests(
                what.substring(0, equals),
                what.substring(equals + 1),
                kind.equals("apart"),
                strict);
          }
        }
        default -> {}
      }
    }
    throw new IllegalArgumentException("rule '%s': write it as one of %s".formatted(text, HELP));
  }

  private static Rule onHosts(String what, boolean avoid, boolean strict) {
    Set<HostId> hosts = new HashSet<>();
    Map<String, String> labels = new HashMap<>();
    for (var part : what.split(",", -1)) {
      int equals = part.indexOf('=');
      if (equals > 0) {
        labels.put(part.substring(0, equals), part.substring(equals + 1));
      } else {
        hosts.add(new HostId(part));
      }
    }
    return new Rule.OnHosts(hosts, labels, avoid, strict);
  }

  static String text(Rule rule) {
    return switch (rule) {
      case Rule.OnHosts(var hosts, var labels, var avoid, var strict) -> {
        var parts = new java.util.TreeSet<String>();
        hosts.forEach(host -> parts.add(host.value()));
        labels.forEach((label, value) -> parts.add(label + "=" + value));
        yield (strict ? "" : "prefer-") + (avoid ? "off:" : "on:") + String.join(",", parts);
      }
      case Rule.WithGuests(var label, var value, var apart, var strict) ->
          (strict ? "" : "prefer-") + (apart ? "apart:" : "together:") + label + "=" + value;
    };
  }

  static String text(Map<String, String> labels) {
    return String.join(
        ", ", new java.util.TreeMap<>(labels).entrySet().stream().map(Object::toString).toList());
  }
}
