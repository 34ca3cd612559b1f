package dev.haven.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine;

/** Completes verbs and options in the shell fish, which picocli does not know. */
final class FishCompletion {
  private FishCompletion() {}

  /** The script: one line for each verb and option. */
  static String of(CommandLine root) {
    var lines = new ArrayList<String>();
    lines.add("complete -c haven -f");
    verbs(root, List.of(), lines);
    return String.join("\n", lines) + "\n";
  }

  private static void verbs(CommandLine line, List<String> before, List<String> lines) {
    var names = line.getSubcommands().keySet();
    var here = before.isEmpty() ? "__fish_use_subcommand" : seen(before, names);
    for (var option : line.getCommandSpec().options()) {
      if (option.hidden()) {
        continue;
      }
      var words = new StringBuilder("complete -c haven");
      if (!before.isEmpty()) {
        words.append(" -n ").append(quoted(seen(before, List.of())));
      }
      for (var name : option.names()) {
        words.append(name.startsWith("--") ? " -l " : " -s ").append(name.replaceFirst("^--?", ""));
      }
      if (option.arity().max() > 0) {
        words.append(" -r");
      }
      lines.add(words + described(option.description()));
    }
    line.getSubcommands()
        .forEach(
            (name, verb) -> {
              lines.add(
                  "complete -c haven -n %s -a %s%s"
                      .formatted(
                          quoted(here),
                          name,
                          described(verb.getCommandSpec().usageMessage().description())));
              var now = new ArrayList<>(before);
              now.add(name);
              verbs(verb, now, lines);
            });
  }

  /** True in fish when all these verbs were typed, and none of the others. */
  private static String seen(List<String> verbs, Iterable<String> noneOf) {
    var condition =
        new StringBuilder(
            String.join(
                "; and ", verbs.stream().map(v -> "__fish_seen_subcommand_from " + v).toList()));
    var others = String.join(" ", noneOf);
    if (!others.isEmpty()) {
      condition.append("; and not __fish_seen_subcommand_from ").append(others);
    }
    return condition.toString();
  }

  private static String described(String[] words) {
    return words.length == 0 ? "" : " -d " + quoted(String.join(" ", words).replace("%n", " "));
  }

  private static String quoted(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }
}
