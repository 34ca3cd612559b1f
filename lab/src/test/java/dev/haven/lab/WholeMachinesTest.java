package dev.haven.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.haven.model.Size;
import dev.haven.templates.GuestParameters;
import dev.haven.templates.GuestTemplate;
import dev.haven.templates.TemplateDisk;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a lab of whole machines is made of, without one. */
class WholeMachinesTest {
  private final LabPlan plan =
      new LabPlan(0, Path.of("/var/lib/haven-lab"), 3, false, true, LabForm.WHOLE);

  @Test
  void theDaemonsOfAMachineFindTheirFilesWhereThePackagesLookForThem() {
    var host = plan.labHosts().get(1);
    assertThat(plan.agentYaml(host))
        .contains("data: /var/lib/haven-agent\n", "certificate: /etc/haven/b.pem")
        .doesNotContain("bootIdFile", "/var/lib/haven-lab");
    assertThat(plan.orchestratorYaml(host))
        .contains("data: /var/lib/haven/voter\n", "socket: /run/haven/orchestrator.sock\n")
        .contains("secretsKey: /etc/haven/secrets.key\n", "key: /etc/haven/voter-b.key")
        .doesNotContain("/var/lib/haven-lab");
    assertThat(plan.bmcPassword(host)).isEqualTo(Path.of("/etc/haven/bmc-b"));
  }

  /** This machine's root has no socket of a voter that runs in another kernel. */
  @Test
  void thisMachineAsksTheVotersOverTheNetworkOnly() {
    assertThat(plan.cliYaml())
        .contains("voters: [\"10.77.1.1:7700\", ", "key: /var/lib/haven-lab/tls/admin.key");
  }

  @Test
  void theScriptsAreToldWhatAMachineNeeds() {
    var witness = plan.machines().getLast();
    assertThat(plan.hostEnvironment(plan.labHosts().getFirst(), Path.of("/g")))
        .contains("MEMORY=1536\n", "MAC_control=02:48:56:00:00:01\n");
    assertThat(plan.hostEnvironment(witness, Path.of("/g"))).contains("MEMORY=640\n");
  }

  @Test
  void whatRunsInAMachineIsReadFromItsAnswer() {
    var answer =
        """
        daemon haven-agent 812 2 S
        daemon haven-orchestrator 633 0 Tl
        Warning: something else
        daemon libvirtd no 0 S
        guest web
        guest db
        """;
    assertThat(OverSsh.read(answer))
        .isEqualTo(
            new Inside.Report(
                Map.of(
                    Daemon.AGENT, new LabStatus.Process(812, 2, false),
                    Daemon.ORCHESTRATOR, new LabStatus.Process(633, 0, true)),
                List.of("db", "web")));
    assertThat(OverSsh.read("")).isEqualTo(new Inside.Report(Map.of(), List.of()));
  }

  @Test
  void aCommandReachesTheMachineWordForWord() {
    assertThat(OverSsh.quoted(List.of("echo", "it's $HOME", "a b")))
        .isEqualTo("'echo' 'it'\\''s $HOME' 'a b'");
  }

  @Test
  void aMissingToolIsNamedWithThePackageThatHasIt(@TempDir Path empty) throws IOException {
    for (var tool :
        List.of("mmdebstrap", "mke2fs", "ssh-keygen", "dpkg-scanpackages", "ipmi_sim")) {
      Files.createFile(empty.resolve(tool));
    }
    assertThatThrownBy(() -> MachineImage.requireTools(empty))
        .hasMessage(
            "whole machines need linux.uml, ipmitool; install them: apt-get install"
                + " --no-install-recommends user-mode-linux ipmitool");
  }

  @Test
  void everyPackageOfAMachineHasItsReason() throws IOException {
    for (var list : List.of("machine-bare.txt", "machine-host.txt")) {
      assertThat(LabFiles.resource(list).lines().filter(l -> !l.startsWith("#")))
          .isNotEmpty()
          .allMatch(l -> l.matches("[a-z0-9.+-]+ +# .+"), "package  # reason");
    }
    assertThat(Files.readAllLines(Path.of("whole-packages.txt")).stream())
        .filteredOn(l -> !l.startsWith("#"))
        .allMatch(l -> l.matches("[a-z0-9.+-]+ +# .+"), "package  # reason");
    assertThat(MachineImage.names(LabFiles.resource("machine-bare.txt")))
        .contains("systemd", "python3")
        .doesNotContain("libvirt-daemon-system");
  }

  @Test
  void oneVersionOfEachOfHavensPackagesIsTaken(@TempDir Path packages) throws IOException {
    for (var name : List.of("haven-runtime", "haven", "haven-orchestrator", "haven-agent")) {
      Files.createFile(packages.resolve(name + "_1_all.deb"));
    }
    assertThat(MachineImage.havens(packages))
        .extracting(Path::getFileName)
        .extracting(Path::toString)
        .containsExactly(
            "haven-runtime_1_all.deb",
            "haven_1_all.deb",
            "haven-orchestrator_1_all.deb",
            "haven-agent_1_all.deb");
    Files.createFile(packages.resolve("haven-agent_2_all.deb"));
    assertThatThrownBy(() -> MachineImage.havens(packages))
        .hasMessageContaining("has 2 packages haven-agent, not one");
  }

  /** The folder that machines share knows no O_DIRECT, and QEMU would not start. */
  @Test
  void aGuestsDiskGoesThroughTheCacheOfTheSharedFolder() {
    var guest =
        GuestParameters.builder("web", Size.ofMib(128), 1)
            .uuid(UUID.randomUUID())
            .disk(TemplateDisk.of("/s/web.raw", TemplateDisk.Format.RAW))
            .build();
    var xml = GuestTemplate.named("qemu-linux").render(guest);
    assertThat(xml).contains("cache=\"none\"");
    assertThat(LabGuests.throughTheOuterMachine(xml))
        .contains("cache=\"writethrough\"", "io=\"threads\"")
        .doesNotContain("none", "native");
  }

  @Test
  void whatWholeMachinesCannotBeIsRefusedWithTheReason() {
    var packages = Path.of("/p");
    var options = LabOptions.defaults().withMachines(LabForm.WHOLE, packages);
    assertThat(options.daemons()).isTrue();
    assertThat(options.withMachines(LabForm.BARE, packages).daemons()).isFalse();
    assertThatThrownBy(() -> options.withWatchdogs(true)).hasMessageContaining("no watchdog");
  }

  /** The web server finds nothing at a path such as {@code ./Packages}, which apt would ask for. */
  @Test
  void bareMachinesAreToldOfASourceWithoutADotInItsPath() {
    assertThat(PackageSource.aptLine(plan))
        .isEqualTo("deb [trusted=yes] http://10.77.1.254:8079/ debs/\n");
  }

  /** power.sh calls the same functions, whatever a host is. */
  @Test
  void bothFormsHaveWhatThePowerButtonCalls() {
    for (var form : List.of("power-namespaces.sh", "power-machine.sh")) {
      var functions =
          LabFiles.resource(form)
              .lines()
              .flatMap(l -> Stream.of(l.split("\\(\\) \\{", -1)).limit(l.contains("() {") ? 1 : 0));
      assertThat(functions).contains("connect", "ports", "links_down", "sweep", "launch");
    }
  }
}
