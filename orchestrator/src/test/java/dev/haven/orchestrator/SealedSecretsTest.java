package dev.haven.orchestrator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.fencing.Fencer;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.ProcessId;
import dev.haven.model.Time;
import dev.haven.model.wire.FromAgent;
import dev.haven.orchestrator.power.FencingDevices;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SealedSecretsTest {
  private static final String PASSWORD = "hush-Tr33";

  @TempDir Path folder;

  private static HostSpec host(String name, Map<String, String> settings) {
    return new HostSpec(
        new HostId(name),
        Optional.empty(),
        "qemu+tls://a/system",
        List.of(),
        List.of(List.of(new FencingDevice("bmc", "ipmi", settings))),
        Map.of(),
        Optional.empty(),
        1024,
        4);
  }

  private static FencingDevice device(HostSpec spec) {
    return spec.fencing().getFirst().getFirst();
  }

  private SealedSecrets key(String name, String digit) throws IOException {
    var file = Files.writeString(folder.resolve(name), digit.repeat(64) + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    return SealedSecrets.with(Optional.of(file));
  }

  @Test
  void aSecretIsReadableOnlyWithTheKeyForItsOwnHostDeviceAndSetting() throws IOException {
    var secrets = key("key", "a");
    var settings = Map.of("address", "10.0.0.11", "user", "haven", "password", PASSWORD);
    var sealed = secrets.seal(host("a", settings));
    assertThat(Json.mapper().writeValueAsString(sealed))
        .contains("10.0.0.11")
        .doesNotContain(PASSWORD);
    assertThat(secrets.open(sealed.id(), device(sealed))).isEqualTo(settings);
    assertThat(secrets.seal(sealed)).as("sealed once").isEqualTo(sealed);
    assertThat(device(secrets.seal(host("a", settings))).settings())
        .as("equal secrets do not look equal")
        .isNotEqualTo(device(sealed).settings());
    for (var stranger :
        List.of(
            secrets.open(new HostId("b"), device(sealed)),
            key("other", "b").open(sealed.id(), device(sealed)),
            SealedSecrets.with(Optional.empty()).open(sealed.id(), device(sealed)))) {
      assertThat(stranger.get("password")).startsWith("sealed:v1:").doesNotContain(PASSWORD);
    }
  }

  @Test
  void theLogTellsWithWhichKeyItsSecretsAreSealed() throws IOException {
    var secrets = key("key", "a");
    var settings = Map.of("address", "10.0.0.11", "user", "haven", "password", PASSWORD);
    var state = ClusterState.EMPTY;
    assertThat(SealedSecrets.sealedWith(state)).isEmpty();
    state = state.apply(new Change.HostDescribed(secrets.seal(host("a", settings))));
    assertThat(SealedSecrets.sealedWith(state)).contains(secrets.id());
    assertThat(key("other", "b").id()).isNotEqualTo(secrets.id());
  }

  @Test
  void whatIsShownHasNoSecretSealedOrNot() throws IOException {
    var plain = host("a", Map.of("address", "10.0.0.11", "password", PASSWORD));
    for (var spec : List.of(plain, key("key", "a").seal(plain))) {
      assertThat(device(SealedSecrets.shown(spec)).settings())
          .isEqualTo(Map.of("address", "10.0.0.11", "password", "(hidden)"));
    }
  }

  @Test
  void aDeviceWhoseSecretCannotBeOpenedIsNotAskedAndAPlainOneIsWarnedOf() throws IOException {
    var settings =
        Map.of("address", "127.0.0.1", "port", "1", "user", "haven", "password", PASSWORD);
    var sealed = key("key", "a").seal(host("a", settings));
    var without =
        new FencingDevices(new Fencer(folder), SealedSecrets.with(Optional.empty()), Time.SYSTEM);
    assertThat(
            without
                .check(sealed.id(), sealed, Map.of(), Duration.ofSeconds(2))
                .getFirst()
                .problem())
        .contains("its password is sealed with a key that this voter does not have");
    var shown = SealedSecrets.shown(sealed);
    assertThat(
            without.check(shown.id(), shown, Map.of(), Duration.ofSeconds(2)).getFirst().problem())
        .contains("(hidden), as it is shown");
    var manual =
        new HostSpec(
            new HostId("a"),
            Optional.empty(),
            "qemu+tls://a/system",
            List.of(),
            List.of(
                List.of(
                    new FencingDevice(
                        "outlet",
                        "command",
                        Map.of(
                            "off",
                            "/bin/true",
                            "on",
                            "/bin/true",
                            "status",
                            "/bin/true",
                            "env.CODE",
                            PASSWORD)))),
            Map.of(),
            Optional.empty(),
            1024,
            4);
    var health = without.check(manual.id(), manual, Map.of(), Duration.ofSeconds(5)).getFirst();
    assertThat(health.critical()).isFalse();
    assertThat(health.problem()).contains("stands as it was written").doesNotContain(PASSWORD);
    var with = new FencingDevices(new Fencer(folder), key("key", "a"), Time.SYSTEM);
    var safe = key("key", "a").seal(manual);
    assertThat(with.check(safe.id(), safe, Map.of(), Duration.ofSeconds(5)).getFirst().problem())
        .isEmpty();
  }

  @Test
  void theKeyOfAHostsHeartbeatsIsSealedForItsHostAndProcess() throws IOException {
    var heartbeats = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    var hello =
        new FromAgent.Hello(
            FromAgent.VERSION,
            new HostId("a"),
            new BootId("b"),
            new ProcessId("p"),
            heartbeats,
            Optional.empty(),
            Capacity.UNKNOWN,
            "1",
            0,
            Optional.empty(),
            true,
            List.of());
    var secrets = key("key", "a");
    if (!(secrets.sealed(new Event.AgentJoined(hello, Event.Newcomer.UNKNOWN, Instant.EPOCH))
        instanceof Event.AgentJoined joined)) {
      throw new AssertionError("another event");
    }
    var inTheLog = joined.hello().heartbeatKey();
    assertThat(inTheLog).startsWith("sealed:v1:").doesNotContain(heartbeats);
    var agent = new Host.Agent(hello.process(), inTheLog, "1");
    assertThat(secrets.heartbeatKey(hello.host(), agent)).contains(heartbeats);
    assertThat(secrets.heartbeatKey(new HostId("b"), agent)).isEmpty();
    assertThat(key("other", "b").heartbeatKey(hello.host(), agent)).isEmpty();
  }

  @Test
  void aKeyThatIsOpenToOthersOrNoneIsRefusedAtOnce() throws IOException {
    var file = Files.writeString(folder.resolve("key"), "a".repeat(64));
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r-----"));
    assertThatThrownBy(() -> SealedSecrets.with(Optional.of(file)))
        .hasMessageContaining("chmod 600");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-------"));
    Files.writeString(file, "short");
    assertThatThrownBy(() -> SealedSecrets.with(Optional.of(file)))
        .hasMessageContaining("openssl rand -hex 32");
    assertThatThrownBy(() -> SealedSecrets.with(Optional.of(folder.resolve("none"))))
        .hasMessageContaining("cannot read");
  }
}
