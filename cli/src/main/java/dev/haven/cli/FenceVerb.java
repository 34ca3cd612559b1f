package dev.haven.cli;

import dev.haven.model.HostId;
import dev.haven.model.api.Command.ConfirmDead;
import dev.haven.model.api.Command.Fence;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "fence",
    description = {
      "Fences a host: cuts its power, proves it off, and starts its guests elsewhere.",
      "",
      "With --confirm-dead the proof is your word. Give it only after you have seen the machine"
          + " off, or pulled its power: a guest that still runs there while it starts elsewhere"
          + " destroys its disk. The cluster refuses where it has a sign of life itself."
    },
    footer = {
      "Examples:",
      "  haven fence a                     through its fencing devices",
      "  haven fence test a                would that work? Switches nothing",
      "  haven fence a --confirm-dead      asks for a sentence that you type",
      "  haven fence a --confirm-dead --sentence 'host a is off and stays off'",
      "",
      "Until the host is proven off its guests stay put. A fence that fails is tried again,",
      "at last every 30 s; ^C ends the wait and not the fence. Exit 1 if the host boots again"
          + " meanwhile."
    })
final class FenceVerb extends Verb.Operating {
  @Parameters(paramLabel = "HOST", arity = "0..1", description = "The host.")
  String host = "";

  @Option(
      names = "--confirm-dead",
      description = "Switch nothing off: tell the cluster that the host is off and stays off.")
  boolean confirmDead;

  @Option(
      names = "--sentence",
      paramLabel = "TEXT",
      description = "With --confirm-dead: the sentence, for a script that cannot type it.")
  @Nullable String sentence;

  @Option(
      names = "--override",
      paramLabel = "TEXT",
      description =
          "With --confirm-dead: the second sentence, if the cluster doubts the first and asks for"
              + " it.")
  @Nullable String override;

  /** A lease has at most 20 s to go. */
  private static final Duration AGAIN = Duration.ofSeconds(1);

  FenceVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    if (host.isEmpty()) {
      throw new Stop(Exit.USAGE, "which host? haven fence HOST, or haven fence test HOST");
    }
    var id = new HostId(host);
    if (!confirmDead) {
      if (!dryRun) {
        haven.confirm("Cut the power of host " + id + "? What runs there stops at once.");
      }
      return change(new Fence(id));
    }
    var expected = ConfirmDead.sentence(id);
    var said = sentence;
    if (said == null) {
      haven.say(
          """
          Your word is the only proof that host %s cannot write to its guests' disks any more.
          If it still runs, or comes back with them, they are damaged. So: is it without power,
          have you seen that yourself, and does nobody switch it on before its guests run elsewhere?\
          """
              .formatted(id));
      said =
          haven.ask(
              "Type '%s':".formatted(expected),
              "nobody is there to type the sentence; add: --sentence '%s'".formatted(expected));
    }
    if (!said.equals(expected)) {
      throw new Stop(
          Exit.USAGE, "nothing was changed: the sentence must be '%s'".formatted(expected));
    }
    var word = new ConfirmDead(id, said, Optional.ofNullable(override));
    for (boolean told = false; ; told = true) {
      try {
        return change(word);
      } catch (TooEarly e) {
        if (!told) {
          haven.say(String.valueOf(e.getMessage()));
          haven.say("Saying it again then; ^C leaves it unsaid.");
        }
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(AGAIN);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Stop(Exit.INTERRUPTED, "nothing was said");
    }
  }
}
