package dev.haven.simulator.scenario;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.config.SettingsException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A wrong file is told with line, column and what was expected. */
class WrongFilesTest {
  private static final String HOSTS = "hosts:\n  - {name: a, cpus: 8, memory: 32GiB}\n";

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "hots: []  | 1:1: unknown key 'hots', perhaps 'hosts'; expected one of description",
        "guests: []  | 1:1: 'hosts' is missing",
        "hosts: []  | 1:8: hosts: expected at least one host",
        "hosts: 3  | 1:8: hosts: expected a list, found '3'",
        "[]  | 1:1: expected a map with description, seed",
        "hosts: [{name: a, cpus: 8}]  | 1:9: hosts[1]: 'memory' is missing",
        "hosts: [{name: a, cpus: many, memory: 1GiB}]  | 1:25: hosts[1].cpus: expected a whole"
            + " number from 1 to 4096, found 'many'",
        "hosts: [{name: a, cpus: 0, memory: 1GiB}]  | 1:25: hosts[1].cpus: expected a whole number"
            + " from 1 to 4096, found '0'",
        "hosts: [{name: a, cpus: 1, memory: big}]  | 1:36: hosts[1].memory: size 'big' is not a"
            + " number with a unit; write it like 2GiB or 512MiB",
        "hosts: [{name: a b, cpus: 1, memory: 1GiB}]  | 1:16: hosts[1].name: host name 'a b': use 1"
            + " to 63",
        "hosts: [{name: a, cpus: 1, memory: 1GiB, voter: maybe}]  | 1:49: hosts[1].voter: expected"
            + " true or false, found 'maybe'",
        "hosts: [{name: a, cpus: 1, memory: 1GiB, power: up}]  | 1:49: hosts[1].power: expected on"
            + " or off, found 'up'",
        "hosts: [{name: a, name: b, cpus: 1, memory: 1GiB}]  | 1:19: hosts[1]: 'name' is there"
            + " twice",
        "hosts: [{name: a, cpus: 1, memory: 1GiB}, {name: a, cpus: 1, memory: 1GiB}]  | 1:50:"
            + " hosts[2].name: there is a host 'a' already",
        "hosts: [{name: a, count: 2, cpus: 1, memory: 1GiB, voter: true}]  | 1:8: hosts: expected"
            + " 1, 3 or 5 voters, found 2: a-1, a-2",
        "hosts: [{name: a, cpus: 1  | 1:26: is no YAML, or only half of it",
        "`` | 1:1: is empty; expected a map",
      })
  void inTheCluster(String text, String message) {
    refused(text, message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "guests: [{name: web, memory: 1GiB, host: x}]  | 3:42: guests[1].host: there is no host"
            + " 'x'; there are a",
        "guests: [{name: web, memory: 1GiB, desired: up}]  | 3:45: guests[1].desired: expected"
            + " running or stopped, found 'up'",
        "guests: [{name: web, memory: 1GiB, rules: [near:b]}]  | 3:44: guests[1].rules[1]: rule"
            + " 'near:b': write it as one of",
        "guests: [{name: web, memory: 1GiB, rules: ['on:b']}]  | 3:44: guests[1].rules[1]: there is"
            + " no host 'b'; there are a",
        "guests: [{name: web, memory: 1GiB, priority: 5000}]  | 3:46: guests[1].priority: expected"
            + " a whole number from -1000 to 1000, found '5000'",
        "guests: [{name: web, memory: 1GiB, rules: ['after:db']}]  | 3:9: guests: guest web: rule"
            + " after:db: there is no guest db",
        "guests: [{name: web, memory: 1GiB, rules: ['after:db']}, {name: db, memory: 1GiB, rules:"
            + " ['after:web']}]  | 3:9: guests: guest web: would wait for itself: web after db"
            + " after web; take one",
        "guests: [{name: web, memory: 1GiB, rules: ['failback:b']}]  | 3:44: guests[1].rules[1]:"
            + " there is no host 'b'; there are a",
        "groups: {shop: [web]}  | 3:17: groups.shop[1]: there is no guest 'web'; there are none",
        "rules: [{guests: {app: x}, rule: 'apart:app=x'}]  | 3:18: rules[1].guests: no guest has"
            + " these labels",
        "policy: {silent-after: soon}  | 3:24: policy.silent-after: expected a time such as 500ms,"
            + " 30s, 2m, 1h or 1d, found 'soon'",
        "policy: {patience: 3s}  | 3:10: policy: unknown key 'patience'; expected one of"
            + " power-loss-after",
        "witnesses: [a]  | 3:13: witnesses[1]: 'a' is a host; a witness runs no guests",
        "events: [{at: 5s}]  | 3:10: events[1]: nothing happens; expected one of power-off,"
            + " power-on",
        "events: [{power-off: a}]  | 3:10: events[1]: 'at' is missing",
        "events: [{at: noon, power-off: a}]  | 3:15: events[1].at: expected a time since the"
            + " beginning such as 30s or 2m, a time since the event before such as +30s, or"
            + " settled; found 'noon'",
        "events: [{at: 5s, power-of: a}]  | 3:19: events[1]: unknown key 'power-of', perhaps"
            + " 'power-off'; expected one of at, power-off",
        "events: [{at: 5s, power-off: b}]  | 3:30: events[1].power-off: there is no host 'b'; there"
            + " are a",
        "events: [{at: 5s, power-off: []}]  | 3:30: events[1].power-off: expected at least one,"
            + " found a list",
        "events: [{at: 5s, crash: web}]  | 3:26: events[1].crash: there is no guest 'web'; there"
            + " are none",
        "events: [{at: 5s, power-off: a, hang: a}]  | 3:10: events[1]: one thing at a time; found"
            + " power-off and hang",
        "events: [{at: 9s, hang: a}, {at: 5s, unhang: a}]  | 3:34: events[2].at: '5s' is before the"
            + " event above it",
        "events: [{at: 5s, fencing: {host: a, now: broken}}]  | 3:43: events[1].fencing.now:"
            + " expected works or hangs or refuses or lies or slow or asks-first or nameless or"
            + " forgets or stale or wrong-host or dies, found 'broken'",
        "events: [{at: 5s, stop-daemon: {host: a}}]  | 3:32: events[1].stop-daemon: 'daemon' is"
            + " missing",
        "events: [{at: 5s, isolate: {host: a, network: wifi}}]  | 3:47: events[1].isolate.network:"
            + " expected control or migration or all, found 'wifi'",
        "events: [{at: 5s, add-guest: {name: x, memory: 1GiB, host: a}}]  | 3:30:"
            + " events[1].add-guest: 'host' is where a guest is at the beginning",
      })
  void afterItsHosts(String text, String message) {
    refused(HOSTS + text, message);
  }

  private static void refused(String text, String message) {
    assertThatThrownBy(() -> ScenarioFile.parse("bad.yaml", text))
        .isInstanceOf(SettingsException.class)
        .message()
        .startsWith("bad.yaml:" + message);
  }

  @Test
  void aMissingFileIsSaid() {
    assertThatThrownBy(() -> ScenarioFile.read(Path.of("nowhere.yaml")))
        .hasMessage("nowhere.yaml: there is no such file");
  }

  @Test
  void whatWasAddedBeforeMayBeNamedLater() throws SettingsException {
    var scenario =
        ScenarioFile.parse(
            "ok.yaml",
            HOSTS
                + """
                events:
                  - {at: 5s, add-host: {name: b, cpus: 4, memory: 8GiB}}
                  - {at: 6s, add-guest: {name: x, memory: 1GiB}}
                  - {at: settled, power-off: b}
                  - {at: 1s, crash: x}
                """);
    assertThat(scenario.events()).hasSize(4);
    assertThat(scenario.voters()).containsExactly("a", "witness-1", "witness-2");
  }
}
