package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.haven.model.SecretNames;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class FencingPlanTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path folder;

  @Test
  void aPlanSurvivesItsJourneyThroughJsonWithItsSecrets() throws Exception {
    var text =
        """
        {"levels": [
          {"devices": [
            {"name": "bmc-a", "kind": "ipmi", "settings": {"address": "10.0.0.11", "port": 6230, "user": "haven", "password": "hush"}}]},
          {"devices": [
            {"name": "pdu-1", "kind": "agent", "settings": {"agent": "fence_apc_snmp", "ip": "10.0.0.21", "plug": 3}},
            {"name": "pdu-2", "kind": "agent", "settings": {"agent": "fence_apc_snmp", "ip": "10.0.0.22", "plug": 3}}]},
          {"devices": [{"name": "hand", "kind": "manual"}]}]}
        """;
    var plan = JSON.readValue(text, FencingPlan.class);
    assertThat(plan.levels()).hasSize(3);
    assertThat(plan.levels().getFirst().devices().getFirst().settings())
        .containsEntry("port", "6230")
        .containsEntry("password", "hush");
    assertThat(JSON.readValue(JSON.writeValueAsString(plan), FencingPlan.class)).isEqualTo(plan);
    assertThat(plan.toString()).contains("bmc-a", "10.0.0.11").doesNotContain("hush");
  }

  @ParameterizedTest
  @CsvSource({
    "password, true",
    "passwd, true",
    "snmp_priv_passwd, true",
    "token, true",
    "api_key, true",
    "hexadecimal_kg, true",
    "community, true",
    "passwordFile, false",
    "identity_file, false",
    "passwd_script, false",
    "address, false",
    "plug, false",
    "keyboard, false",
    "command_prompt, false",
    "power_wait, false",
    "privlvl, false",
    "user, false",
  })
  void aSecretIsKnownByItsName(String setting, boolean secret) {
    assertThat(SecretNames.isSecret(setting)).isEqualTo(secret);
  }

  @Test
  void aPlanThatCouldProveNothingIsRefusedWithTheReason() {
    assertThatThrownBy(() -> new Level(List.of())).hasMessageContaining("would prove nothing");
    var bmc = new DeviceSpec("bmc", "ipmi", Map.of());
    assertThatThrownBy(
            () -> new FencingPlan(List.of(new Level(List.of(bmc)), new Level(List.of(bmc)))))
        .hasMessageContaining("bmc is named twice");
    assertThatThrownBy(() -> new DeviceSpec("", "ipmi", Map.of())).hasMessageContaining("no name");
    assertThatThrownBy(() -> new DeviceSpec("bmc", " ", Map.of())).hasMessageContaining("no kind");
  }

  @Test
  void everyMistakeInAPlanIsToldAtOnce() {
    var plan =
        new FencingPlan(
            List.of(
                new Level(List.of(new DeviceSpec("one", "impi", Map.of()))),
                new Level(List.of(new DeviceSpec("two", "manual", Map.of("instruction", "x"))))));
    assertThat(new Fencer(folder).problems(plan))
        .containsExactly(
            "fencing device one: kind impi is unknown; use ipmi, redfish, libvirt, http, command,"
                + " agent (any ClusterLabs fence agent), sbd or manual",
            "fencing device two: setting instruction is unknown; did you mean instructions?");
  }
}
