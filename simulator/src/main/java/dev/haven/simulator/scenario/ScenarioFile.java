package dev.haven.simulator.scenario;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.haven.model.Json;
import dev.haven.model.Policy;
import dev.haven.model.config.SettingsException;
import dev.haven.model.config.YamlFile;
import dev.haven.model.config.YamlNode;
import dev.haven.simulator.Stage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Reads a scenario, strictly: what it does not know is an error. The keys: docs/simulate.md. */
public final class ScenarioFile {
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

  private static final String EXPECTED = "a map with at least hosts, guests and events";

  private final Known known = new Known();
  private final HostLines hostLines = new HostLines(known);
  private final GuestLines guestLines = new GuestLines(known);
  private final EventLines events = new EventLines(known, hostLines, guestLines);

  private ScenarioFile() {}

  /**
   * @throws SettingsException if it is missing or wrong
   */
  public static Scenario read(Path file) throws SettingsException {
    return new ScenarioFile().scenario(YamlFile.read(file, EXPECTED));
  }

  /**
   * @param name of the file, for messages
   */
  public static Scenario parse(String name, String text) throws SettingsException {
    return new ScenarioFile().scenario(YamlFile.of(name, text, EXPECTED));
  }

  /**
   * Reads what people type: {@code power-off a b}, or as in a file {@code fencing: {host: a, now:
   * hangs}}.
   *
   * @param in the cluster to which it happens
   * @param words at least one
   */
  public static Happening happening(Scenario in, List<String> words) throws SettingsException {
    var reader = new ScenarioFile();
    in.hosts().forEach(h -> reader.known.hostNames.add(h.spec().id()));
    in.guests().forEach(g -> reader.known.guestNames.add(g.spec().id()));
    var text =
        words.getFirst().contains(":")
            ? String.join(" ", words)
            : words.getFirst() + ": [" + String.join(", ", words.subList(1, words.size())) + "]";
    var piece = YamlFile.of("what-if", text, "what happens");
    var happening =
        piece.fields(EventLines.EVENTS.toArray(String[]::new)).all().entrySet().iterator().next();
    return reader.events.happening(happening.getKey(), piece, happening.getValue());
  }

  private Scenario scenario(YamlNode file) throws SettingsException {
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
    var hosts = new ArrayList<Stage.HostAtFirst>();
    for (var host : f.need("hosts").items()) {
      hosts.addAll(hostLines.read(host));
    }
    if (hosts.isEmpty()) {
      throw f.need("hosts").wrong("expected at least one host");
    }
    var voters = hostLines.voters(f);
    var guests = guests(f);
    return new Scenario(
        f.or("description", YamlNode::text, ""),
        f.get("seed").isPresent()
            ? Optional.of(f.get("seed").get().whole(0, Long.MAX_VALUE))
            : Optional.empty(),
        f.or("policy", ScenarioFile::policy, Policy.DEFAULT),
        List.copyOf(hosts),
        guests,
        voters,
        f.or("events", events::read, List.of()),
        f.get("run").isPresent() ? Optional.of(f.get("run").get().time()) : Optional.empty(),
        f.or("settle-within", YamlNode::time, Scenario.SETTLE_WITHIN));
  }

  private List<Stage.GuestAtFirst> guests(YamlNode.Fields f) throws SettingsException {
    var atFirst = new ArrayList<Stage.GuestAtFirst>();
    if (f.get("guests").isPresent()) {
      for (var guest : f.get("guests").get().items()) {
        atFirst.addAll(guestLines.read(guest));
      }
    }
    if (f.get("rules").isPresent()) {
      for (var rule : f.get("rules").get().items()) {
        guestLines.rule(rule, atFirst);
      }
    }
    if (f.get("groups").isPresent()) {
      for (var group : f.get("groups").get().fields().all().values()) {
        guestLines.group(group, atFirst);
      }
    }
    if (f.get("guests").isPresent()) {
      GuestLines.inOrder(f.get("guests").get(), atFirst);
    }
    return atFirst;
  }

  private static Policy policy(YamlNode piece) throws SettingsException {
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
}
