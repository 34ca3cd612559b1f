package dev.haven.model.config;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.haven.model.Json;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Reads a configuration file into a record. Every component is a key and must be there, unless it
 * is an {@link Optional}; every other key is an error. The record's constructor may refuse a value
 * with an {@link IllegalArgumentException}, whose message then gets file, line and column.
 */
public final class Settings {
  private static final ObjectMapper MAPPER =
      Json.configure(JsonMapper.builder())
          .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
          .build();

  private Settings() {}

  /**
   * @throws SettingsException if the file is missing, half written or says something that {@code
   *     type} does not know; the message is for the operator
   */
  public static <T extends Record> T read(Path file, Class<T> type) throws SettingsException {
    var root = YamlFile.read(file, "a map with " + keys(type));
    if (root.isNothing()) {
      throw root.expected("a map with " + keys(type));
    }
    check(root, type);
    try {
      return MAPPER.treeToValue(root.json(), type);
    } catch (JacksonException e) {
      throw refused(at(root, e), e);
    }
  }

  /**
   * Reads {@code address:port}, IPv6 as {@code [address]:port}; a name is not looked up.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static InetSocketAddress socketAddress(String text) {
    int colon = text.lastIndexOf(':');
    var address = colon < 0 ? "" : text.substring(0, colon);
    if (address.startsWith("[") && address.endsWith("]")) {
      address = address.substring(1, address.length() - 1);
    } else if (address.contains(":")) {
      address = "";
    }
    int port = -1;
    try {
      port = Integer.parseInt(text.substring(colon + 1));
    } catch (NumberFormatException e) {
      // said below, as for any other fault
    }
    if (address.isEmpty() || port < 1 || port > 65_535) {
      throw new IllegalArgumentException(
          "'%s' must be address:port with a port of 1 to 65535".formatted(text));
    }
    return InetSocketAddress.createUnresolved(address, port);
  }

  /**
   * Looks at the keys alone, before anything is bound: binding would call a mistyped key a missing
   * one.
   */
  private static void check(YamlNode node, Type type) throws SettingsException {
    var raw = raw(type);
    if (raw == Optional.class) {
      if (!node.isNothing()) {
        check(node, argument(type, 0));
      }
    } else if (Collection.class.isAssignableFrom(raw) && node.isList()) {
      for (var item : node.items()) {
        check(item, argument(type, 0));
      }
    } else if (raw == Map.class) {
      for (var value : node.fields().all().values()) {
        check(value, argument(type, 1));
      }
    } else if (raw == int.class || raw == long.class) {
      node.whole(
          raw == int.class ? Integer.MIN_VALUE : Long.MIN_VALUE,
          raw == int.class ? Integer.MAX_VALUE : Long.MAX_VALUE);
    } else if (raw == boolean.class) {
      node.yes();
    } else if (node.isMap() && raw.isRecord()) {
      var fields = node.fields(names(raw));
      for (var component : raw.getRecordComponents()) {
        var value = fields.get(component.getName()).filter(v -> !v.isNothing());
        if (value.isPresent()) {
          check(value.get(), component.getGenericType());
        } else if (component.getType() != Optional.class) {
          throw node.wrong(
              "'%s' is missing; is the file complete? keys: %s", component.getName(), keys(raw));
        }
      }
    }
  }

  private static Class<?> raw(Type type) {
    return switch (type) {
      case Class<?> c -> c;
      case ParameterizedType p -> (Class<?>) p.getRawType();
      default -> Object.class;
    };
  }

  private static Type argument(Type type, int index) {
    return type instanceof ParameterizedType p ? p.getActualTypeArguments()[index] : Object.class;
  }

  /** The piece that could not be bound, or the innermost around it. */
  private static YamlNode at(YamlNode root, JacksonException e) throws SettingsException {
    var node = root;
    if (e instanceof JsonMappingException mapping) {
      for (var step : mapping.getPath()) {
        var next =
            step.getFieldName() == null
                ? node.items().stream().skip(step.getIndex()).findFirst()
                : node.fields().get(step.getFieldName());
        if (next.isEmpty()) {
          return node;
        }
        node = next.get();
      }
    }
    return node;
  }

  private static SettingsException refused(YamlNode node, JacksonException e) {
    Throwable cause = e;
    while (cause != null && !(cause instanceof IllegalArgumentException)) {
      cause = cause.getCause();
    }
    if (cause == null && e instanceof MismatchedInputException m && m.getTargetType() != null) {
      var wanted = m.getTargetType();
      if (Collection.class.isAssignableFrom(wanted)) {
        return node.expected("a list");
      }
      if (wanted.isEnum()) {
        return node.expected(
            Arrays.stream(wanted.getEnumConstants())
                .map(constant -> constant.toString().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(" or ")));
      }
      if (node.isList() || node.isMap()) {
        return node.expected(wanted.isRecord() ? "a map with " + keys(wanted) : "a word");
      }
    }
    var message = cause == null ? e.getOriginalMessage() : cause.getMessage();
    return node.wrong(
        "%s", message == null ? "unreadable" : message.lines().findFirst().orElse("unreadable"));
  }

  private static String[] names(Class<?> type) {
    return Arrays.stream(type.getRecordComponents())
        .map(RecordComponent::getName)
        .toArray(String[]::new);
  }

  private static String keys(Class<?> type) {
    return String.join(", ", names(type));
  }
}
