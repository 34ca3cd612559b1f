package dev.haven.simulator.scenario;

import dev.haven.model.Amounts;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Names;
import dev.haven.model.Size;
import java.io.StringReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.yaml.snakeyaml.DumperOptions;
import org.yaml.snakeyaml.LoaderOptions;
import org.yaml.snakeyaml.Yaml;
import org.yaml.snakeyaml.constructor.SafeConstructor;
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.error.MarkedYAMLException;
import org.yaml.snakeyaml.error.YAMLException;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * One value in a YAML file. It knows where it stands, so that whatever is wrong with it is said
 * with line and column.
 */
final class YamlNode {
  private static final long MEMORY_MAX_MIB = 64L << 20;

  private final String file;
  private final String path;
  private final Node node;

  private YamlNode(String file, String path, Node node) {
    this.file = file;
    this.path = path;
    this.node = node;
  }

  /** The whole of a file. */
  static YamlNode of(String file, String text) throws ScenarioException {
    var options = new LoaderOptions();
    options.setCodePointLimit(64 << 20);
    options.setMaxAliasesForCollections(0);
    try {
      var node = new Yaml(new SafeConstructor(options)).compose(new StringReader(text));
      if (node == null) {
        throw new ScenarioException(
            file + ":1:1: is empty; expected a map with at least hosts, guests and events");
      }
      return new YamlNode(file, "", node);
    } catch (MarkedYAMLException e) {
      var mark = e.getProblemMark();
      throw new ScenarioException(
          "%s:%s: is no YAML, or only half of it: %s"
              .formatted(file, mark == null ? "1:1" : at(mark), e.getProblem()));
    } catch (YAMLException e) {
      throw new ScenarioException("%s:1:1: is no YAML: %s".formatted(file, e.getMessage()));
    }
  }

  private static String at(Mark mark) {
    return (mark.getLine() + 1) + ":" + (mark.getColumn() + 1);
  }

  /** {@code file:line:column: path: what}. */
  ScenarioException wrong(String what, Object... values) {
    return new ScenarioException(
        "%s:%s: %s%s"
            .formatted(
                file,
                at(node.getStartMark()),
                path.isEmpty() ? "" : path + ": ",
                what.formatted(values)));
  }

  private ScenarioException expected(String what) {
    return wrong("expected %s, found %s", what, found());
  }

  private String found() {
    return switch (node) {
      case MappingNode _ -> "a map";
      case SequenceNode _ -> "a list";
      case ScalarNode s when isNothing() -> s.getValue().isEmpty() ? "nothing" : s.getValue();
      case ScalarNode s -> "'" + s.getValue() + "'";
      default -> "something else";
    };
  }

  private boolean isNothing() {
    return node.getTag().equals(Tag.NULL);
  }

  /** Nothing, or a map or list with nothing in it. */
  void none() throws ScenarioException {
    boolean empty =
        switch (node) {
          case MappingNode m -> m.getValue().isEmpty();
          case SequenceNode s -> s.getValue().isEmpty();
          default -> isNothing();
        };
    if (!empty) {
      throw expected("nothing, as in {}");
    }
  }

  boolean isMap() {
    return node instanceof MappingNode;
  }

  boolean isList() {
    return node instanceof SequenceNode;
  }

  /** The keys and values of a map. */
  final class Fields {
    private final Map<String, YamlNode> all = new LinkedHashMap<>();

    private Fields(String... known) throws ScenarioException {
      if (!(node instanceof MappingNode map)) {
        throw expected("a map with " + String.join(", ", known));
      }
      var names = List.of(known);
      for (var tuple : map.getValue()) {
        if (!(tuple.getKeyNode() instanceof ScalarNode k)) {
          throw new YamlNode(file, path, tuple.getKeyNode()).wrong("a key must be a word");
        }
        var key = new YamlNode(file, path, k);
        if (!names.isEmpty() && !names.contains(k.getValue())) {
          throw key.wrong(
              "unknown key '%s'%s; expected one of %s",
              k.getValue(), suggestion(k.getValue(), names), String.join(", ", known));
        }
        var value =
            new YamlNode(
                file,
                path.isEmpty() ? k.getValue() : path + "." + k.getValue(),
                tuple.getValueNode());
        if (all.put(k.getValue(), value) != null) {
          throw key.wrong("'%s' is there twice", k.getValue());
        }
      }
    }

    Optional<YamlNode> get(String key) {
      return Optional.ofNullable(all.get(key));
    }

