package dev.haven.cli;

import dev.haven.agent.Agent;
import dev.haven.model.config.SettingsException;
import dev.haven.orchestrator.Orchestrator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Whether a daemon, or this command line, would start with a file. */
@Command(
    name = "check",
    description = {
      "Reads a file of settings as its daemon would at its start, with the certificate and key that"
          + " it names. Needs no cluster, and changes nothing.",
      "What is wrong is told with its line and column, what was expected, and the nearest name.",
      "Run it as root: the keys are readable by their daemons only."
    },
    footer = {
      "Exit 2 if a file is wrong.",
      "Examples:",
      "  haven config check",
      "  haven config check agent.new --as agent"
    })
final class ConfigCheckVerb extends Verb {
  /** Whose file it is. */
  enum As {
    agent,
    orchestrator,
    cli
  }

  /**
   * @param file as it was named
   * @param as whose it is
   * @param wrong what is wrong with it; empty if nothing is
   */
  record Checked(String file, As as, Optional<String> wrong) {}

  private static final Path ETC = Path.of("/etc/haven");

  @Parameters(
      arity = "0..*",
      paramLabel = "FILE",
      description = "Default: agent.yaml, orchestrator.yaml and cli.yaml of /etc/haven that exist.")
  List<Path> files = List.of();

  @Option(
      names = "--as",
      paramLabel = "DAEMON",
      description =
          "Whose file it is: agent, orchestrator or cli. Default: what its name begins with.")
  Optional<As> as = Optional.empty();

  ConfigCheckVerb(Haven haven) {
    super(haven);
  }

  @Override
  Exit run() {
    var all = new ArrayList<Checked>();
    for (var file : files.isEmpty() ? installed() : files) {
      var daemon = as.or(() -> daemonOf(file));
      if (daemon.isEmpty()) {
        throw new Stop(
            Exit.USAGE, file + ": whose file is it? Say --as agent, --as orchestrator or --as cli");
      }
      all.add(new Checked(file.toString(), daemon.get(), wrong(file, daemon.get())));
    }
    if (haven.forPeople()) {
      all.forEach(
          c ->
              haven.print(
                  c.wrong()
                      .orElse("%s: %s would start with it".formatted(c.file(), name(c.as())))));
    } else {
      haven.printData(all);
    }
    return all.stream().anyMatch(c -> c.wrong().isPresent()) ? Exit.USAGE : Exit.OK;
  }

  private static String name(As daemon) {
    return switch (daemon) {
      case agent -> "haven-agent";
      case orchestrator -> "haven-orchestrator";
      case cli -> "haven";
    };
  }

  private static List<Path> installed() {
    var found =
        List.of(As.values()).stream()
            .map(daemon -> ETC.resolve(daemon + ".yaml"))
            .filter(Files::exists)
            .toList();
    if (found.isEmpty()) {
      throw new Stop(
          Exit.USAGE,
          "%s has no file of settings; name one: haven config check FILE".formatted(ETC));
    }
    return found;
  }

  private static Optional<As> daemonOf(Path file) {
    var name = String.valueOf(file.getFileName());
    return List.of(As.values()).stream().filter(d -> name.startsWith(d.name())).findFirst();
  }

  private Optional<String> wrong(Path named, As daemon) {
    var file = haven.around.directory().resolve(named);
    try {
      switch (daemon) {
        case agent -> Agent.checkSettings(file);
        case orchestrator -> Orchestrator.checkSettings(file);
        case cli -> CliConfig.check(file);
      }
      return Optional.empty();
    } catch (SettingsException e) {
      return Optional.of(String.valueOf(e.getMessage()));
    } catch (IOException e) {
      return Optional.of(named + ": " + e.getMessage());
    }
  }
}
