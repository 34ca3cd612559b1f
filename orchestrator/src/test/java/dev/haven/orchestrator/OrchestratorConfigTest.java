package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.config.Settings;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OrchestratorConfigTest {
  private static final String COMMON =
      """
      name: a
      data: /var/lib/haven
      listen: 10.0.0.1:7700
      heartbeatPort: 7701
      networks: {control: 10.0.0.1}
      voters:
        - {name: a, raft: "10.0.0.1:7702", api: "10.0.0.1:7700", networks: {control: 10.0.0.1}}
        - {name: b, raft: "10.0.0.2:7702", api: "10.0.0.2:7700", networks: {control: 10.0.0.2}}
      tls: {ca: ca.pem, certificate: a.pem, key: a.key}
      """;

  @TempDir private Path directory;

  private OrchestratorConfig read(String more) throws Exception {
    var file = directory.resolve("orchestrator.yaml");
    var key = Files.writeString(directory.resolve("secrets.key"), "a".repeat(64));
    Files.setPosixFilePermissions(key, PosixFilePermissions.fromString("rw-------"));
    Files.writeString(file, COMMON + "secretsKey: " + key + "\n" + more);
    return Settings.read(file, OrchestratorConfig.class);
  }

  @Test
  void withoutAKeyForItsSecretsNoVoterStarts() throws Exception {
    var file = Files.writeString(directory.resolve("orchestrator.yaml"), COMMON);
    assertThatThrownBy(() -> Settings.read(file, OrchestratorConfig.class))
        .hasMessageContaining("secretsKey: is missing; haven ca init makes secrets.key");
    Files.writeString(file, COMMON + "secretsKey: " + directory.resolve("none") + "\n");
    assertThatThrownBy(() -> Settings.read(file, OrchestratorConfig.class))
        .hasMessageContaining("secretsKey: cannot read");
  }

  @Test
  void withoutPingTargetsAVoterNeverGoesOnAlone() throws Exception {
    assertThat(read("").boot()).isEmpty();
  }

  @Test
  void withThemItGoesByTheHostsBoot() throws Exception {
    var boot = Files.writeString(directory.resolve("boot"), "b7f1\n");
    var config =
        read("alone: {pingTargets: [10.0.0.254, 10.0.0.253]}\nbootIdFile: %s\n".formatted(boot));
    assertThat(config.boot()).contains("b7f1");
    assertThat(config.alone().orElseThrow().pingTargets()).hasSize(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "alone: {pingTargets: []} | needs 1 to 16 addresses",
        "alone: {pingTargets: [10.0.0.2]} | an address of voter b proves nothing",
        "alone: {pingTargets: [10.0.0.1]} | an address of voter a proves nothing",
        "alone: {pingTargets: [10.0.0.9, 10.0.0.9]} | stands there twice",
        "alone: {pingTargets: ['the gateway']} | is no address",
        "alone: {pingTarget: [10.0.0.9]} | pingTarget",
      })
  void aSlipIsNamed(String text, String message) {
    assertThatThrownBy(() -> read(text + "\n")).hasMessageContaining(message);
  }
}
