package dev.haven.cli;

import dev.haven.model.Json;
import dev.haven.model.Names;
import dev.haven.model.api.ForceAlone;
import dev.haven.model.api.Mistakes;
import dev.haven.model.api.Reply;
import dev.haven.model.api.Views;
import dev.haven.model.config.VoterAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The voters, one change at a time. */
final class VoterVerbs {
  private VoterVerbs() {}

  @Command(
      name = "list",
      description = "Lists the voters: which one leads, and whether each has caught up.")
  static final class ListAll extends Verb {
    ListAll(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var answer = haven.cluster().get("/v1/voters");
      if (haven.forPeople()) {
        haven.print(Show.voters(List.of(answer.as(Views.Voter[].class))));
      } else {
        haven.printData(answer.body());
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "add",
      description = {
        "Adds a voter. Start its orchestrator first, with the present voters in orchestrator.yaml.",
        "Add one at a time: the next only when this one has caught up (haven voter list)."
      },
      footer = {
        "Example:",
        "  haven voter add d --raft 10.0.0.4:7702 --api 10.0.0.4:7700 \\",
        "    --network control=10.0.0.4",
        "  haven voter add w --witness --raft 10.0.0.9:7702 --api 10.0.0.9:7700 \\",
        "    --network control=10.0.0.9"
      })
  static final class Add extends Verb {
    @Parameters(paramLabel = "NAME", description = "The name of the voter.")
    String name = "";

    @Option(
        names = "--raft",
        required = true,
        paramLabel = "ADDRESS:PORT",
        description = "Where the other voters reach it.")
    String raft = "";

    @Option(
        names = "--api",
        required = true,
        paramLabel = "ADDRESS:PORT",
        description = "Where clients and agents reach it.")
    String api = "";

    @Option(
        names = "--network",
        paramLabel = "NAME=ADDRESS",
        description = "Where it takes heartbeats; repeat it for each network.")
    Map<String, String> networks = new LinkedHashMap<>();

    @Option(
        names = "--witness",
        description =
            "Its machine runs no guests: it needs 128 MiB of memory, no libvirt and no agent.")
    boolean witness;

    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Add(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var mistakes = Mistakes.voter(name, raft, Optional.of(api), networks);
      if (!mistakes.isEmpty()) {
        throw new Stop(Exit.USAGE, String.join("\n", mistakes));
      }
      var address = new VoterAddress(name, raft, api, networks, Optional.of(witness));
      if (dryRun) {
        haven.print(
            "would add %s %s (raft %s, api %s)"
                .formatted(witness ? "witness" : "voter", name, raft, api));
        return Exit.OK;
      }
      return change(
          haven,
          () -> haven.cluster().changeVoters("POST", "/v1/voters", Json.bytes(address)),
          """
          voter %s was added and is known to the other voters and to the agents.
          So that clients find it while others are away, add it to the voters in cli.yaml.\
          """
              .formatted(name));
    }
  }

  @Command(
      name = "remove",
      description = {
        "Removes a voter. To bring it back, delete its log and add it again.",
        "Refused where the rest would have no quorum."
      },
      footer = {"Example:", "  haven voter remove d --dry-run"})
  static final class Remove extends Verb {
    @Parameters(paramLabel = "NAME", description = "The name of the voter.")
    String name = "";

    @Option(names = "--dry-run", description = "Say what would be done, and do nothing.")
    boolean dryRun;

    Remove(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      var voters = List.of(haven.cluster().get("/v1/voters", Views.Voter[].class));
      var left = voters.stream().filter(voter -> !voter.name().equals(name)).toList();
      if (left.size() == voters.size()) {
        throw new Stop(
            Exit.REFUSED,
            "voter %s: there is none; the voters are %s"
                .formatted(
                    name, String.join(", ", voters.stream().map(Views.Voter::name).toList())));
      }
      if (dryRun) {
        haven.print(
            "would remove voter %s; %d would be left, of whom %d may fail"
                .formatted(name, left.size(), (left.size() - 1) / 2));
        return Exit.OK;
      }
      haven.confirm(
          "Remove voter %s? Of the %d that are left %d may fail."
              .formatted(name, left.size(), Math.max(0, (left.size() - 1) / 2)));
      return change(
          haven,
          () -> haven.cluster().changeVoters("DELETE", "/v1/voters/" + name, null),
          "voter " + name + " was removed");
    }
  }

  @Command(
      name = "force-alone",
      description = {
        "Lets one voter go on alone, under a new generation, when all others are off for good.",
        "What only the others have decided is lost. The command lists what that may be, and asks"
            + " for a sentence that you type. Refused where one of them, or its host, shows a sign"
            + " of life."
      },
      footer = {
        "Examples:",
        "  haven voter force-alone b --dry-run",
        "  haven voter force-alone b --sentence 'voter b goes on alone, all others are off and stay"
            + " off'"
      })
  static final class ForceAloneVerb extends Verb {
    @Parameters(paramLabel = "NAME", description = "The voter that goes on.")
    String name = "";

    @Option(
        names = "--sentence",
        paramLabel = "TEXT",
        description = "The sentence, for a script that cannot type it.")
    @Nullable String sentence;

    @Option(names = "--dry-run", description = "Say what may be lost, and do nothing.")
    boolean dryRun;

    ForceAloneVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      Names.check("voter", name);
      var expected = ForceAlone.sentence(name);
      var before = ask("", true);
      if (dryRun) {
        return show(before);
      }
      var said = sentence;
      if (said == null) {
        before.plan().forEach(haven::say);
        said =
            haven.ask(
                "Type '%s':".formatted(expected),
                "nobody is there to type the sentence; add: --sentence '%s'".formatted(expected));
      }
      if (!said.equals(expected)) {
        throw new Stop(
            Exit.USAGE, "nothing was changed: the sentence must be '%s'".formatted(expected));
      }
      return show(ask(said, false));
    }

    private Reply.Accepted ask(String said, boolean only) {
      var path = "/v1/voters/%s/alone".formatted(name);
      var answer =
          haven.cluster().changeVoters("POST", path, Json.bytes(new ForceAlone(said, only)));
      return answer.as(Reply.Accepted.class);
    }

    private Exit show(Reply.Accepted reply) {
      if (haven.forPeople()) {
        haven.print(reply.message());
        reply.plan().forEach(line -> haven.print("  " + line));
      } else {
        haven.printData(Json.bytes(reply));
      }
      return Exit.OK;
    }
  }

  private static Exit change(Haven haven, Supplier<ClusterClient.Answer> request, String message) {
    ClusterClient.Answer answer;
    try (var _ = OnInterrupt.whileUnanswered(haven)) {
      answer = request.get();
    }
    if (haven.forPeople() || answer.body().length == 0) {
      haven.print(message);
    } else {
      haven.printData(answer.body());
    }
    return Exit.OK;
  }
}
