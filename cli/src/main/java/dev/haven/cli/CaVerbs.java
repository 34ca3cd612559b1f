package dev.haven.cli;

import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
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
        "Who has ca.key can be any host and any operator: keep it off the cluster."
      },
      footer = {"Example:", "  haven ca init ~/haven-ca"})
  static final class Init extends Verb {
    @Parameters(paramLabel = "DIRECTORY", description = "Made if need be.")
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
        haven.print("would write ca.pem and ca.key to " + where);
        return Exit.OK;
      }
      try {
        CertificateAuthority.create(where);
      } catch (IOException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      }
      haven.print("wrote %s and ca.key".formatted(where.resolve("ca.pem")));
      return Exit.OK;
    }
  }

  @Command(
      name = "issue",
      description = "Makes a certificate and its key: NAME.pem and NAME.key.",
      footer = {
        "Examples:",
        "  haven ca issue --ca ~/haven-ca a --address 10.0.0.1  --out a",
        "  haven ca issue --ca ~/haven-ca admin --operator --out ~/.config/haven"
      })
  static final class Issue extends Verb {
    @Parameters(paramLabel = "NAME", description = "The host's name, or the operator's.")
    String name = "";

    @Option(
        names = "--ca",
        paramLabel = "DIRECTORY",
        required = true,
        description = "What haven ca init made.")
    Path authority = Path.of("");

    @Option(names = "--operator", description = "For a person or program, not for a host.")
    boolean operator;

    @Option(
        names = "--address",
        paramLabel = "ADDRESS",
        description = "Address or DNS name under which others reach it; repeat. Hosts need one.")
    List<String> addresses = List.of();

    @Option(
        names = "--out",
        paramLabel = "DIRECTORY",
        description = "Where the two files go. Default: here.")
    Path out = Path.of("");

    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Issue(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      if (!operator && addresses.isEmpty()) {
        throw new Stop(
            Exit.USAGE,
            "host %s: others check its address against the certificate; add --address ADDRESS"
                .formatted(name));
      }
      var base = haven.around.directory();
      var target = base.resolve(out);
      if (dryRun) {
        haven.print("would write %s.pem and %s.key to %s".formatted(name, name, target));
        return Exit.OK;
      }
      try {
        CertificateAuthority.open(base.resolve(authority))
            .issue(name, operator ? Role.OPERATOR : Role.HOST, addresses, target);
      } catch (IOException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      }
      haven.print("wrote %s and %s.key".formatted(target.resolve(name + ".pem"), name));
      return Exit.OK;
    }
  }
}
