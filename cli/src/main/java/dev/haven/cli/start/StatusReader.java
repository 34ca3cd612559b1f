package dev.haven.cli.start;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.Network;
import dev.haven.model.OperationId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Views;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Reads the answer to {@code GET /v1/status} as {@link Json} does, but needs no mapper: to make one
 * and to have it find out about these records takes a young JVM 80 ms.
 */
public final class StatusReader {
  private StatusReader() {}

  /**
   * @throws UncheckedIOException if it is no status; its message says where
   */
  public static Views.Status read(byte[] json) {
    try (var parser = new JsonFactory().createParser(json)) {
      parser.nextToken();
      return status(Fields.of("the status", value(parser)));
    } catch (IllegalArgumentException | DateTimeParseException e) {
      throw new UncheckedIOException(new IOException(e.getMessage(), e));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static @Nullable Object value(JsonParser parser) throws IOException {
    var token = parser.currentToken();
    if (token == null) { // no case of the switch: that would be another kind, slow the first time
      throw new JsonParseException(parser, "ends too early");
    }
    return switch (token) {
      case START_OBJECT -> {
        var fields = new LinkedHashMap<String, @Nullable Object>();
        while (parser.nextToken() != JsonToken.END_OBJECT) {
          var name = parser.currentName();
          parser.nextToken();
          fields.put(name, value(parser));
        }
        yield fields;
      }
      case START_ARRAY -> {
        var values = new ArrayList<@Nullable Object>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          values.add(value(parser));
        }
        yield values;
      }
      case VALUE_STRING -> parser.getText();
      case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> parser.getNumberValue();
      case VALUE_TRUE -> true;
      case VALUE_FALSE -> false;
      case VALUE_NULL -> null;
      default -> throw new JsonParseException(parser, "is no value");
    };
  }

  private static Views.Status status(Fields o) {
    return new Views.Status(
        o.text("cluster"),
        o.number("version"),
        o.number("term"),
        o.maybe("leader", String.class),
        o.list("voters", StatusReader::voter),
        o.list("hosts", StatusReader::host),
        o.list("guests", StatusReader::guest),
        o.list("operations", StatusReader::operation),
        o.list("alarms", StatusReader::alarm),
        o.texts("redundancy"),
        o.maybe("alone", String.class));
  }

  private static Views.Voter voter(Fields o) {
    return new Views.Voter(
        o.text("name"),
        o.text("address"),
        o.maybe("api", String.class),
        o.flag("leader"),
        o.flag("reachable"),
        o.number("lag"),
        o.text("detail"));
  }

  private static Views.Host host(Fields o) {
    return new Views.Host(
        new HostId(o.text("id")),
        o.word("state", Views.Host.State.values()),
        o.flag("cordoned"),
        o.maybe("waiting", String.class),
        o.maybe("lastHeard", String.class).map(Duration::parse),
        capacity(o.fields("capacity")),
        o.number("memoryUsedMib"),
        o.count("vcpusUsed"),
        o.count("guests"),
        o.text("device"),
        o.maybe("boot", String.class),
        o.maybe("agentVersion", String.class),
        o.maybe("bound", String.class),
        spec(o.fields("spec")));
  }

  private static Capacity capacity(Fields o) {
    return new Capacity(
        o.number("memoryMib"),
        o.count("cpus"),
        o.text("hypervisor"),
        o.maybe("machines", List.class).map(_ -> o.texts("machines")));
  }

  private static HostSpec spec(Fields o) {
    var fencing = new ArrayList<List<FencingDevice>>();
    for (var level : o.of("fencing", List.class)) {
      fencing.add(Fields.each("fencing", level, StatusReader::device));
    }
    return new HostSpec(
        new HostId(o.text("id")),
        o.maybe("uuid", String.class),
        o.text("migrationUri"),
        o.list("networks", StatusReader::network),
        fencing,
        o.words("labels"),
        o.maybe("failureDomain", String.class),
        o.number("memoryReserveMib"),
        o.of("cpuOvercommit", Number.class).doubleValue());
  }

  private static Network network(Fields o) {
    return new Network(
        o.text("name"),
        o.text("address"),
        o.texts("roles").stream().map(Network.Role::valueOf).toList());
  }

  private static FencingDevice device(Fields o) {
    return new FencingDevice(o.text("name"), o.text("kind"), o.words("settings"));
  }

  private static Views.Guest guest(Fields o) {
    return new Views.Guest(
        new GuestId(o.text("id")),
        o.word("state", Views.Guest.State.values()),
        o.flag("wanted"),
        o.maybe("host", String.class).map(HostId::new),
        o.maybe("movingTo", String.class).map(HostId::new),
        o.number("epoch"),
        o.text("detail"),
        o.number("memoryMib"),
        o.count("vcpus"),
        o.count("priority"));
  }

  private static Views.Operation operation(Fields o) {
    return new Views.Operation(
        new OperationId(o.text("id")),
        o.word("kind", Views.Operation.Kind.values()),
        o.text("subject"),
        o.word("state", Views.Operation.State.values()),
        o.text("detail"),
        o.count("done"),
        o.count("total"),
        o.number("bytesDone"),
        o.number("bytesTotal"),
        o.number("rate"),
        Instant.parse(o.text("began")),
        o.maybe("ended", String.class).map(Instant::parse),
        o.text("by"));
  }

  private static Alarm alarm(Fields o) {
    return new Alarm(
        o.text("id"),
        o.word("kind", Alarm.Kind.values()),
        o.word("level", Alarm.Level.values()),
        o.text("subject"),
        o.text("message"),
        Instant.parse(o.text("since")));
  }

  /** A JSON object. */
  private record Fields(String what, Map<?, ?> values) {
    static Fields of(String what, @Nullable Object value) {
      return new Fields(what, as(what, value, Map.class));
    }

    private static <T> T as(String what, @Nullable Object value, Class<T> type) {
      if (!type.isInstance(value)) {
        throw new IllegalArgumentException(
            "%s: %s is no %s".formatted(what, value, type.getSimpleName()));
      }
      return type.cast(value);
    }

    static <T> List<T> each(String what, @Nullable Object values, Function<Fields, T> read) {
      var all = new ArrayList<T>();
      for (var value : as(what, values, List.class)) {
        all.add(read.apply(of(what, value)));
      }
      return all;
    }

    <T> T of(String name, Class<T> type) {
      return as(name, values.get(name), type);
    }

    <T> Optional<T> maybe(String name, Class<T> type) {
      var value = values.get(name);
      return value == null ? Optional.empty() : Optional.of(as(name, value, type));
    }

    String text(String name) {
      return of(name, String.class);
    }

    /** That constant, or the last one, which stands for the words of newer voters. */
    <E extends Enum<E>> E word(String name, E[] all) {
      var word = text(name);
      for (var one : all) {
        if (one.toString().equals(word)) {
          return one;
        }
      }
      return all[all.length - 1];
    }

    long number(String name) {
      return of(name, Number.class).longValue();
    }

    int count(String name) {
      return Math.toIntExact(number(name));
    }

    boolean flag(String name) {
      return of(name, Boolean.class);
    }

    Fields fields(String name) {
      return of(name, values.get(name));
    }

    <T> List<T> list(String name, Function<Fields, T> read) {
      return each(name, values.get(name), read);
    }

    List<String> texts(String name) {
      var texts = new ArrayList<String>();
      for (var text : of(name, List.class)) {
        texts.add(as(name, text, String.class));
      }
      return texts;
    }

    Map<String, String> words(String name) {
      var words = new LinkedHashMap<String, String>();
      of(name, Map.class)
          .forEach((key, text) -> words.put(String.valueOf(key), as(name, text, String.class)));
      return words;
    }
  }
}
