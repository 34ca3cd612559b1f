package dev.haven.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.haven.lab.BmcMode;
import dev.haven.lab.ClockReading;
import dev.haven.lab.ConsoleWatch;
import dev.haven.lab.Daemon;
import dev.haven.lab.FlightRecord;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabForm;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabOptions;
import dev.haven.model.HostId;
import dev.haven.model.api.Views;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What operators live through on three machines with kernels of their own, on which Haven's
 * packages were installed. {@code ./haven test --whole} runs it: Maven does not find it by its
 * name. One lab, one story.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@Timeout(value = 20, unit = java.util.concurrent.TimeUnit.MINUTES)
class WholeMachinesJourney {
  private Path directory = Path.of("/");

  @BeforeAll
  void up(@TempDir Path temporary) {
    Assumptions.assumeTrue(
        Lab.isRoot(), "SKIPPED: a lab needs root; run ./haven test --whole as root");
    directory = temporary.resolve("lab");
    var packages = Path.of("").toAbsolutePath().resolveSibling("target/haven/packages");
    assertThat(packages).as("made by ./haven test --whole").isDirectory();
    var options =
        LabOptions.defaults().withDirectory(directory).withMachines(LabForm.WHOLE, packages);
    var lab =
        Lab.up(
            options,
            (step, took) -> System.out.printf("%6.2f s  %s%n", took.toMillis() / 1e3, step));
    guests().addHosts(lab.patience());
    guests().create(1, lab.patience());
  }

  @AfterAll
  void down() {
    Lab.find(directory).ifPresent(lab -> lab.down((_, _) -> {}));
    assertThat(directory).doesNotExist();
  }

  private Lab lab() {
    return Lab.open(directory);
  }

  private LabClient client() {
    var nowhere = new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8);
    var around =
        new Surroundings(
            new ByteArrayInputStream(new byte[0]),
            nowhere,
            nowhere,
            Map.of("HAVEN_CONFIG", lab().cliConfig().toString()),
            directory,
            false,
            false,
            false);
    return LabVerbs.client(new Haven(around), lab());
  }

  private LabGuests guests() {
    return new LabGuests(lab(), client());
  }

  private void allOnline() {
    guests()
        .await(
            "every host to be online",
            lab().patience(),
            s -> s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE));
  }

  @Test
  @Order(1)
  void aKilledAgentIsStartedAgainBySystemdAndTouchesNoGuest() {
    var host = client().status().guests().getFirst().host().orElseThrow();
    var before = lab().pid(host, Daemon.AGENT).orElseThrow();
    lab().kill(host, Daemon.AGENT);
    Lab.await(
        "another agent",
        lab().patience(),
        () -> lab().pid(host, Daemon.AGENT).filter(p -> !p.equals(before)).isPresent());
    allOnline();
    guests().awaitRunning(lab().patience());
    assertThat(client().status().guests().getFirst().host()).contains(host);
    assertThat(lab().status().hosts())
        .filteredOn(h -> h.id().equals(host))
        .allSatisfy(h -> assertThat(h.guests()).containsExactly("g1"));
  }

  @Test
  @Order(2)
  void aGuestWhoseHostLosesItsPowerIsUpElsewhereAndTheHostComesBack() {
    var host = client().status().guests().getFirst().host().orElseThrow();
    try (var console = ConsoleWatch.start(lab().console("g1"))) {
      var cut = lab().cutPower(host);
      var up = console.awaitUp(cut, lab().patience());
      assertThat(up).as("the guest is up again").isPresent();
      guests().awaitRunning(lab().patience());
      FlightRecord.of(
              host,
              cut.at(),
              client().incidents(),
              List.of(),
              Map.of("g1", up.orElse(ClockReading.now())))
          .print(System.out);
    }
    assertThat(client().status().guests().getFirst().host()).isNotEqualTo(Optional.of(host));
    lab().powerOn(host);
    allOnline();
  }

  @Test
  @Order(3)
  void aHostThatIsCutOffAndHealedIsOnlineAgain() {
    var host = other();
    lab().cut(host, Optional.empty());
    guests()
        .await(
            "the host to be missed",
            lab().patience(),
            s ->
                s.hosts().stream()
                    .anyMatch(h -> h.id().equals(host) && h.state() != Views.Host.State.ONLINE));
    lab().heal(host);
    if (!lab().isOn(host)) {
      lab().powerOn(host); // it was fenced meanwhile
    }
    allOnline();
  }

  @Test
  @Order(4)
  void aMachineThatRebootsIsBackAsAnotherBoot() {
    var host = other();
    var boot = lab().boot(host);
    lab().inHost(host, Duration.ofMinutes(1), "systemctl", "reboot");
    Lab.await("another boot", lab().patience(), () -> !lab().boot(host).equals(boot));
    lab().powerOn(host); // nothing, but it waits for the boot
    allOnline();
  }

  @Test
  @Order(5)
  void aBmcThatRefusesLeavesTheMachineOn() {
    var host = other();
    lab().bmc(host, BmcMode.REFUSE);
    assertThat(lab().isOn(host)).isTrue();
    lab().bmc(host, BmcMode.OK);
    lab().powerOff(host);
    assertThat(lab().isOn(host)).isFalse();
    assertThat(Files.exists(lab().log(host, "console"))).isTrue();
  }

  /** A host without the guest, that does not lead. */
  private HostId other() {
    var status = client().status();
    var busy = status.guests().getFirst().host().orElseThrow();
    return lab().hosts().stream()
        .map(h -> h.id())
        .filter(id -> !id.equals(busy) && !status.leader().equals(Optional.of(id.value())))
        .findFirst()
        .orElseThrow();
  }
}
