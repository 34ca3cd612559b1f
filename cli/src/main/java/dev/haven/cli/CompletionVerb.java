package dev.haven.cli;

import java.util.List;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "completion",
    description = "Prints a script that completes commands and options in your shell.",
    footer = {
      "Examples:",
      "  source <(haven completion bash)",
      "  haven completion zsh > ~/.haven-completion   and source it in ~/.zshrc",
      "  haven completion fish > ~/.config/fish/completions/haven.fish"
    })
final class CompletionVerb extends Verb {
  enum Shell {
    bash,
    zsh,
    fish
  }

  /** One script serves bash and zsh: it begins with what zsh needs to understand it. */
  @Parameters(paramLabel = "SHELL", description = "bash, zsh or fish.")
  Shell shell = Shell.bash;

  CompletionVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    var tree = Main.tree(haven, List.of());
    haven
        .around
        .out()
        .print(
            switch (shell) {
              case bash, zsh -> AutoComplete.bash("haven", tree);
              case fish -> FishCompletion.of(tree);
            });
    return Exit.OK;
  }
}
