package dev.haven.cli;

import dev.haven.model.JoinToken;
import dev.haven.model.api.Command.CreateToken;
import dev.haven.model.api.Command.RevokeToken;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Views;
import dev.haven.tls.TokenText;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Tokens: each lets one machine become a part of the cluster. */
final class TokenVerbs {
  private TokenVerbs() {}

  @Command(
      name = "create",
      description = {
        "Makes a token, with which one machine can join once, and prints the command to run there.",
        "The token is a secret: the first machine that shows it becomes what it says. It is made on"
            + " this machine; the cluster knows its hash only."
      },
      footer = {
        "Examples:",
        "  haven token create --role voter,host",
        "  haven token create --role host --name d --for 1h",
        "  haven token create --role witness"
      })
  static final class Create extends Verb {
    @Option(
        names = "--role",
        required = true,
        split = ",",
        paramLabel = "ROLE[,ROLE]",
        description = {
          "host: runs guests; voter: has a vote; witness: has a vote, on a machine without guests.",
          "For a machine that votes and runs guests: voter,host."
        })
    List<JoinToken.Role> roles = List.of();

    @Option(
        names = "--name",
        paramLabel = "NAME",
        description = "What the machine must be called. Default: what it calls itself.")
    @Nullable String name;

    @Option(
        names = "--for",
        paramLabel = "TIME",
        description = "For how long, such as 30m or 2h; 1 min to 7 days. Default: 15m.")
    Duration within = Duration.ofMinutes(15);

    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Create(Haven haven) {
      super(haven);
    }

    /** What programs read. */
    record Made(List<String> tokens, List<String> doors, String command) {}

    @Override
    Exit run() {
      var roles = new LinkedHashSet<>(this.roles);
      if (roles.contains(JoinToken.Role.WITNESS) && roles.size() > 1) {
        throw new Stop(
            Exit.USAGE, "--role: a witness runs no guests and votes already; give witness alone");
      }
      var known = haven.cluster().get("/v1/tokens", Views.Tokens.class);
      if (known.authority().isEmpty()) {
        throw new Stop(
            Exit.REFUSED,
            "this cluster has no key of its certificate authority, so nobody can join by a token;"
                + " docs/security.md says how to give it one");
      }
      if (known.doors().isEmpty()) {
        throw new Stop(
            Exit.REFUSED,
            "nobody can join: the voters have no port for it; add joinPort: 7703 to"
                + " orchestrator.yaml of each, and restart one after the other");
      }
      var tokens = new ArrayList<String>();
      for (var role : roles) {
        var token = TokenText.create(role.word(), known.authority().get());
        var command = new CreateToken(token.hash(), role, Optional.ofNullable(name), within);
        var mistakes = Mistakes.of(command);
        if (!mistakes.isEmpty()) {
          throw new Stop(Exit.USAGE, String.join("\n", mistakes));
        }
        var accepted = haven.cluster().command(command, dryRun);
        haven.say(accepted.message());
        tokens.add(token.text());
      }
      if (dryRun) {
        haven.say("Dry run: nothing was changed.");
        return Exit.OK;
      }
      show(new Made(tokens, known.doors(), command(known.doors().getFirst(), tokens)));
      return Exit.OK;
    }

    private static String command(String door, List<String> tokens) {
      int colon = door.lastIndexOf(':');
      boolean usual = door.endsWith(":" + Machine.JOIN_PORT);
      return "haven join %s%s"
          .formatted(
              usual ? door.substring(0, colon) : door,
              String.join("", tokens.stream().map(t -> " --token " + t).toList()));
    }

    private void show(Made made) {
      if (haven.forPeople()) {
        haven.say("On the machine that joins, as root:");
        haven.print(made.command());
      } else {
        haven.printData(made);
      }
    }
  }

  @Command(
      name = "list",
      description = "Lists the tokens that are out, and who used them. Shows no secret.")
  static final class ListAll extends Verb {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var answer = haven.cluster().get("/v1/tokens");
      if (!haven.forPeople()) {
        haven.printData(answer.body());
        return Exit.OK;
      }
      var tokens = answer.as(Views.Tokens.class).tokens();
      if (tokens.isEmpty()) {
        haven.print("No token is out. haven token create --role host makes one.");
        return Exit.OK;
      }
      var table =
          new Table()
              .column("TOKEN")
              .column("ROLE")
              .column("NAME")
              .column("UNTIL")
              .column("USED BY");
      for (var token : tokens) {
        table.row(
            token.id(),
            token.role().word(),
            token.name().orElse("any"),
            token.until().truncatedTo(ChronoUnit.SECONDS) + (token.ended() ? " (over)" : ""),
            token.usedBy().orElse("-"));
      }
      haven.print(table);
      return Exit.OK;
    }
  }

  @Command(
      name = "revoke",
      description = {
        "Takes a token back: nobody can join by it any more.",
        "A machine that joined by it stays: haven host remove, haven voter remove."
      },
      footer = {"Example:", "  haven token revoke 4f0c2a91"})
  static final class Revoke extends Verb.Changing {
    @Parameters(paramLabel = "TOKEN", description = "As haven token list shows it.")
    String id = "";

    Revoke(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new RevokeToken(id));
    }
  }
}
