package dev.haven.fencing;

import dev.haven.fencing.Program.Result;
import dev.haven.model.Xml;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.w3c.dom.Element;

/**
 * What a fence agent says about itself.
 *
 * @param options by name, deprecated ones too
 * @param actions the names of what it can do
 * @param needsUnfencing it marks its action "on" as automatic or to be run on the host itself
 */
record AgentMetadata(Map<String, Option> options, Set<String> actions, boolean needsUnfencing) {
  /** The agent is asked once, and again when its file has changed. */
  private static final Map<Path, Known> KNOWN = new ConcurrentHashMap<>();

  private static final Duration LIMIT = Duration.ofSeconds(20);

  private record Known(FileTime changed, AgentMetadata metadata) {}

  /**
   * One option.
   *
   * @param otherNames deprecated names for the same
   * @param unique no two devices may have the same value
   * @param type as in the metadata: string, integer, second, boolean, select
   * @param standard its default
   * @param choices for a select
   */
  record Option(
      String name,
      Set<String> otherNames,
      boolean unique,
      boolean required,
      String type,
      Optional<String> standard,
      List<String> choices,
      String description) {
    /** What the value should have been. */
    Optional<String> complaint(String value) {
      var text = value.strip().toLowerCase(Locale.ROOT);
      return switch (type) {
        case "integer", "second" ->
            text.matches("-?\\d+") ? Optional.empty() : Optional.of("give a whole number");
        case "boolean" ->
            text.matches("|0|1|true|false|yes|no|on|off")
                ? Optional.empty()
                : Optional.of("give 1 or 0");
        case "select" ->
            choices.isEmpty() || choices.contains(value.strip())
                ? Optional.empty()
                : Optional.of("choose from " + String.join(", ", choices));
        default -> Optional.empty();
      };
    }
  }

  Optional<String> passwordOption() {
    return List.of("password", "passwd").stream().filter(options::containsKey).findFirst();
  }

  static AgentMetadata of(Path agent, DeviceSettings settings) {
    try {
      var changed = Files.getLastModifiedTime(agent);
      var known = KNOWN.get(agent);
      if (known == null || !known.changed().equals(changed)) {
        known = new Known(changed, ask(agent, settings));
        KNOWN.put(agent, known);
      }
      return known.metadata();
    } catch (IOException e) {
      throw settings.wrong(
          "cannot read " + agent + " (" + e.getMessage() + ")", "check its permissions");
    }
  }

  private static AgentMetadata ask(Path agent, DeviceSettings settings) {
    var result =
        Program.run(List.of(agent.toString()), Map.of(), "action=metadata\n", List.of(), LIMIT);
    String why;
    switch (result) {
      case Result.Exited exited when exited.code() == 0 -> {
        try {
          return parse(exited.output());
        } catch (IllegalArgumentException e) {
          why = "what it prints is no metadata (" + e.getMessage() + ")";
        }
      }
      case Result.Exited exited ->
          why = "it ended with " + exited.code() + ": " + exited.complaint();
      case Result.Failed(var reason) -> why = reason;
    }
    throw settings.wrong(
        agent + " does not describe itself: " + why,
        "run 'echo action=metadata | " + agent + "' by hand, and check that it is a fence agent");
  }

  /**
   * @throws IllegalArgumentException when it is not the XML of an agent
   */
  static AgentMetadata parse(String xml) {
    var root = Xml.documentWithDoctype("metadata", xml.strip()).getDocumentElement();
    if (!root.getTagName().equals("resource-agent")) {
      throw new IllegalArgumentException("its root is " + root.getTagName());
    }
    var options = new LinkedHashMap<String, Option>();
    var parameters = children(root, "parameters", "parameter");
    for (var parameter : parameters) {
      var name = parameter.getAttribute("name");
      var content = children(parameter, "content").stream().findFirst();
      var deprecated = flag(parameter, "deprecated");
      options.put(
          name,
          new Option(
              name,
              otherNames(parameter, parameters),
              flag(parameter, "unique"),
              flag(parameter, "required") && !deprecated,
              content.map(c -> c.getAttribute("type")).orElse("string"),
              content.filter(c -> c.hasAttribute("default")).map(c -> c.getAttribute("default")),
              content.map(c -> children(c, "option")).orElse(List.of()).stream()
                  .map(o -> o.getAttribute("value"))
                  .toList(),
              children(parameter, "shortdesc").stream()
                  .findFirst()
                  .map(d -> d.getTextContent().strip())
                  .orElse("")));
    }
    var actions = new HashSet<String>();
    boolean unfencing = false;
    for (var action : children(root, "actions", "action")) {
      actions.add(action.getAttribute("name"));
      unfencing |=
          action.getAttribute("name").equals("on")
              && (flag(action, "automatic") || flag(action, "on_target"));
    }
    return new AgentMetadata(options, actions, unfencing);
  }

  /** The names that it replaced, and those that stand for the same option on the command line. */
  private static Set<String> otherNames(Element parameter, List<Element> all) {
    var names = new HashSet<String>();
    if (parameter.hasAttribute("obsoletes")) {
      names.add(parameter.getAttribute("obsoletes"));
    }
    var mixed = mixed(parameter);
    for (var other : all) {
      if (mixed.isPresent() && mixed.equals(mixed(other)) && other != parameter) {
        names.add(other.getAttribute("name"));
      }
    }
    return names;
  }

  private static Optional<String> mixed(Element parameter) {
    return children(parameter, "getopt").stream()
        .findFirst()
        .map(g -> g.getAttribute("mixed"))
        .filter(text -> !text.isEmpty());
  }

  private static boolean flag(Element element, String attribute) {
    return element.getAttribute(attribute).equals("1");
  }

  private static List<Element> children(Element parent, String... path) {
    var found = List.of(parent);
    for (var step : path) {
      var next = new ArrayList<Element>();
      for (var element : found) {
        for (var node = element.getFirstChild(); node != null; node = node.getNextSibling()) {
          if (node instanceof Element child && child.getTagName().equals(step)) {
            next.add(child);
          }
        }
      }
      found = next;
    }
    return found;
  }
}
