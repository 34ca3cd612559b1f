package dev.haven.cli;

import dev.haven.model.KnownKey;
import dev.haven.model.api.Command.RevokeKey;
import dev.haven.model.api.Views;
import dev.haven.tls.AuthorityFile;
import dev.haven.tls.CertificateAuthority;
import dev.haven.tls.Role;
import dev.haven.tls.SecretsKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Certificates. init and issue need no cluster. */
final class CaVerbs {
  /** Digits of a key that tell it from all others. */
  private static final int SHOWN = 16;

  private static final int SHORTEST = 6;

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

  @Command(
      name = "list",
      description = {
        "Lists the keys that the cluster has certified by join tokens, and those that it revoked.",
        "Keys that were certified by hand (haven ca issue) are not on record until they are"
            + " revoked."
      })
  static final class ListAll extends Verb {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var answer = haven.cluster().get("/v1/keys");
      if (!haven.forPeople()) {
        haven.printData(answer.body());
        return Exit.OK;
      }
      var keys = answer.as(Views.Keys.class).keys();
      if (keys.isEmpty()) {
        haven.print("No key is on record: nobody has joined by a token yet.");
        return Exit.OK;
      }
      var table = new Table().column("KEY").column("ROLE").column("NAME").column("SINCE");
      table.column("REVOKED");
      keys.stream()
          .sorted(Comparator.comparing(KnownKey::role).thenComparing(KnownKey::name))
          .forEach(
              key ->
                  table.row(
                      key.key().substring(0, SHOWN),
                      key.role(),
                      key.name(),
                      key.since().truncatedTo(ChronoUnit.SECONDS),
                      key.revoked()
                          .map(at -> at.truncatedTo(ChronoUnit.SECONDS).toString())
                          .orElse("-")));
      haven.print(table);
      return Exit.OK;
    }
  }

  @Command(
      name = "revoke",
      description = {
        "Revokes a key: it lets nobody in any more, and its connections end within seconds.",
        "Refused for a host that holds guests, and for a voter that is a member, unless it works",
        "with a newer key. haven host remove revokes the keys of the host that are on record."
      },
      footer = {
        "Examples:",
        "  haven ca revoke 4f0c2a91b2d3       as haven ca list shows it",
        "  haven ca revoke old/admin.pem      a certificate that was made by hand"
      })
  static final class Revoke extends Verb.Changing {
    @Parameters(
        paramLabel = "KEY|FILE",
        description = "The first digits of the key in haven ca list, or the certificate's file.")
    String what = "";

    Revoke(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var file = haven.around.directory().resolve(what);
      var key = Files.isRegularFile(file) ? ofFile(file) : onRecord();
      return change(new RevokeKey(key, false));
    }

    private static KnownKey ofFile(Path file) {
      try {
        var holder = AuthorityFile.holder(file);
        return new KnownKey(
            AuthorityFile.keys(file).getFirst(),
            holder.role().unit(),
            holder.name(),
            Instant.now(),
            Optional.empty());
      } catch (IOException e) {
        throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
      }
    }

    private KnownKey onRecord() {
      if (what.length() < SHORTEST) {
        throw new Stop(
            Exit.USAGE, "key '%s': give at least %d digits of it".formatted(what, SHORTEST));
      }
      var all = haven.cluster().get("/v1/keys", Views.Keys.class).keys();
      var found = all.stream().filter(k -> k.key().startsWith(what)).toList();
      if (found.size() != 1) {
        throw new Stop(
            Exit.USAGE,
            found.isEmpty()
                ? "key '%s': there is none on record, and no file of that name; haven ca list shows them. For a certificate that was made by hand, give its file"
                    .formatted(what)
                : "key '%s': there are %d that begin so; give more digits"
                    .formatted(what, found.size()));
      }
      return found.getFirst();
    }
  }
}
