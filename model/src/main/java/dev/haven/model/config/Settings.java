package dev.haven.model.config;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.haven.model.Json;
import java.io.IOException;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.net.InetSocketAddress;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.yaml.snakeyaml.error.MarkedYAMLException;

/**
 * Reads a configuration file into a record. Every component is a key and must be there, unless it
 * is an {@link Optional}; every other key is an error. The record's constructor may refuse a value
 * with an {@link IllegalArgumentException}, whose message then gets file and line.
 */
public final class Settings {
  private static final ObjectMapper MAPPER = mapper();

  private Settings() {}

  /**
   * @throws SettingsException if the file is missing, half written or says something that {@code
   *     type} does not know; the message is for the operator
   */
  public static <T extends Record> T read(Path file, Class<T> type) throws SettingsException {
    String text;
    try {
      text = Files.readString(file);
    } catch (NoSuchFileException e) {
      throw new SettingsException("%s: there is no such file".formatted(file));
    } catch (MalformedInputException e) {
      throw new SettingsException("%s: is not UTF-8 text".formatted(file));
    } catch (IOException e) {
      throw new SettingsException("%s: cannot be read (%s)".formatted(file, e));
    }
    if (text.isBlank()) {
      throw new SettingsException("%s: is empty; it needs the keys %s".formatted(file, keys(type)));
    }
    try {
      checkKeys(file, text, type);
      return MAPPER.readValue(text, type);
    } catch (JacksonException e) {
      if (e.getCause() instanceof MarkedYAMLException yaml) {
        throw new SettingsException(
            "%s, line %d: is no YAML, or only half of it: %s"
                .formatted(file, lineOf(yaml), firstLine(yaml.getProblem())));
      }
      throw new SettingsException(file + line(e.getLocation()) + ": " + explain(e));
    } catch (IOException e) {
      throw e instanceof SettingsException said ? said : new SettingsException(file + ": " + e);
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

  private static ObjectMapper mapper() {
    return Json.configure(YAMLMapper.builder())
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
        .build();
  }

  /**
   * Looks at the keys alone, before anything is bound: binding would call a mistyped key a missing
   * one.
   */
  private static void checkKeys(Path file, String text, Class<?> type) throws IOException {
    try (var parser = MAPPER.createParser(text)) {
      parser.nextToken();
      checkKeys(file, parser, type, "");
    }
  }

  private static void checkKeys(Path file, JsonParser parser, Type type, String path)
      throws IOException {
    var raw = raw(type);
    if (raw == Optional.class) {
      checkKeys(file, parser, argument(type, 0), path);
    } else if (parser.currentToken() == JsonToken.START_ARRAY
        && Collection.class.isAssignableFrom(raw)) {
      for (int i = 1; parser.nextToken() != JsonToken.END_ARRAY; i++) {
        checkKeys(file, parser, argument(type, 0), path + "[" + i + "]");
      }
    } else if (parser.currentToken() == JsonToken.START_OBJECT && raw == Map.class) {
      while (parser.nextToken() != JsonToken.END_OBJECT) {
        var key = parser.currentName();
        parser.nextToken();
        checkKeys(file, parser, argument(type, 1), path + "." + key);
      }
    } else if (parser.currentToken() == JsonToken.START_OBJECT && raw.isRecord()) {
      checkRecord(file, parser, raw, path);
    } else {
      parser.skipChildren();
    }
  }

  private static void checkRecord(Path file, JsonParser parser, Class<?> type, String path)
      throws IOException {
    var missing = new LinkedHashMap<String, Type>();
    var known = new LinkedHashMap<String, Type>();
    for (var component : type.getRecordComponents()) {
      known.put(component.getName(), component.getGenericType());
      if (component.getType() != Optional.class) {
        missing.put(component.getName(), component.getGenericType());
      }
    }
    var where = path.isEmpty() ? "" : " in " + path;
    var begin = path.isEmpty() ? "" : line(parser.currentTokenLocation());
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      var key = parser.currentName();
      var of = known.get(key);
      if (of == null) {
        throw new SettingsException(
            "%s%s: unknown key '%s'%s; known keys: %s"
                .formatted(file, line(parser.currentTokenLocation()), key, where, keys(type)));
      }
      if (parser.nextToken() != JsonToken.VALUE_NULL) {
        missing.remove(key);
      }
      checkKeys(file, parser, of, path.isEmpty() ? key : path + "." + key);
    }
    if (!missing.isEmpty()) {
      throw new SettingsException(
          "%s%s: '%s' is missing%s; is the file complete? keys: %s"
              .formatted(file, begin, missing.firstEntry().getKey(), where, keys(type)));
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

  private static String explain(JacksonException e) {
    if (!(e instanceof JsonMappingException mapping)) {
      return firstLine(e.getOriginalMessage());
    }
    Throwable cause = mapping;
    while (cause != null && !(cause instanceof IllegalArgumentException)) {
      cause = cause.getCause();
    }
    var path = path(mapping);
    return (path.isEmpty() ? "" : path + ": ")
        + firstLine(cause == null ? mapping.getOriginalMessage() : cause.getMessage());
  }

  private static String path(JsonMappingException e) {
    var text = new StringBuilder();
    for (var step : e.getPath()) {
      if (step.getFieldName() != null) {
        text.append(text.isEmpty() ? "" : ".").append(step.getFieldName());
      } else {
        text.append('[').append(step.getIndex() + 1).append(']');
      }
    }
    return text.toString();
  }

  private static String keys(Class<?> type) {
    return Arrays.stream(type.getRecordComponents())
        .map(RecordComponent::getName)
        .collect(Collectors.joining(", "));
  }

  private static int lineOf(MarkedYAMLException e) {
    var mark = e.getProblemMark();
    return mark == null ? 1 : mark.getLine() + 1;
  }

  private static String line(@Nullable JsonLocation location) {
    return location == null || location.getLineNr() < 1 ? "" : ", line " + location.getLineNr();
  }

  private static String firstLine(@Nullable String message) {
    return message == null ? "unreadable" : message.lines().findFirst().orElse("unreadable");
  }
}
