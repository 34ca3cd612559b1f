package dev.haven.model.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.haven.model.Amounts;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Names;
import dev.haven.model.Size;
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
import org.yaml.snakeyaml.error.Mark;
import org.yaml.snakeyaml.nodes.MappingNode;
import org.yaml.snakeyaml.nodes.Node;
import org.yaml.snakeyaml.nodes.ScalarNode;
import org.yaml.snakeyaml.nodes.SequenceNode;
import org.yaml.snakeyaml.nodes.Tag;

/**
 * One value in a YAML file that a person wrote. It knows where it stands, so that whatever is wrong
 * with it is said with line and column.
 */
public final class YamlNode {
  private static final long MEMORY_MAX_MIB = 64L << 20;

  private final String file;
  private final String path;
  private final Node node;

  YamlNode(String file, String path, Node node) {
    this.file = file;
    this.path = path;
    this.node = node;
  }

  static String at(Mark mark) {
    return (mark.getLine() + 1) + ":" + (mark.getColumn() + 1);
  }

  /** {@code file:line:column: path: what}. */
  public SettingsException wrong(String what, Object... values) {
    return new SettingsException(
        "%s:%s: %s%s"
            .formatted(
                file,
                at(node.getStartMark()),
                path.isEmpty() ? "" : path + ": ",
                what.formatted(values)));
  }

  /** {@code file:line:column: path: expected what, found something else}. */
  SettingsException expected(String what) {
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

  boolean isNothing() {
    return node.getTag().equals(Tag.NULL);
  }

  /** Nothing, or a map or list with nothing in it. */
  public void none() throws SettingsException {
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

  public boolean isMap() {
    return node instanceof MappingNode;
  }

  public boolean isList() {
    return node instanceof SequenceNode;
  }

  /** The keys and values of a map. */
  public final class Fields {
    private final Map<String, YamlNode> all = new LinkedHashMap<>();

    private Fields(String... known) throws SettingsException {
      if (!(node instanceof MappingNode map)) {
        throw expected(known.length == 0 ? "a map" : "a map with " + String.join(", ", known));
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

    public Optional<YamlNode> get(String key) {
      return Optional.ofNullable(all.get(key));
    }

    public YamlNode need(String key) throws SettingsException {
      var value = all.get(key);
      if (value == null) {
        throw wrong("'%s' is missing", key);
      }
      return value;
    }

    public Map<String, YamlNode> all() {
      return all;
    }

    /** What a key says, or else this. */
    public <T> T or(String key, Reading<T> reading, T otherwise) throws SettingsException {
      var value = all.get(key);
      return value == null ? otherwise : reading.of(value);
    }
  }

  /** How a piece is read. */
  public interface Reading<T> {
    T of(YamlNode piece) throws SettingsException;
  }

  /**
   * @param known keys; any, if none is named
   */
  public Fields fields(String... known) throws SettingsException {
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
  public YamlNode numbered(long number) throws SettingsException {
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
  public List<YamlNode> items() throws SettingsException {
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
  public List<YamlNode> oneOrMore() throws SettingsException {
    if (!isList()) {
      return List.of(this);
    }
    var items = items();
    if (items.isEmpty()) {
      throw expected("at least one");
    }
    return items;
  }

  public String text() throws SettingsException {
    if (!(node instanceof ScalarNode scalar) || isNothing()) {
      throw expected("a word");
    }
    return scalar.getValue();
  }

  /** A value whose own type says what is wrong with it. */
  public <T> T as(Function<String, T> type) throws SettingsException {
    try {
      return type.apply(text());
    } catch (IllegalArgumentException e) {
      throw wrong("%s", String.valueOf(e.getMessage()));
    }
  }

  public HostId host() throws SettingsException {
    return as(HostId::new);
  }

  public GuestId guest() throws SettingsException {
    return as(GuestId::new);
  }

  public long whole(long least, long most) throws SettingsException {
    try {
      long value = Long.parseLong(text());
      if (value >= least && value <= most) {
        return value;
      }
    } catch (NumberFormatException e) {
      // said below
    }
    throw expected(
        least <= Integer.MIN_VALUE
            ? "a whole number"
            : "a whole number from %d to %d".formatted(least, most));
  }

  public double number(double least, double most) throws SettingsException {
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

  public boolean yes() throws SettingsException {
    return switch (text()) {
      case "true" -> true;
      case "false" -> false;
      default -> throw expected("true or false");
    };
  }

  public Duration time() throws SettingsException {
    return time(text()).orElseThrow(() -> expected("a time such as 500ms, 30s, 2m, 1h or 1d"));
  }

  /** A time, if this is one. */
  public static Optional<Duration> time(String text) {
    return Amounts.durationWithUnit(text).filter(time -> time.toDays() < 366);
  }

  /** A size in MiB, at least 1. */
  public long mib() throws SettingsException {
    return mib(1);
  }

  public long mib(long least) throws SettingsException {
    var size = as(Size::parse);
    if (size.bytes() % (1 << 20) != 0 || size.mib() < least || size.mib() > MEMORY_MAX_MIB) {
      throw expected("a size in whole MiB, up to 64TiB, such as 512MiB or 4GiB");
    }
    return size.mib();
  }

  /** One of some constants, written in lower case with dashes. */
  public <E extends Enum<E>> E oneOf(Class<E> type) throws SettingsException {
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

  public static String word(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  public Map<String, String> labels() throws SettingsException {
    var labels = new LinkedHashMap<String, String>();
    for (var e : fields().all().entrySet()) {
      labels.put(e.getKey(), e.getValue().text());
    }
    return labels;
  }

  /**
   * The same for a mapper: every word is text, whatever it looks like, so that {@code 007} stays
   * what was written; who binds it knows whether it wants a number.
   *
   * @throws SettingsException if a key is there twice
   */
  JsonNode json() throws SettingsException {
    var json = JsonNodeFactory.instance;
    if (isMap()) {
      var map = json.objectNode();
      for (var e : fields().all().entrySet()) {
        map.set(e.getKey(), e.getValue().json());
      }
      return map;
    }
    if (isList()) {
      var list = json.arrayNode();
      for (var item : items()) {
        list.add(item.json());
      }
      return list;
    }
    return isNothing() ? json.nullNode() : json.textNode(text());
  }
}
