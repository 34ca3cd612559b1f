package dev.haven.cli;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Certificates. These verbs need no cluster. */
final class CaVerbs {
  private CaVerbs() {}

  @Command(
      name = "init",
      description = {
        "Makes a certificate authority: ca.pem, which every machine gets, and ca.key.",
        "Anybody who has ca.key can act as any host, voter or operator: keep it off the cluster.",
        "Also makes secrets.key: copy it to every voter, mode 600, and name it in orchestrator.yaml"
            + " (secretsKey:)."
      },
      footer = {"Example:", "  haven ca init ~/haven-ca"})
  static final class Init extends Verb {
    @Parameters(
        paramLabel = "DIRECTORY",
        description = "Where the files go; made if it is not there.")
    Path directory = Path.of("");

    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Init(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var where = haven.around.directory().resolve(directory);
      if (dryRun) {
        haven.print("would write ca.pem, ca.key and secrets.key to " + where);
        return Exit.OK;
      }
      try {
        CertificateAuthority.create(where);
        SecretsKey.create(where.resolve("secrets.key"));
      } catch (IOException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      }
      haven.print("wrote %s, ca.key and secrets.key".formatted(where.resolve("ca.pem")));
      return Exit.OK;
    }
  }

  @Command(
      name = "issue",
      description = {
        "Makes a certificate and its key: NAME.pem and NAME.key, for the agent of host NAME.",
        "A voter has a key of its own, also on a host with an agent: --role voter makes",
        "voter-NAME.pem and voter-NAME.key."
      },
      footer = {
        "Examples:",
        "  haven ca issue --ca ~/haven-ca a --out a",
        "  haven ca issue --ca ~/haven-ca a --role voter --address 10.0.0.1 --out a",
        "  haven ca issue --ca ~/haven-ca admin --role operator --out ~/.config/haven"
      })
  static final class Issue extends Verb {
    @Parameters(
        paramLabel = "NAME",
        description = "The host's name, the voter's or the operator's.")
    String name = "";

    @Option(
        names = "--ca",
        paramLabel = "DIRECTORY",
        required = true,
        description = "The directory that haven ca init made.")
    Path authority = Path.of("");

    enum As {
      host,
      voter,
      operator
    }

    @Option(
        names = "--role",
        paramLabel = "ROLE",
        description = {
          "host: the agent of a host, the default; voter: an orchestrator;",
          "operator: a person or program that gives commands."
        })
    As as = As.host;

    @Option(
        names = "--address",
        paramLabel = "ADDRESS",
        description =
            "Address or DNS name under which others reach it; may be repeated. A voter needs one.")
    List<String> addresses = List.of();

    @Option(
        names = "--out",
        paramLabel = "DIRECTORY",
        description = "Where the two files go. Default: this directory.")
    Path out = Path.of("");

    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Issue(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var role =
          switch (as) {
            case host -> Role.HOST;
            case voter -> Role.VOTER;
            case operator -> Role.OPERATOR;
          };
      if (role == Role.VOTER && addresses.isEmpty()) {
        throw new Stop(
            Exit.USAGE,
            "voter %s: others check its address against the certificate; add --address ADDRESS"
                .formatted(name));
      }
      var base = haven.around.directory();
      var target = base.resolve(out);
      var file = role.fileOf(name);
      if (dryRun) {
        haven.print("would write %s.pem and %s.key to %s".formatted(file, file, target));
        return Exit.OK;
      }
      try {
        CertificateAuthority.open(base.resolve(authority)).issue(name, role, addresses, target);
      } catch (IOException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      }
      haven.print("wrote %s and %s.key".formatted(target.resolve(file + ".pem"), file));
      return Exit.OK;
    }
  }
}
