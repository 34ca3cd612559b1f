package dev.haven.cli;

import java.util.List;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "completion",
    description = "Prints a script that completes verbs and options in your shell.",
    footer = {
      "Examples:",
      "  source <(haven completion bash)",
      "  haven completion zsh > ~/.haven-completion   and source it in ~/.zshrc"
    })
final class CompletionVerb extends Verb {
  enum Shell {
    bash,
    zsh
  }

  /** One script serves both: it begins with what zsh needs to understand it. */
  @Parameters(paramLabel = "SHELL", description = "bash or zsh.")
  Shell shell = Shell.bash;

  CompletionVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    haven.around.out().print(AutoComplete.bash("haven", Main.tree(haven, List.of())));
    return Exit.OK;
  }
}
