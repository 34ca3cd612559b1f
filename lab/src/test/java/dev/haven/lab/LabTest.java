package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.haven.model.HostId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** A real lab of two hosts with libvirt only. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LabTest {
  private static final HostId A = new HostId("a");
  private static final HostId B = new HostId("b");
  private static final Duration LIMIT = Duration.ofSeconds(30);

  private Path directory = Path.of("/");
  private LabOptions options = LabOptions.defaults();
  private Optional<Lab> running = Optional.empty();

  @BeforeAll
  void up(@TempDir Path temporary) {
    directory = temporary;
    Assumptions.assumeTrue(
        Lab.isRoot(), "SKIPPED: a lab builds namespaces and needs root; run the tests as root");
    options = LabOptions.defaults().withDirectory(directory.resolve("lab")).withHosts(2);
    running = Optional.of(Lab.up(options, Progress.SILENT));
  }

  @AfterEach
  void healed() {
    for (var id : List.of(A, B)) {
      lab().bmc(id, BmcMode.OK);
      lab().heal(id);
      if (!lab().isOn(id)) {
        lab().powerOn(id);
      }
    }
  }

  @AfterAll
  void down() {
    running.ifPresent(lab -> lab.down(Progress.SILENT));
  }

  private Lab lab() {
    return running.orElseThrow();
  }

  @Test
  void aHostThatIsPoweredOffIsGoneAndComesBackAsAnotherBoot() throws IOException {
    var before = bootId(A);
    lab().powerOff(A);
    assertThat(lab().isOn(A)).isFalse();
    assertThat(lab().status().hosts().getFirst().daemons()).isEmpty();
    assertThat(reaches(B, A)).isFalse();
    lab().powerOn(A);
    awaitLibvirt(A);
    assertThat(bootId(A)).isNotEqualTo(before);
    awaitReaches(B, A);
  }

  @Test
  void aHostReportsTheSameIdentityThroughItsLibvirtAndItsBmc() throws IOException {
    var host = lab().host(A);
    awaitLibvirt(A);
    assertThat(virsh(A, "capabilities").output()).contains("<uuid>" + host.uuid() + "</uuid>");
    var ipmi =
        MachineTools.run(
            "ipmitool",
            "-I",
            "lanplus",
            "-C",
            "3",
            "-H",
            host.bmc().address(),
            "-p",
            Integer.toString(host.bmc().port()),
            "-U",
            host.bmc().user(),
            "-f",
            host.bmc().passwordFile().toString(),
            "mc",
            "guid");
    assertThat(ipmi).contains(host.uuid().toString());
    assertThat(Files.getPosixFilePermissions(host.bmc().passwordFile())).hasSize(2);
  }

  @Test
  void aBmcThatRefusesLeavesTheHostOn() {
    lab().bmc(A, BmcMode.REFUSE);
    assertThatThrownBy(() -> lab().powerOff(A)).isInstanceOf(LabException.class);
    assertThat(lab().isOn(A)).isTrue();
  }

  @Test
  void aBmcThatLiesSaysOffWhileTheHostRuns() {
    lab().bmc(A, BmcMode.LIE);
    assertThat(lab().ipmi(lab().host(A), "chassis", "power", "off").output()).contains("Down/Off");
    assertThat(lab().ipmi(lab().host(A), "chassis", "power", "status").output()).contains("is off");
    assertThat(lab().isOn(A)).isTrue();
  }

  @Test
  void aBmcThatHangsAnswersNobodyAndWhatItMissedIsNotDoneLater() {
    lab().bmc(A, BmcMode.HANG);
    assertThat(lab().ipmi(lab().host(A), "chassis", "power", "off").ok()).isFalse();
    lab().bmc(A, BmcMode.OK);
    assertThat(lab().ipmi(lab().host(A), "chassis", "power", "status").output()).contains("is on");
    assertThat(lab().isOn(A)).isTrue();
  }

  @Test
  void aHungHostAnswersNothingAndItsBmcCanStillSwitchItOff() {
    lab().hang(A);
    assertThat(reaches(B, A)).isFalse();
    assertThat(lab().status().hosts().getFirst().hung()).isTrue();
    lab().heal(A);
    awaitReaches(B, A);
    lab().hang(A);
    lab().powerOff(A);
    assertThat(lab().isOn(A)).isFalse();
    lab().powerOn(A);
    awaitReaches(B, A);
  }

  @Test
  void aCutNetworkIsSilentInBothDirectionsAndTheOtherIsNot() {
    lab().cut(A, Optional.of("control"));
    assertThat(reaches(B, A)).isFalse();
    assertThat(reaches(A, B)).isFalse();
    Lab.await("the other network", LIMIT, () -> ping(A, lab().host(B).migration()));
    assertThat(ping(A, lab().host(A).bmc().address())).isFalse();
    lab().heal(A);
    awaitReaches(B, A);
    assertThatThrownBy(() -> lab().cut(A, Optional.of("storage")))
        .hasMessage("no network storage in the lab; it has [control, migration]");
  }

  @Test
  void aKilledDaemonIsStartedAgainAndAStoppedOneIsNot() {
    awaitLibvirt(A);
    var first = lab().pid(A, Daemon.LIBVIRTD).orElseThrow();
    lab().kill(A, Daemon.LIBVIRTD);
    Lab.await(
        "another libvirtd",
        LIMIT,
        () -> lab().pid(A, Daemon.LIBVIRTD).filter(pid -> !pid.equals(first)).isPresent());
    assertThat(libvirtd(A).restarts()).isPositive();
    lab().stop(A, Daemon.LIBVIRTD);
    Lab.await("the stop", LIMIT, () -> libvirtd(A).stopped());
    lab().cont(A, Daemon.LIBVIRTD);
    Lab.await("the end of the stop", LIMIT, () -> !libvirtd(A).stopped());
    awaitLibvirt(A);
  }

  @Test
  void aSecondLabLivesBesideTheFirstAndEachIsTakenDownAlone() {
    var other =
        Lab.up(options.withDirectory(directory.resolve("other")).withHosts(1), Progress.SILENT);
    assertThat(other.hosts().getFirst().control()).isNotEqualTo(lab().hosts().getFirst().control());
    other.down(Progress.SILENT);
    assertThat(leftOf(other)).isEmpty();
    assertThat(lab().isOn(A)).isTrue();
    awaitReaches(B, A);
  }

  @Test
  void upFinishesWhatAnInterruptedUpLeftAndDownLeavesNothing() throws Exception {
    var mine = options.withDirectory(directory.resolve("interrupted")).withHosts(1);
    for (var delay : List.of(100, 300, 500, 700)) {
      var up =
          Thread.ofPlatform()
              .start(
                  () -> {
                    try {
                      Lab.up(mine, Progress.SILENT);
                    } catch (LabException e) {
                      // expected: it is interrupted, wherever it is
                    }
                  });
      up.join(Duration.ofMillis(delay));
      up.interrupt();
      up.join();
    }
    var finished = Lab.up(mine, Progress.SILENT);
    Lab.up(mine, Progress.SILENT);
    assertThat(finished.isOn(A)).isTrue();
    finished.down(Progress.SILENT);
    assertThat(leftOf(finished)).isEmpty();
    assertThat(Lab.find(mine.directory())).isEmpty();
  }

  @Test
  void aGuestMigratesLiveDiesWithItsHostAndObeysItsPowerButton() throws Exception {
    var image = GuestImage.prepare();
    var xml = Files.writeString(lab().shared().resolve("web.xml"), guestXml("web", image));
    awaitLibvirt(A);
    awaitLibvirt(B);
    try (var qemu = QemuWatch.start(lab());
        var console = ConsoleWatch.start(lab().console("web"))) {
      var start = ClockReading.now();
      var created = virsh(A, "create", xml.toString());
      assertThat(created.ok()).as(created.output()).isTrue();
      var first = qemu.awaitStart("web", start, LIMIT).orElseThrow();
      assertThat(first.host()).isEqualTo(A);
      assertThat(console.awaitUp(start, LIMIT)).isPresent();
      assertThat(lab().status().hosts().getFirst().guests()).containsExactly("web");

      var target = lab().host(B).migration();
      var migrated =
          virsh(
              A,
              "migrate",
              "--live",
              "--p2p",
              "--unsafe",
              "web",
              "qemu+tcp://" + target + "/system",
              "tcp://" + target);
      assertThat(migrated.ok()).as(migrated.output()).isTrue();
      assertThat(qemu.running())
          .extracting(QemuWatch.Sighting::host, QemuWatch.Sighting::guest)
          .containsExactly(tuple(B, "web"));
      var after = ClockReading.now();
      assertThat(console.await(line -> line.text().startsWith("TICK"), after, LIMIT)).isPresent();

      var cut = lab().cutPower(B);
      Lab.await("the guest's process to end", LIMIT, () -> qemu.running().isEmpty());
      var gone = qemu.sightings().getLast().gone().orElseThrow();
      assertThat(cut.until(gone)).isBetween(Duration.ZERO, Duration.ofSeconds(1));

      var again = ClockReading.now();
      assertThat(virsh(A, "create", xml.toString()).ok()).isTrue();
      assertThat(console.awaitUp(again, LIMIT)).isPresent();
      assertThat(console.await(line -> line.text().startsWith("GUEST READY web vda"), again, LIMIT))
          .isPresent();
      assertThat(virsh(A, "shutdown", "web").ok()).isTrue();
      Lab.await("the guest to obey", LIMIT, () -> qemu.running().isEmpty());
      assertThat(console.lines()).extracting(ConsoleWatch.Line::text).contains("GUEST DOWN web -");
    }
  }

  private String guestXml(String name, GuestImage image) throws IOException {
    try (var in = LabTest.class.getResourceAsStream("guest.xml")) {
      return new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8)
          .replace("@TYPE@", Accelerator.probe(image).domainType())
          .replace("@NAME@", name)
          .replace("@KERNEL@", image.kernel().toString())
          .replace("@INITRD@", image.initrd().toString())
          .replace("@CMDLINE@", image.commandLine(name))
          .replace("@DISK@", lab().disk(name).toString())
          .replace("@CONSOLE@", lab().console(name).toString());
    }
  }

  /** Names of processes, links, namespaces, tables and files that are still there. */
  private static String leftOf(Lab lab) {
    var text = new StringBuilder();
    var prefix = lab.prefix();
    text.append(lines(MachineTools.run("ip", "-o", "link", "show"), prefix));
    text.append(lines(MachineTools.run("ip", "netns", "list"), prefix));
    text.append(
        lines(MachineTools.run("nft", "list", "tables"), "haven_lab_" + lab.number() + "\n"));
    text.append(lines(MachineTools.run("ps", "-eo", "pid,args"), lab.directory() + "/"));
    text.append(lines(MachineTools.run("cat", "/proc/self/mounts"), lab.directory() + "/"));
    for (var path :
        List.of(
            lab.directory(),
            Control.mount().resolve(LabPlan.controlGroup(lab.number())),
            Path.of("/run/haven-lab", Integer.toString(lab.number())))) {
      text.append(Files.exists(path) ? path + "\n" : "");
    }
    return text.toString();
  }

  private static String lines(String text, String with) {
    return text.lines()
        .filter(line -> (line + "\n").contains(with))
        .reduce("", (all, line) -> all + line + "\n");
  }

  private LabStatus.Process libvirtd(HostId id) {
    return lab().status().hosts().stream()
        .filter(h -> h.id().equals(id))
        .findFirst()
        .map(h -> h.daemons().get(Daemon.LIBVIRTD))
        .orElseThrow();
  }

  private String bootId(HostId id) {
    return lab().inHost(id, LIMIT, "cat", "/run/haven-boot-id").output();
  }

  private boolean reaches(HostId from, HostId to) {
    return ping(from, lab().host(to).control());
  }

  /** With patience: a second is short on a machine with its hands full. */
  private void awaitReaches(HostId from, HostId to) {
    Lab.await(from + " to reach " + to, LIMIT, () -> reaches(from, to));
  }

  private boolean ping(HostId from, String address) {
    // ping is in no package that the lab needs; bash opens UDP sockets but cannot see an answer,
    // TCP can:
    // refused at once is an answer, too.
    var result =
        lab()
            .inHost(
                from,
                LIMIT,
                "timeout",
                "1",
                "bash",
                "-c",
                "exec 3<>/dev/tcp/" + address + "/9 || true");
    return result.exit() != 124;
  }

  private Lab.HostCommand virsh(HostId id, String... command) {
    var line = new ArrayList<String>(List.of("virsh", "-c", "qemu:///system", "-q"));
    line.addAll(List.of(command));
    return lab().inHost(id, LIMIT, line.toArray(String[]::new));
  }

  private void awaitLibvirt(HostId id) {
    Lab.await("libvirt on " + id, LIMIT, () -> virsh(id, "uri").ok());
  }
}
