package dev.haven.simulator.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.haven.model.config.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** docs/simulate.schema.json says what the reader accepts. */
class SchemaTest {
  private static final JsonNode SCHEMA = schema();

  private static JsonNode schema() {
    try {
      return new ObjectMapper().readTree(Path.of("../docs/simulate.schema.json").toFile());
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  static Stream<Path> examples() throws IOException {
    return ScenariosTest.files(ScenariosTest.EXAMPLES);
  }

  @ParameterizedTest
  @MethodSource("examples")
  void everyExampleFollowsIt(Path example) throws IOException {
    var text = Files.readString(example);
    assertThat(faults(text)).isEmpty();
    ScenarioFile.parse(example.toString(), text);
  }

  @Test
  void thereAreAtLeastFiveExamples() throws IOException {
    assertThat(examples()).hasSizeGreaterThanOrEqualTo(5);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "guests: []",
        "hosts: [{name: a, cpus: 8}]",
        "hosts: [{name: a, cpus: 0, memory: 1GiB}]",
        "hosts: [{name: a, cpus: 1, memory: big}]",
        "hosts: [{name: a, cpus: 1, memory: 1GiB, colour: red}]",
        "hosts: [{name: a, cpus: 1, memory: 1GiB}]\nevents: [{at: 5s}]",
        "hosts: [{name: a, cpus: 1, memory: 1GiB}]\nevents: [{at: noon, hang: a}]",
        "hosts: [{name: a, cpus: 1, memory: 1GiB}]\n"
            + "events: [{at: 5s, isolate: {host: a, network: wifi}}]",
      })
  void bothRefuseTheSame(String text) throws IOException {
    assertThat(faults(text)).isNotEmpty();
    org.assertj.core.api.Assertions.assertThatThrownBy(() -> ScenarioFile.parse("bad", text))
        .isInstanceOf(SettingsException.class);
  }

  @Test
  void itKnowsTheSameKeys() {
    assertThat(keys("host")).containsExactlyInAnyOrder(HostLines.HOST_KEYS);
    assertThat(keys("guest")).containsExactlyInAnyOrder(GuestLines.GUEST_KEYS);
    assertThat(keys("policy")).containsExactlyInAnyOrder(ScenarioFile.POLICY_KEYS);
    var events = new TreeSet<>(EventLines.EVENTS);
    events.add("at");
    assertThat(keys("event")).isEqualTo(events);
  }

  private static Set<String> keys(String definition) {
    var keys = new TreeSet<String>();
    SCHEMA.at("/$defs/" + definition + "/properties").fieldNames().forEachRemaining(keys::add);
    return keys;
  }

  private static List<String> faults(String yaml) throws IOException {
    var faults = new ArrayList<String>();
    check(SCHEMA, new YAMLMapper().readTree(yaml), "", faults);
    return faults;
  }

  /** As much of JSON Schema as ours uses; a word that it does not know is a fault of the schema. */
  private static void check(JsonNode schema, JsonNode value, String path, List<String> faults) {
    schema
        .fields()
        .forEachRemaining(
            rule -> {
              var says = rule.getValue();
              boolean kept =
                  switch (rule.getKey()) {
                    case "$schema", "$defs", "title", "description" -> true;
                    case "$ref" -> {
                      check(SCHEMA.at(says.asText().substring(1)), value, path, faults);
                      yield true;
                    }
                    case "type" -> type(says.asText(), value);
                    case "enum" -> {
                      boolean one = false;
                      for (var allowed : says) {
                        one |= allowed.asText().equals(value.asText());
                      }
                      yield one;
                    }
                    case "pattern" -> value.isTextual() && value.asText().matches(says.asText());
                    case "minimum" -> value.asDouble() >= says.asDouble();
                    case "maximum" -> value.asDouble() <= says.asDouble();
                    case "minItems" -> !value.isArray() || value.size() >= says.asInt();
                    case "minProperties" -> value.size() >= says.asInt();
                    case "maxProperties" -> value.size() <= says.asInt();
                    case "required" -> {
                      boolean all = true;
                      for (var name : says) {
                        all &= value.has(name.asText());
                      }
                      yield all;
                    }
                    case "items" -> {
                      for (int i = 0; value.isArray() && i < value.size(); i++) {
                        check(says, value.get(i), path + "[" + (i + 1) + "]", faults);
                      }
                      yield true;
                    }
                    case "properties" -> {
                      value
                          .fieldNames()
                          .forEachRemaining(
                              name -> {
                                if (says.has(name)) {
                                  check(says.get(name), value.get(name), path + "." + name, faults);
                                }
                              });
                      yield true;
                    }
                    case "additionalProperties" -> {
                      boolean known = true;
                      for (var names = value.fieldNames(); names.hasNext(); ) {
                        var name = names.next();
                        if (!schema.path("properties").has(name)) {
                          known &= says.isObject();
                          if (says.isObject()) {
                            check(says, value.get(name), path + "." + name, faults);
                          }
                        }
                      }
                      yield known;
                    }
                    case "anyOf" -> {
                      boolean any = false;
                      for (var choice : says) {
                        var against = new ArrayList<String>();
                        check(choice, value, path, against);
                        any |= against.isEmpty();
                      }
                      yield any;
                    }
                    default -> false;
                  };
              if (!kept) {
                faults.add(path + ": " + rule.getKey() + " " + says + " is not " + value);
              }
            });
  }

  private static boolean type(String type, JsonNode value) {
    return switch (type) {
      case "object" -> value.isObject();
      case "array" -> value.isArray();
      case "string" -> value.isTextual();
      case "integer" -> value.isIntegralNumber();
      case "number" -> value.isNumber();
      case "boolean" -> value.isBoolean();
      default -> false;
    };
  }
}
