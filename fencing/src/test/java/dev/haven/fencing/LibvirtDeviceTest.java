package dev.haven.fencing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.haven.fencing.FencingOutcome.Confirmed;
import dev.haven.fencing.FencingOutcome.Failed;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With a real libvirtd of our own, unprivileged, and a machine that is QEMU without a disk. */
final class LibvirtDeviceTest {
  private static final String UUID = "4c4c4544-0042-3510-8054-b7c04f4e3132";
  private static final Duration WITHIN = Duration.ofSeconds(30);
  private static final FencingTarget HOST = new FencingTarget("a", Optional.of(UUID), Map.of());

  @TempDir static Path folder;
  private static @Nullable Process libvirtd;
  private static String uri = "";

  @BeforeAll
  static void start() throws Exception {
    assumeTrue(
        Files.isExecutable(Path.of("/usr/sbin/libvirtd"))
            && "root".equals(System.getProperty("user.name")),
        "needs libvirtd, and root to run it as somebody else");
    // libvirt of root is the machine's own; that of nobody is alone.
    Files.setPosixFilePermissions(folder, PosixFilePermissions.fromString("rwxrwxrwx"));
    var configuration = Files.writeString(folder.resolve("libvirtd.conf"), "");
    var builder =
        new ProcessBuilder(
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "libvirtd",
            "-f",
            configuration.toString());
    builder.environment().clear();
    builder.environment().put("PATH", System.getenv("PATH"));
    for (var name : List.of("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")) {
      builder.environment().put(name, folder.toString());
    }
    libvirtd =
        builder.redirectErrorStream(true).redirectOutput(folder.resolve("log").toFile()).start();
    uri = "qemu+unix:///session?socket=" + folder.resolve("libvirt/libvirt-sock");
    var definition =
        Files.writeString(
            folder.resolve("host-a.xml"),
            "<domain type='qemu'><name>host-a</name><uuid>%s</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>"
                .formatted(UUID));
    var deadline = Deadline.in(WITHIN);
    while (virsh("define", definition.toString()) != 0) {
      assertThat(deadline.passed()).as("libvirtd serves").isFalse();
      assertThat(libvirtd.isAlive()).isTrue();
    }
  }

  @AfterAll
  static void stop() throws Exception {
    if (libvirtd != null) {
      virsh("destroy", "host-a");
      libvirtd.destroy();
      if (!libvirtd.waitFor(10, TimeUnit.SECONDS)) {
        libvirtd.destroyForcibly().waitFor();
      }
    }
  }

  private static int virsh(String... what) throws IOException, InterruptedException {
    var command = new ArrayList<>(List.of("virsh", "-q", "-c", uri));
    command.addAll(List.of(what));
    var process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return process.waitFor();
  }

  private static DeviceSpec spec(String... pairs) {
    var settings = new HashMap<>(Map.of("uri", uri, "domain", "host-a"));
    for (int i = 0; i < pairs.length; i += 2) {
      settings.put(pairs[i], pairs[i + 1]);
    }
    return new DeviceSpec("outer-a", "libvirt", settings);
  }

  private FencingOutcome off(DeviceSpec spec, Duration within) {
    return new Fencer(folder).powerOff(HOST, FencingPlan.of(spec), within, FencingListener.NONE);
  }

  private PowerReading read(DeviceSpec spec) {
    try (var device = LibvirtDevice.open(spec)) {
      return device.read(WITHIN);
    }
  }

  @Test
  void aNestedHostIsSwitchedOffAndOnAndKnownByItsUuid() throws Exception {
    virsh("start", "host-a");
    assertThat(read(spec())).isInstanceOf(PowerReading.On.class);
    assertThat(off(spec(), WITHIN))
        .isInstanceOfSatisfying(
            Confirmed.class,
            confirmed -> {
              assertThat(confirmed.identities().get("outer-a"))
                  .isInstanceOf(DeviceIdentity.Same.class);
              assertThat(confirmed.readings().getFirst().evidence())
                  .isEqualTo("shut off (destroyed)");
            });
    assertThat(off(spec("stale", "200ms"), WITHIN))
        .as("once more, when it is off already")
        .isInstanceOf(Confirmed.class);
    assertThat(
            new Fencer(folder).powerOn(HOST, FencingPlan.of(spec()), WITHIN, FencingListener.NONE))
        .isInstanceOf(PowerOnOutcome.On.class);
  }

  @Test
  void aSavedHostIsNotOffBecauseItWouldGoOnWhereItStopped() throws Exception {
    virsh("start", "host-a");
    assertThat(virsh("managedsave", "host-a")).isZero();
    assertThat(read(spec()))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("managedsave-remove host-a"));
    assertThat(off(spec("stale", "200ms"), Duration.ofSeconds(8))).isInstanceOf(Failed.class);
    assertThat(virsh("managedsave-remove", "host-a")).isZero();
  }

  @Test
  void aHostThatIsPausedMayGoOn() throws Exception {
    virsh("start", "host-a");
    assertThat(virsh("suspend", "host-a")).isZero();
    assertThat(read(spec())).isInstanceOf(PowerReading.On.class);
    virsh("resume", "host-a");
  }

  @Test
  void whatLibvirtDoesNotKnowIsNotOff() {
    assertThat(read(spec("domain", "host-z")))
        .isInstanceOfSatisfying(
            PowerReading.Unknown.class,
            unknown -> assertThat(unknown.reason()).contains("failed to get domain"));
    assertThat(read(spec("uri", "qemu+unix:///session?socket=/nowhere/sock")))
        .isInstanceOf(PowerReading.Unknown.class);
    var stranger =
        new FencingTarget("a", Optional.of("4c4c4544-0042-3510-8054-b7c04f4e3133"), Map.of());
    assertThat(
            new Fencer(folder)
                .powerOff(
                    stranger, FencingPlan.of(spec()), Duration.ofSeconds(5), FencingListener.NONE))
        .isInstanceOfSatisfying(
            Failed.class,
            failed -> assertThat(failed.reasons().get("outer-a")).contains("not host a"));
  }
}
