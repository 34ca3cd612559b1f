package dev.haven.cli;

import dev.haven.model.api.Command.Pause;
import dev.haven.model.api.Command.Resume;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code haven pause} and {@code haven resume}: fencing stands still while somebody works. */
final class PauseVerbs {
  private PauseVerbs() {}

  @Command(
      name = "pause",
      description = {
        "Fences nobody until haven resume: for work on the network or on the power.",
        "",
        "Leases are no proof meanwhile: guests run on where they are, and a guest whose host dies"
            + " waits for another proof. haven status names the hosts that have not acknowledged"
            + " the pause yet."
      },
      footer = {"Example:", "  haven pause --reason 'new firmware on the switches' --for 1h"})
  static final class PauseVerb extends Verb.Changing {
    @Option(
        names = "--reason",
        paramLabel = "TEXT",
        required = true,
        description = "Why, in one line; haven status shows it.")
    String reason = "";

    @Option(
        names = "--for",
        paramLabel = "TIME",
        description =
            "The pause ends by itself after this, such as 1h; 1s to 30d. Default: only haven resume"
                + " ends it.")
    @Nullable Duration within;

    PauseVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new Pause(reason, Optional.ofNullable(within)));
    }
  }

  @Command(
      name = "resume",
      description = "Ends haven pause: silent hosts are fenced again.",
      footer = {"Example:", "  haven resume"})
  static final class ResumeVerb extends Verb.Changing {
    ResumeVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit run() {
      return change(new Resume());
    }
  }
}
