package dev.haven.model;

import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Placement rules as people write them: {@code apart:app=web}, {@code prefer-on:a,b}. */
public final class RuleText {
  public static final String HELP =
      "on:HOST,…  off:HOST,…  on:LABEL=VALUE  off:LABEL=VALUE (hosts' labels)"
          + "  together:LABEL=VALUE  apart:LABEL=VALUE (guests' labels);"
          + " 'prefer-' before it makes it a wish."
          + "  failback:HOST,… or LABEL=VALUE (a wish, and back there once it is well again)"
          + "  after:GUEST,… (starts once they run)"
          + "  follows:GUEST (runs where that guest runs, and moves after it)"
          + "  partial:yes (of a group that fits on no host, what fits on one starts)";

  private RuleText() {}

  /**
   * @throws IllegalArgumentException if it is none
   */
  public static Rule parse(String text) {
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
        case "failback" -> {
          if (strict) {
            var wish = onHosts(what, false, false);
            return new Rule.Failback(wish.hosts(), wish.labels());
          }
        }
        case "after" -> {
          if (strict) {
            return new Rule.After(
                Arrays.stream(what.split(",", -1)).map(GuestId::new).collect(Collectors.toSet()));
          }
        }
        case "follows" -> {
          return new Rule.Follows(new GuestId(what), strict);
        }
        case "partial" -> {
          if (strict && what.equals("yes")) {
            return new Rule.Partial();
          }
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

  private static Rule.OnHosts onHosts(String what, boolean avoid, boolean strict) {
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

  /** What {@link #parse} reads. */
  public static String of(Rule rule) {
    return switch (rule) {
      case Rule.OnHosts(var hosts, var labels, var avoid, var strict) ->
          (strict ? "" : "prefer-") + (avoid ? "off:" : "on:") + names(hosts, labels);
      case Rule.Failback(var hosts, var labels) -> "failback:" + names(hosts, labels);
      case Rule.After(var guests) ->
          "after:" + guests.stream().map(GuestId::value).sorted().collect(Collectors.joining(","));
      case Rule.WithGuests(var label, var value, var apart, var strict) ->
          (strict ? "" : "prefer-") + (apart ? "apart:" : "together:") + label + "=" + value;
      case Rule.Follows(var guest, var strict) -> (strict ? "" : "prefer-") + "follows:" + guest;
      case Rule.Partial _ -> "partial:yes";
    };
  }

  private static String names(Set<HostId> hosts, Map<String, String> labels) {
    var parts = new TreeSet<String>();
    hosts.forEach(host -> parts.add(host.value()));
    labels.forEach((label, value) -> parts.add(label + "=" + value));
    return String.join(",", parts);
  }
}
