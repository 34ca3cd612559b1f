package dev.haven.lab;

import dev.haven.tls.Role;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/** The files that whole machines find in their folder, and the keys by which they are entered. */
final class MachineFiles {
  private final LabPlan plan;

  MachineFiles(LabPlan plan) {
    this.plan = plan;
  }

  /** What the host in this directory boots from: a link to the image. */
  static Path disk(Path host) {
    return host.resolve("base.img");
  }

  /** Writes what is missing, and again what follows from the plan alone. */
  void write(MachineImage image) {
    try {
      var ssh = Files.createDirectories(plan.sshConfig().resolveSibling(""));
      var key = ssh.resolve("id");
      makeKey(key, "haven-lab");
      var config =
          new StringBuilder(
              """
              Host *
                User root
                IdentityFile %s
                IdentitiesOnly yes
                BatchMode yes
                ConnectTimeout 5
                StrictHostKeyChecking yes
                UserKnownHostsFile %s
                LogLevel ERROR
              """
                  .formatted(key, ssh.resolve("known_hosts")));
      var known = new StringBuilder();
      for (var host : plan.machines()) {
        writeHost(host, image, key);
        var name = plan.prefix() + host.id();
        config.append(
            "Host %s\n  HostName %s\n  HostKeyAlias %s\n"
                .formatted(host.id(), host.control(), name));
        known.append(name).append(' ').append(Files.readString(publicKey(hostKey(host))));
      }
      LabFiles.writePrivate(plan.sshConfig(), config.toString());
      LabFiles.writePrivate(ssh.resolve("known_hosts"), known.toString());
    } catch (IOException e) {
      throw new LabException("cannot write below " + plan.directory() + ": " + e.getMessage(), e);
    }
  }

  private static Path hostKey(LabHost host) {
    return host.directory().resolve("ssh_host_ed25519_key");
  }

  private static Path publicKey(Path key) {
    return key.resolveSibling(key.getFileName() + ".pub");
  }

  private static void makeKey(Path key, String comment) throws IOException {
    if (!Files.exists(publicKey(key))) {
      Files.deleteIfExists(key);
      MachineTools.run(
          "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key.toString());
    }
  }

  private void writeHost(LabHost host, MachineImage image, Path key) throws IOException {
    var home = host.directory();
    // The disk belongs to the image that it began with: another one comes with another lab.
    if (!Files.exists(disk(home))) {
      Files.deleteIfExists(disk(home));
      Files.deleteIfExists(home.resolve("disk.cow"));
      Files.createSymbolicLink(disk(home), image.disk());
    }
    LabFiles.writeScript(home.resolve("boot.sh"), LabFiles.resource("machine-boot.sh"));
    makeKey(hostKey(host), host.id().value());
    Files.copy(
        publicKey(key), home.resolve("authorized_keys"), StandardCopyOption.REPLACE_EXISTING);
    Files.writeString(home.resolve("hosts"), plan.hostsFile());
    if (plan.form() == LabForm.BARE) {
      Files.writeString(home.resolve("packages.list"), PackageSource.aptLine(plan));
      return;
    }
    Files.writeString(home.resolve("libvirtd.conf"), LabPlan.libvirtdConf(host));
    Files.writeString(home.resolve("qemu.conf"), LabPlan.qemuConf(host));
    writeHaven(host, Files.createDirectories(home.resolve("haven")));
  }

  /** What a machine copies to /etc/haven. */
  private void writeHaven(LabHost host, Path etc) throws IOException {
    boolean witness = !plan.labHosts().contains(host);
    Files.writeString(etc.resolve("orchestrator.yaml"), plan.orchestratorYaml(host));
    copy(plan.certificates().resolve("ca.pem"), etc);
    copy(plan.secretsKey(), etc);
    copyPair(Role.VOTER, host, etc);
    for (var other : plan.labHosts()) {
      LabFiles.writePrivate(
          etc.resolve(plan.bmcPassword(other).getFileName()),
          Files.readString(other.bmc().passwordFile()));
    }
    if (!witness) {
      Files.writeString(etc.resolve("agent.yaml"), plan.agentYaml(host));
      copyPair(Role.HOST, host, etc);
    }
  }

  private void copyPair(Role role, LabHost host, Path etc) throws IOException {
    var file = role.fileOf(host.id().value());
    copy(plan.certificates().resolve(file + ".pem"), etc);
    copy(plan.certificates().resolve(file + ".key"), etc);
  }

  private static void copy(Path file, Path to) throws IOException {
    Files.copy(
        file,
        to.resolve(file.getFileName()),
        StandardCopyOption.REPLACE_EXISTING,
        StandardCopyOption.COPY_ATTRIBUTES);
  }
}
