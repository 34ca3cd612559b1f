package dev.haven.cli;

import dev.haven.model.Names;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Makes a cluster of this one machine, to which others can be added. */
@Command(
    name = "init",
    description = {
      "Makes a new cluster, with this machine as its first voter and its first host.",
      "Makes the certificate authority, this machine's certificates and keys, an operator's"
          + " certificate for root, secrets.key, and writes orchestrator.yaml, agent.yaml and"
          + " cli.yaml. Needs root. Other machines are added by haven token create and haven join.",
      "",
      "Run again after an interruption, it goes on. It overwrites no file."
    },
    footer = {
      "Examples:",
      "  haven init --address 10.0.0.1",
      "  haven init berlin --name a --address 10.0.0.1 --network control=10.0.0.1 \\",
      "    --network storage=10.1.0.1:migration",
      "  haven init --address 10.0.0.1 --dry-run"
    })
final class InitVerb extends Verb {
  private static final int HEARTBEAT_PORT = 7701;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "CLUSTER",
      description = "What people call the cluster. Default: haven.")
  String cluster = "haven";

  @Option(
      names = "--address",
      required = true,
      paramLabel = "ADDRESS",
      description = "This machine's own address, at which the others reach it.")
  String address = "";

  @Option(names = "--no-agent", description = "This machine votes and runs no guests.")
  boolean noAgent;

  @Option(
      names = "--heartbeat-port",
      paramLabel = "PORT",
      description = "UDP, for the signs of life of hosts. Default: 7701.")
  int heartbeatPort = HEARTBEAT_PORT;

  @Option(
      names = "--join-port",
      paramLabel = "PORT",
      description = "TCP, for machines that join, open only while a token is out. Default: 7703.")
  int joinPort = Machine.JOIN_PORT;

  @Mixin Machine machine = new Machine();

  InitVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    Names.check("cluster", cluster);
    Machine.mustBeHere(address);
    var self = machine.voter(address, noAgent);
    var files = new Installation(haven, machine.dryRun, machine.replace);
    files.directory(machine.etc, "rwxr-xr-x", Optional.empty());
    files.directory(machine.data.resolve("haven"), "rwx------", Machine.HAVEN);
    var authority = authority(files);
    if (authority.isEmpty()) {
      haven.print("this machine is set up already; nothing was changed");
      return next();
    }
    var ca = authority.get();
    certify(files, ca, Role.VOTER, Machine.HAVEN, List.of(address));
    if (!noAgent) {
      certify(files, ca, Role.HOST, Optional.empty(), List.of());
    }
    operator(files, ca);
    secrets(files);
    var house = new Machine.House(cluster, heartbeatPort, joinPort, List.of(self));
    if (!noAgent) {
      files.settings(machine.agentYaml(), machine.agentYaml(house, address), true);
    }
    // the last: with it the voter may start
    files.settings(
        machine.orchestratorYaml(), machine.orchestratorYaml(house, address, true), true);
    return next();
  }

  /** Empty if all that is to be done was done by an earlier run. */
  private Optional<CertificateAuthority> authority(Installation files) {
    var certificate = machine.ca();
    var key = machine.caKey();
    if (machine.replace) {
      for (var file :
          List.of(
              certificate,
              key,
              machine.secretsKey(),
              machine.voterData(),
              machine.etc.resolve("cli.yaml"),
              machine.etc.resolve("admin.pem"),
              machine.etc.resolve("admin.key"),
              machine.key(Role.VOTER),
              machine.key(Role.HOST))) {
        if (Files.exists(file)) {
          files.outOfTheWay(file);
        }
      }
    } else if (Files.exists(certificate) && !Files.exists(key)) {
      if (Files.exists(machine.orchestratorYaml())
          && Files.exists(machine.certificate(Role.VOTER))) {
        return Optional.empty();
      }
      throw new Stop(
          Exit.USAGE,
          "%s is there: this machine belongs to a cluster already. To add it to that one as a voter: haven join. To make a new cluster of it: --replace"
              .formatted(certificate));
    } else if (!Files.exists(certificate) && isUsed(machine.voterData())) {
      throw new Stop(
          Exit.USAGE,
          "%s holds the log of a voter of an earlier cluster; nothing was changed. --replace moves it to %s.old"
              .formatted(machine.voterData(), machine.voterData()));
    }
    try {
      if (machine.dryRun) {
        haven.print("would make a certificate authority: %s and %s".formatted(certificate, key));
        return Optional.of(CertificateAuthority.create());
      }
      if (Files.exists(certificate)) {
        files.give(key, Machine.HAVEN);
        return Optional.of(CertificateAuthority.of(certificate, key)); // an earlier run made it
      }
      Files.deleteIfExists(key); // an earlier run was interrupted before its certificate was made
      var made = CertificateAuthority.create(certificate, key);
      files.give(key, Machine.HAVEN);
      haven.print("made a certificate authority, fingerprint " + made.fingerprint());
      return Optional.of(made);
    } catch (IOException e) {
      throw new Stop(Exit.FAILED, needsRoot(e));
    }
  }

  private static String needsRoot(IOException e) {
    return e instanceof java.nio.file.AccessDeniedException
        ? e.getMessage() + " cannot be written; run this as root"
        : String.valueOf(e.getMessage());
  }

  private static boolean isUsed(Path directory) {
    try (var files = Files.list(directory)) {
      return files.findAny().isPresent();
    } catch (IOException e) {
      return false; // there is none
    }
  }

  private void certify(
      Installation files,
      CertificateAuthority ca,
      Role role,
      Optional<String> owner,
      List<String> addresses) {
    certify(
        files,
        ca,
        new Peer(machine.name(), role),
        machine.key(role),
        machine.certificate(role),
        owner,
        addresses);
  }

  private void certify(
      Installation files,
      CertificateAuthority ca,
      Peer holder,
      Path keyFile,
      Path certificate,
      Optional<String> owner,
      List<String> addresses) {
    if (files.certified(machine.ca(), certificate, keyFile, holder)) {
      return;
    }
    var key = files.key(keyFile, owner);
    try {
      files.file(
          certificate,
          ca.certify(key.getPublic(), holder.name(), holder.role(), addresses),
          false,
          owner);
    } catch (IOException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  private void operator(Installation files, CertificateAuthority ca) {
    certify(
        files,
        ca,
        new Peer("admin", Role.OPERATOR),
        machine.etc.resolve("admin.key"),
        machine.etc.resolve("admin.pem"),
        Optional.empty(),
        List.of());
    files.settings(
        machine.etc.resolve("cli.yaml"),
        """
        voters: ["%s", "%s"]
        tls: {ca: ca.pem, certificate: admin.pem, key: admin.key}
        """
            .formatted(machine.socket(), Machine.place(address, machine.apiPort)),
        true);
  }

  private void secrets(Installation files) {
    var file = machine.secretsKey();
    try {
      if (Files.exists(file)) {
        files.give(file, Machine.HAVEN); // an earlier run may have been interrupted before that
      } else {
        files.file(file, SecretsKey.make(), true, Machine.HAVEN);
      }
    } catch (IOException e) {
      throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
    }
  }

  private Exit next() {
    if (machine.dryRun) {
      haven.print("Dry run: nothing was written.");
      return Exit.OK;
    }
    @Nullable String start = null;
    if (!machine.start(haven, "haven-orchestrator")) {
      start = "  systemctl start haven-orchestrator";
    }
    if (!noAgent && !machine.start(haven, "haven-agent") && start != null) {
      start += " haven-agent";
    }
    haven.print("Next:");
    if (start != null) {
      haven.print(start);
    }
    if (!noAgent) {
      haven.print(
          "  haven host add %s --network %s --migration-uri qemu+tls://%s/system --fencing …"
              .formatted(
                  machine.name(),
                  machine.networks.isEmpty()
                      ? "control=" + address
                      : String.join(" --network ", machine.networks),
                  address));
    }
    haven.print("  haven token create --role voter,host    for each further machine");
    return Exit.OK;
  }
}
