package dev.haven.lab;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Properties;
import java.util.function.Function;

/** The files of a lab: its hosts' settings, keys and scripts. */
final class LabDirectory {
  private static final List<String> SCRIPTS =
      List.of("power.sh", "boot.sh", "machine.sh", "bmc.sh", "watchdog.sh");

  /** How a host of this form is connected and started, for {@code power.sh}. */
  private static String formScript(LabForm form) {
    return form.whole() ? "power-machine.sh" : "power-namespaces.sh";
  }

  private final LabPlan plan;
  private final Function<LabHost, Path> control;

  /**
   * @param control where each host's control group is
   */
  LabDirectory(LabPlan plan, Function<LabHost, Path> control) {
    this.plan = plan;
    this.control = control;
  }

  /** Writes what is missing, and again what follows from the plan alone. */
  void write(LabOptions options) {
    try {
      Files.createDirectories(plan.shared());
      for (var script : SCRIPTS) {
        LabFiles.writeScript(plan.directory().resolve(script), LabFiles.resource(script));
      }
      LabFiles.writeScript(
          plan.directory().resolve("form.sh"), LabFiles.resource(formScript(plan.form())));
      Files.writeString(plan.directory().resolve("hosts.txt"), plan.hostsFile());
      for (var host : plan.machines()) {
        writeHostFiles(host);
      }
      if (options.daemons()) {
        writeCertificates();
        Files.writeString(plan.cliConfig(), plan.cliYaml());
      }
      if (options.jars().isPresent()) {
        writeDaemonFiles(options.jars().get());
      }
    } catch (IOException e) {
      throw new LabException("cannot write below " + plan.directory() + ": " + e.getMessage(), e);
    }
  }

  private void writeHostFiles(LabHost host) throws IOException {
    var home = host.directory();
    for (var sub : List.of("log", "etc", "bmc/state")) {
      Files.createDirectories(home.resolve(sub));
    }
    Files.writeString(home.resolve("host.env"), plan.hostEnvironment(host, control.apply(host)));
    if (!plan.form().whole()) {
      writeLibvirtFiles(host);
    }
    Bmcs.describe(host, true);
    LabFiles.writeScript(
        home.resolve("bmc/control"),
        "#!/bin/sh\nexec " + plan.directory() + "/bmc.sh " + home + " \"$@\"\n");
  }

  private static void writeLibvirtFiles(LabHost host) throws IOException {
    var home = host.directory();
    for (var sub :
        List.of("data/agent", "data/orchestrator", "libvirt/lib", "libvirt/log", "libvirt/cache")) {
      Files.createDirectories(home.resolve(sub));
    }
    // QEMU and libvirt compare nothing across a change of these: written once, kept as a disk
    // would.
    var etc = home.resolve("libvirt/etc");
    if (!Files.exists(etc)) {
      var fresh = home.resolve("libvirt/etc.new");
      LabFiles.deleteTree(fresh);
      LabFiles.copyTree(Path.of("/etc/libvirt"), fresh);
      LabFiles.append(fresh.resolve("libvirtd.conf"), LabPlan.libvirtdConf(host));
      LabFiles.append(fresh.resolve("qemu.conf"), LabPlan.qemuConf(host));
      LabFiles.deleteTree(fresh.resolve("qemu/networks/autostart"));
      Files.move(fresh, etc, StandardCopyOption.ATOMIC_MOVE);
    }
    Capabilities.seed(host);
  }

  private void writeDaemonFiles(Path jarDirectory) throws IOException {
    List<Path> jars;
    try (var files = Files.list(jarDirectory)) {
      jars = files.filter(f -> f.toString().endsWith(".jar")).sorted().toList();
    }
    if (jars.isEmpty()) {
      throw new LabException("no jars in " + jarDirectory + "; ./haven builds them");
    }
    var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    for (var host : plan.machines()) {
      Files.writeString(
          host.directory().resolve("etc/orchestrator.yaml"), plan.orchestratorYaml(host));
      Files.writeString(host.directory().resolve("etc/agent.yaml"), plan.agentYaml(host));
      Files.writeString(
          host.directory().resolve("daemons.sh"), LabPlan.daemonsScript(host, java, jars));
    }
  }

  /** Makes what is missing; a key without its certificate is left of an interrupted command. */
  private void writeCertificates() throws IOException {
    var home = plan.certificates();
    if (!Files.exists(home.resolve("ca.pem"))) {
      LabFiles.deleteTree(home);
    }
    var authority =
        Files.exists(home) ? CertificateAuthority.open(home) : CertificateAuthority.create(home);
    for (var host : plan.machines()) {
      var sans = List.copyOf(host.addresses().values());
      issue(authority, host.id().value(), Role.HOST, sans);
      issue(authority, host.id().value(), Role.VOTER, sans);
    }
    issue(authority, "admin", Role.OPERATOR, List.of());
    if (!Files.exists(plan.secretsKey())) {
      SecretsKey.create(plan.secretsKey());
    }
  }

  private void issue(CertificateAuthority authority, String name, Role role, List<String> sans)
      throws IOException {
    var home = plan.certificates();
    if (!Files.exists(home.resolve(role.fileOf(name) + ".pem"))) {
      Files.deleteIfExists(home.resolve(role.fileOf(name) + ".key"));
      authority.issue(name, role, sans, home);
    }
  }

  static Optional<LabPlan> readPlan(Path directory) {
    try (var in = Files.newInputStream(directory.resolve(Claims.LAB_FILE))) {
      var properties = new Properties();
      properties.load(in);
      return Optional.of(
          new LabPlan(
              Integer.parseInt(properties.getProperty("number", "")),
              directory,
              Integer.parseInt(properties.getProperty("hosts", "")),
              Boolean.parseBoolean(properties.getProperty("watchdogs", "false")),
              Boolean.parseBoolean(properties.getProperty("witness", "false")),
              LabForm.valueOf(
                  properties.getProperty("form", "namespaces").toUpperCase(Locale.ROOT))));
    } catch (IOException | IllegalArgumentException e) {
      return Optional.empty(); // no lab, or an up that was interrupted in the middle of this line
    }
  }

  static void writeProperties(LabPlan plan) {
    try {
      Files.createDirectories(plan.directory());
      LabFiles.writePrivate(
          plan.directory().resolve(Claims.LAB_FILE),
          "number=%d\nhosts=%d\nwatchdogs=%s\nwitness=%s\nform=%s\n"
              .formatted(
                  plan.number(),
                  plan.hosts(),
                  plan.watchdogs(),
                  plan.witness(),
                  plan.form().label()));
    } catch (IOException e) {
      throw new LabException("cannot write below " + plan.directory() + ": " + e.getMessage(), e);
    }
  }
}
