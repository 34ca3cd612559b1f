package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.HostId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LabPlanTest {
  private final LabPlan plan =
      new LabPlan(0, Path.of("/var/lib/haven-lab"), 3, false, false, LabForm.NAMESPACES);

  @Test
  void theFirstLabHasTheSubnetsThatTheDocumentationNames() {
    assertThat(plan.labHosts().getFirst().addresses())
        .isEqualTo(Map.of("control", "10.77.1.1", "migration", "10.77.2.1"));
    assertThat(plan.labHosts().getFirst().bmc().address()).isEqualTo("10.77.1.254");
    assertThat(plan.labHosts()).extracting(h -> h.bmc().port()).containsExactly(9101, 9102, 9103);
    assertThat(plan.hostIds()).extracting(HostId::value).containsExactly("a", "b", "c");
  }

  @Test
  void noTwoLabsShareANameOrASubnet() {
    var seen = new HashSet<String>();
    for (int number = 0; number <= LabPlan.MAX_NUMBER; number++) {
      var lab = new LabPlan(number, Path.of("/l" + number), 26, true, true, LabForm.NAMESPACES);
      for (var network : LabPlan.NETWORKS) {
        assertThat(seen.add(LabPlan.subnet(number, network))).isTrue();
        assertThat(seen.add(lab.bridge(network))).isTrue();
        assertThat(seen.add(lab.bridgeMac(network))).isTrue();
      }
      lab.labHosts().forEach(h -> assertThat(seen.add(h.uuid().toString())).isTrue());
    }
  }

  @Test
  void everyInterfaceNameFitsIntoTheKernelsFifteenLetters() {
    var last = new LabPlan(LabPlan.MAX_NUMBER, Path.of("/l"), 26, false, true, LabForm.NAMESPACES);
    for (var network : LabPlan.NETWORKS) {
      assertThat(last.bridge(network)).hasSizeLessThanOrEqualTo(15);
      assertThat(last.port(new HostId("z"), network)).hasSizeLessThanOrEqualTo(15);
    }
  }

  @Test
  void namesOfOneLabAreNeverTakenForAnothers() {
    assertThat(LabPlan.prefix(11)).doesNotStartWith(LabPlan.prefix(1));
  }

  @Test
  void everyVoterIsInEveryConfiguration() {
    var host = plan.labHosts().get(1);
    var voter =
        """
          - {name: c, raft: "10.77.1.3:7702", api: "10.77.1.3:7700", networks: {control: 10.77.1.3, migration: 10.77.2.3}}
        """;
    assertThat(plan.agentYaml(host))
        .contains("host: b\n", voter, "bootIdFile: /run/haven-boot-id")
        .contains("certificate: /var/lib/haven-lab/tls/b.pem");
    assertThat(plan.orchestratorYaml(host))
        .contains("name: b\n", voter, "listen: 10.77.1.2:7700\n")
        .contains("socket: /var/lib/haven-lab/hosts/b/voter.sock\n")
        .contains("certificate: /var/lib/haven-lab/tls/voter-b.pem");
    assertThat(plan.cliYaml())
        .contains(
            "voters: [\"/var/lib/haven-lab/hosts/a/voter.sock\", \"10.77.1.1:7700\","
                + " \"10.77.1.2:7700\", \"10.77.1.3:7700\"]\n")
        .contains("key: /var/lib/haven-lab/tls/admin.key");
  }

  @Test
  void linksAreReadWithoutTheirPeers() {
    var output =
        """
        1: lo: <LOOPBACK,UP> mtu 65536
        7: hv0-a-con@if2: <BROADCAST> mtu 1500 master hv0-control
        """;
    assertThat(Leftovers.namesOf(output)).containsExactly("lo", "hv0-a-con");
  }

  @Test
  void aQemuProcessIsKnownByItsGuestAndNothingElseIs() {
    assertThat(
            QemuWatch.guestOf("/usr/bin/qemu-system-x86_64\0-name\0guest=web,debug-threads=on\0-S"))
        .isEqualTo(Optional.of("web"));
    assertThat(QemuWatch.guestOf("/usr/bin/qemu-system-x86_64\0-S\0-no-user-config")).isEmpty();
    assertThat(QemuWatch.guestOf("grep\0-name\0guest=web")).isEmpty();
    assertThat(QemuWatch.guestOf("")).isEmpty();
  }

  @Test
  void aPauseIsTheWidestGapLessTheUsualTick() {
    var start = Instant.EPOCH;
    var lines =
        List.of(0, 100, 350, 450).stream()
            .map(ms -> new ConsoleWatch.Line("TICK", new ClockReading(start, ms * 1_000_000L)))
            .toList();
    assertThat(ConsoleWatch.longestPause(lines)).isEqualTo(Duration.ofMillis(150));
    assertThat(ConsoleWatch.longestPause(List.of())).isZero();
  }

  @Test
  void aLabDirectoryIsChosenByTheEnvironment() {
    assertThat(LabOptions.defaultDirectory(Map.of())).isEqualTo(Path.of("/var/lib/haven-lab"));
    assertThat(LabOptions.defaultDirectory(Map.of("HAVEN_LAB", "/srv/two")))
        .isEqualTo(Path.of("/srv/two"));
  }

  @Test
  void whatCannotBeALabIsRefusedWithTheReason() {
    assertThatThrownBy(() -> LabOptions.defaults().withHosts(27))
        .hasMessage("a lab has 1 to 26 hosts, not 27");
    assertThatThrownBy(() -> LabOptions.defaults().withDirectory(Path.of("/tmp/my lab")))
        .hasMessageContaining("use only letters, digits");
  }

  @Test
  void everyPackageHasItsReason() throws Exception {
    var lines = Files.readAllLines(Path.of("packages.txt"));
    assertThat(lines.stream().filter(l -> !l.startsWith("#")))
        .isNotEmpty()
        .allMatch(l -> l.matches("[a-z0-9.+|-]+ +# .+"), "package  # reason");
    assertThat(List.copyOf(new HashSet<>(lines))).hasSameSizeAs(lines);
  }
}