    YamlNode need(String key) throws ScenarioException {
      var value = all.get(key);
      if (value == null) {
        throw wrong("'%s' is missing", key);
      }
      return value;
    }

    Map<String, YamlNode> all() {
      return all;
    }

    /** What a key says, or else this. */
    <T> T or(String key, Reading<T> reading, T otherwise) throws ScenarioException {
      var value = all.get(key);
      return value == null ? otherwise : reading.of(value);
    }
  }

  /** How a piece is read. */
  interface Reading<T> {
    T of(YamlNode piece) throws ScenarioException;
  }

  /**
   * @param known keys; any, if none is named
   */
  Fields fields(String... known) throws ScenarioException {
    return new Fields(known);
  }

  private static String suggestion(String wrong, List<String> names) {
    return names.stream()
        .filter(n -> Names.distance(n, wrong) <= 2)
        .min(Comparator.comparingInt(n -> Names.distance(n, wrong)))
        .map(n -> ", perhaps '" + n + "'")
        .orElse("");
  }

  /** The same name with a number behind it. */
  YamlNode numbered(long number) throws ScenarioException {
    return new YamlNode(
        file,
        path,
        new ScalarNode(
            Tag.STR,
            text() + "-" + number,
            node.getStartMark(),
            node.getEndMark(),
            DumperOptions.ScalarStyle.PLAIN));
  }

  /** The items of a list. */
  List<YamlNode> items() throws ScenarioException {
    if (!(node instanceof SequenceNode list)) {
      throw expected("a list");
    }
    var items = new ArrayList<YamlNode>();
    for (int i = 0; i < list.getValue().size(); i++) {
      items.add(new YamlNode(file, path + "[" + (i + 1) + "]", list.getValue().get(i)));
    }
    return items;
  }

  /** The items of a list, or the one that stands there alone. */
  List<YamlNode> oneOrMore() throws ScenarioException {
    if (!isList()) {
      return List.of(this);
    }
    var items = items();
    if (items.isEmpty()) {
      throw expected("at least one");
    }
    return items;
  }

  String text() throws ScenarioException {
    if (!(node instanceof ScalarNode scalar) || isNothing()) {
      throw expected("a word");
    }
    return scalar.getValue();
  }

  /** A value whose own type says what is wrong with it. */
  <T> T as(Function<String, T> type) throws ScenarioException {
    try {
      return type.apply(text());
    } catch (IllegalArgumentException e) {
      throw wrong("%s", String.valueOf(e.getMessage()));
    }
  }

  HostId host() throws ScenarioException {
    return as(HostId::new);
  }

  GuestId guest() throws ScenarioException {
    return as(GuestId::new);
  }

  long whole(long least, long most) throws ScenarioException {
    try {
      long value = Long.parseLong(text());
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw expected("a whole number from %d to %d".formatted(least, most));
  }

  double number(double least, double most) throws ScenarioException {
    try {
      double value = Double.parseDouble(text());
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw expected("a number from %s to %s".formatted(least, most));
  }

  boolean yes() throws ScenarioException {
    return switch (text()) {
      case "true" -> true;
      case "false" -> false;
      default -> throw expected("true or false");
    };
  }

  Duration time() throws ScenarioException {
    return time(text()).orElseThrow(() -> expected("a time such as 500ms, 30s, 2m, 1h or 1d"));
  }

  /** A time, if this is one. */
  static Optional<Duration> time(String text) {
    return Amounts.durationWithUnit(text).filter(time -> time.toDays() < 366);
  }

  /** A size in MiB, at least 1. */
  long mib() throws ScenarioException {
    return mib(1);
  }

  long mib(long least) throws ScenarioException {
    var size = as(Size::parse);
    if (size.bytes() % (1 << 20) != 0 || size.mib() < least || size.mib() > MEMORY_MAX_MIB) {
      throw expected("a size in whole MiB, up to 64TiB, such as 512MiB or 4GiB");
    }
    return size.mib();
  }

  /** One of some constants, written in lower case with dashes. */
  <E extends Enum<E>> E oneOf(Class<E> type) throws ScenarioException {
    var text = text();
    for (var value : type.getEnumConstants()) {
      if (word(value).equals(text)) {
        return value;
      }
    }
    throw expected(
        Arrays.stream(type.getEnumConstants())
            .map(YamlNode::word)
            .collect(Collectors.joining(" or ")));
  }

  static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  Map<String, String> labels() throws ScenarioException {
    var labels = new LinkedHashMap<String, String>();
    for (var e : fields().all().entrySet()) {
      labels.put(e.getKey(), e.getValue().text());
    }
    return labels;
  }
}
