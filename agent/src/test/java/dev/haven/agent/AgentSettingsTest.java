package dev.haven.agent;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Network;
import dev.haven.model.config.Settings;
import dev.haven.model.config.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class AgentSettingsTest {
  private static final String GOOD =
      """
      host: a
      data: /var/lib/haven/agent
      libvirt: qemu:///system
      heartbeatPort: 7701
      networks:
        - {name: control, address: 10.77.1.1, roles: [control]}
        - {name: migration, address: 10.77.2.1, roles: [migration, replication]}
      voters:
        - {name: a, raft: "10.77.1.1:7702", api: "10.77.1.1:7700", networks: {control: 10.77.1.1}}
      tls: {ca: /etc/haven/ca.pem, certificate: /etc/haven/a.pem, key: /etc/haven/a.key}
      """;

  @TempDir Path folder;

  @Test
  void whatTheDocumentationShowsIsRead() throws Exception {
    var settings = read(GOOD);
    assertThat(settings.networks().getLast().roles())
        .containsExactly(Network.Role.MIGRATION, Network.Role.REPLICATION);
    assertThat(settings.bootIdFile()).isEmpty();
    assertThat(read(GOOD + "bootIdFile: /run/id\nunsafeMigration: true\n").unsafeMigration())
        .contains(true);
  }

  static List<Arguments> wrong() {
    return List.of(
        Arguments.of("heartbeatPort: 7701", "heartbeatPort: 77010", "must be 1 to 65535"),
        Arguments.of("name: migration", "name: control", "network 'control' is there twice"),
        Arguments.of("host: a", "host: 'a b'", "host name 'a b'"),
        Arguments.of(
            "roles: [control]",
            "roles: [gossip]",
            ":6:49: networks[1].roles[1]: expected control or migration"),
        Arguments.of("networks: {control: ", "networks: {corntrol: ", "nobody would hear it"),
        Arguments.of("tls: {", "sbd: {disks: [/dev/x], slot: a}\ntls: {", "needs a watchdog"),
        Arguments.of("tls: {", "sbd: {disks: [x], slot: a}\ntls: {", "different paths"),
        Arguments.of("libvirt: ", "libvrit: ", "unknown key 'libvrit'"));
  }

  @ParameterizedTest
  @MethodSource("wrong")
  void aWrongFileIsRefusedWithTheReason(String right, String wrong, String message) {
    assertThatThrownBy(() -> read(GOOD.replace(right, wrong)))
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining("agent.yaml")
        .hasMessageContaining(message);
  }

  private AgentSettings read(String text) throws IOException {
    var file = folder.resolve("agent.yaml");
    Files.writeString(file, text);
    return Settings.read(file, AgentSettings.class);
  }
}
