package dev.haven.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.haven.model.Json;
import dev.haven.model.config.TlsFiles;
import dev.haven.tls.TlsContext;
import dev.haven.tls.TlsException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** The options that every verb takes, and what all verbs share. */
@Command(
    name = "haven",
    versionProvider = Version.class,
    mixinStandardHelpOptions = true,
    sortOptions = false,
    synopsisSubcommandLabel = "COMMAND",
    description = "Keeps virtual machines running when the machines beneath them fail.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:ok",
      "1:an operation failed, or Haven itself did",
      "2:the command line or a file that it names is wrong; nothing was sent",
      "3:no voter answered; nothing was changed",
      "4:the cluster refused, or you said no; nothing was changed",
      "5:status --check: the cluster needs a person",
      "6:it was sent and no answer came, or op wait --within is over: it may have been done or not",
      "130:interrupted; an operation that had begun goes on"
    },
    footer = {
      "Examples:",
      "  haven status                      the whole cluster",
      "  haven evacuate a                  before working on host a",
      "  haven COMMAND --help",
      "",
      "In a checkout, the script ./haven has three more:",
      "  ./haven test [--yes]              all checks; ./haven test --help",
      "  ./haven build                     builds what is out of date",
      "  ./haven packages [--yes]          the packages that the lab and the tests need"
    })
final class Haven {
  enum Output {
    table,
    json,
    yaml
  }

  @Option(
      names = {"-o", "--output"},
      scope = ScopeType.INHERIT,
      paramLabel = "FORMAT",
      description = "table (for people), json or yaml. Default: table.")
  Output output = Output.table;

  @Option(
      names = "--config",
      scope = ScopeType.INHERIT,
      paramLabel = "FILE",
      description = {
        "Default: $HAVEN_CONFIG, else the first of",
        "./.haven/cli.yaml, ~/.config/haven/cli.yaml,",
        "/etc/haven/cli.yaml, that of a lab here."
      })
  @Nullable Path config;

  @Option(
      names = "--voter",
      scope = ScopeType.INHERIT,
      paramLabel = "ADDRESS",
      description = "Ask only this voter; may be repeated.")
  List<String> voters = List.of();

  @Option(
      names = "--timeout",
      scope = ScopeType.INHERIT,
      paramLabel = "TIME",
      description = "Such as 500ms or 1m: for one request over all voters. Default: 10s.")
  Duration timeout = Duration.ofSeconds(10);

  @Option(
      names = {"-y", "--yes"},
      scope = ScopeType.INHERIT,
      description = "Ask nothing.")
  boolean yes;

  @Option(
      names = "--no-color",
      scope = ScopeType.INHERIT,
      description = "No colours, not even on a terminal. So does $NO_COLOR.")
  boolean noColor;

  final Surroundings around;
  private @Nullable Cluster cluster;
  private int width;

  Haven(Surroundings around) {
    this.around = around;
  }

  Cluster cluster() {
    if (cluster == null) {
      cluster = cluster(CliConfig.find(config, around.environment(), around.directory()));
    }
    return cluster;
  }

  private Cluster cluster(CliConfig settings) {
    var addresses = voters.isEmpty() ? settings.voters() : voters;
    try {
      return new Cluster(
          addresses.stream().map(CliConfig::uri).toList(),
          context(settings.tls()),
          timeout,
          () -> checkFiles(settings.tls()));
    } catch (IllegalArgumentException e) {
      throw new Stop(Exit.USAGE, "--voter: " + e.getMessage());
    }
  }

  private static SSLContext context(TlsFiles files) {
    try {
      return TlsContext.loadUnchecked(files.ca(), files.certificate(), files.key());
    } catch (TlsException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  /** What a failed handshake may be due to on our side. @throws Stop saying so */
  private static void checkFiles(TlsFiles files) {
    try {
      TlsContext.load(files.ca(), files.certificate(), files.key());
    } catch (TlsException e) {
      throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  boolean forPeople() {
    return output == Output.table;
  }

  Paint paint() {
    return new Paint(
        around.outIsTerminal()
            && !noColor
            && around.environment().getOrDefault("NO_COLOR", "").isEmpty()
            && !"dumb".equals(around.environment().get("TERM")));
  }

  void print(String line) {
    around.out().println(line);
  }

  /** Shows each line as it comes. */
  PrintStream liveOut() {
    return new PrintStream(around.out(), true, StandardCharsets.UTF_8);
  }

  /** For what is no result: progress, warnings. */
  void say(String line) {
    around.err().println(line);
    around.err().flush();
  }

  void print(Table table) {
    if (width == 0) {
      width = around.width();
    }
    table.render(width, paint()).forEach(this::print);
  }

  /** Prints an answer for programs, with all that the voter said. */
  void printData(byte[] json) {
    try {
      printData(Json.mapper().readTree(json));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  void printData(Object value) {
    printData((JsonNode) Json.mapper().valueToTree(value));
  }

  void printData(JsonNode tree) {
    try {
      if (output == Output.yaml) {
        around.out().print(Yaml.of(tree));
      } else {
        print(
            Json.mapper()
                .writer()
                .with(SerializationFeature.INDENT_OUTPUT)
                .writeValueAsString(tree));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Asks a person. @throws Stop with {@code otherwise} if there is none */
  String ask(String question, String otherwise) {
    if (!around.inIsTerminal()) {
      throw new Stop(Exit.USAGE, otherwise);
    }
    around.err().print(question + " ");
    around.err().flush();
    try {
      var line =
          new BufferedReader(new InputStreamReader(around.in(), StandardCharsets.UTF_8)).readLine();
      return line == null ? "" : line.strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * @throws Stop if the answer is no, or nobody is there to ask
   */
  void confirm(String question) {
    if (!yes
        && !ask(question + " [y/N]", question + " Nobody is there to ask: add --yes")
            .toLowerCase(java.util.Locale.ROOT)
            .startsWith("y")) {
      throw new Stop(Exit.REFUSED, "nothing was changed");
    }
  }
}
