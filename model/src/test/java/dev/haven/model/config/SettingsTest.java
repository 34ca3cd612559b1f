package dev.haven.model.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SettingsTest {
  record Sample(
      String host, Path data, int port, List<VoterAddress> voters, Optional<Path> bootIdFile) {}

  private static final String GOOD =
      """
      host: a
      data: /var/lib/haven
      port: 7701
      voters:
        - name: a
          raft: "10.77.1.1:7702"
          api: 10.77.1.1:7700
          networks: {control: 10.77.1.1, migration: 10.77.2.1}
        - name: b
          raft: "[fd00::2]:7702"
          api: 10.77.1.2:7700
          networks: {}
      """;

  @TempDir Path folder;

  @Test
  void aGoodFileIsReadAndOptionalKeysMayBeLeftOut() throws IOException {
    var sample = read(GOOD);
    assertThat(sample.voters()).hasSize(2);
    assertThat(sample.voters().getFirst().networks())
        .isEqualTo(Map.of("control", "10.77.1.1", "migration", "10.77.2.1"));
    assertThat(sample.voters().getFirst().apiAddress().getPort()).isEqualTo(7700);
    assertThat(sample.voters().getLast().raftAddress().getHostString()).isEqualTo("fd00::2");
    assertThat(sample.bootIdFile()).isEmpty();
    assertThat(read(GOOD + "bootIdFile: /run/boot-id\n").bootIdFile())
        .contains(Path.of("/run/boot-id"));
    assertThat(read(GOOD.replace("host: a", "host: 007")).host()).isEqualTo("007");
    assertThat(read(GOOD + "bootIdFile:\n").bootIdFile()).isEmpty();
  }

  static List<Arguments> wrongFiles() {
    return List.of(
        Arguments.of(
            "an unknown key",
            GOOD.replace("port: 7701", "prot: 7701"),
            ":3:1: unknown key 'prot', perhaps 'port'; expected one of host, data, port, voters,"
                + " bootIdFile"),
        Arguments.of(
            "an unknown key further in",
            GOOD.replace("name: b", "nane: b"),
            ":9:5: voters[2]: unknown key 'nane', perhaps 'name'; expected one of name, raft, api,"
                + " networks"),
        Arguments.of("a missing key", GOOD.replace("host: a\n", ""), "'host' is missing"),
        Arguments.of("a missing number", GOOD.replace("port: 7701\n", ""), "'port' is missing"),
        Arguments.of(
            "a missing key further in",
            GOOD.replace("    api: 10.77.1.2:7700\n", ""),
            ":9:5: voters[2]: 'api' is missing; is the file complete? keys: name, raft, api,"
                + " networks"),
        Arguments.of(
            "a file cut between two lines",
            GOOD.substring(0, GOOD.indexOf("voters")),
            "'voters' is missing"),
        Arguments.of(
            "a file cut within a line",
            GOOD.substring(0, GOOD.indexOf(", migration")),
            "only half"),
        Arguments.of("a value without its key", "host: a\ndata\nport: 1\n", ":3:1: is no YAML"),
        Arguments.of(
            "a word for a number",
            GOOD.replace("7701", "77O1"),
            ":3:7: port: expected a whole number, found '77O1'"),
        Arguments.of(
            "a number that is too large",
            GOOD.replace("7701", "7701770177"),
            ":3:7: port: expected a whole number, found '7701770177'"),
        Arguments.of(
            "a word for a list",
            GOOD.substring(0, GOOD.indexOf("voters")) + "voters: a\n",
            ":4:9: voters: expected a list, found 'a'"),
        Arguments.of("a list for a word", GOOD.replace("host: a", "host: [a]"), ":1:7: host: "),
        Arguments.of(
            "an address without a port",
            GOOD.replace("10.77.1.2:7700", "10.77.1.2"),
            ":9:5: voters[2]: '10.77.1.2' must be address:port"),
        Arguments.of("the same key twice", GOOD + "host: b\n", ":13:1: 'host' is there twice"),
        Arguments.of(
            "the same key twice in a map of any keys",
            GOOD.replace("networks: {}", "networks: {x: 10.0.0.1, x: 10.0.0.2}"),
            ":12:29: voters[2].networks: 'x' is there twice"),
        Arguments.of("two files in one", GOOD + "---\n" + GOOD, ":13:1: is no YAML"),
        Arguments.of("a reference", "host: &x [a]\ndata: *x\n", "is no YAML"),
        Arguments.of("a list for the whole", "[a]\n", ":1:1: expected a map with host, data"),
        Arguments.of("nothing", " \n", ":1:1: is empty; expected a map with host, data"),
        Arguments.of("a comment", "# later\n", ":1:1: is empty; expected a map with host, data"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wrongFiles")
  void aWrongFileIsRefusedWithItsNameAndTheReason(String what, String text, String message) {
    assertThatThrownBy(() -> read(text))
        .isInstanceOf(SettingsException.class)
        .hasMessageStartingWith(folder.resolve("agent.yaml").toString())
        .hasMessageContaining(message)
        .hasMessageNotContaining("\n")
        .hasMessageNotContaining("Jackson");
  }

  @Test
  void aMissingFileIsSaid() {
    assertThatThrownBy(() -> Settings.read(folder.resolve("no.yaml"), Sample.class))
        .hasMessageContaining("no.yaml: there is no such file");
  }

  private Sample read(String text) throws IOException {
    var file = folder.resolve("agent.yaml");
    Files.writeString(file, text);
    return Settings.read(file, Sample.class);
  }
}
