package dev.haven.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.haven.model.Json;
import dev.haven.model.PlainText;
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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ScopeType;

/**
 * The options that every verb takes, and what all verbs share.
 *
 * <p>This and {@link StatusVerb} say their options by calls and not by annotations, which take the
 * JVM 40 ms to read: each kind of annotation becomes a class of its own.
 */
final class Haven {
  enum Output {
    table,
    json,
    yaml
  }

  private final OptionSpec output =
      OptionSpec.builder("-o", "--output")
          .type(Output.class)
          .paramLabel("FORMAT")
          .defaultValue("table")
          .showDefaultValue(Visibility.NEVER)
          .description("table (for people), json or yaml. Default: table.")
          .scopeType(ScopeType.INHERIT)
          .build();

  private final OptionSpec config =
      OptionSpec.builder("--config")
          .type(Path.class)
          .paramLabel("FILE")
          .description(
              "Names the voters and your certificate.",
              "Default: $HAVEN_CONFIG, else the first of",
              "./.haven/cli.yaml, ~/.config/haven/cli.yaml,",
              "/etc/haven/cli.yaml, that of a lab here.")
          .scopeType(ScopeType.INHERIT)
          .build();

  private final OptionSpec voters =
      OptionSpec.builder("--voter")
          .type(List.class)
          .auxiliaryTypes(String.class)
          .paramLabel("ADDRESS")
          .description(
              "Ask only this voter, ADDRESS:PORT or the path of its socket; may be repeated."
                  + " Default: all in the file.")
          .scopeType(ScopeType.INHERIT)
          .build();

  private final OptionSpec timeout =
      OptionSpec.builder("--timeout")
          .type(Duration.class)
          .paramLabel("TIME")
          .defaultValue("10s")
          .showDefaultValue(Visibility.NEVER)
          .description(
              "How long to wait for an answer, over all voters together, such as 500ms or 1m."
                  + " Default: 10s.")
          .scopeType(ScopeType.INHERIT)
          .build();

  private final OptionSpec yes =
      flag("-y", "--yes")
          .description("Do not ask yes or no; the answer is yes.")
          .scopeType(ScopeType.INHERIT)
          .build();

  private final OptionSpec noColor =
      flag("--no-color")
          .description("No colours, not even on a terminal. So does $NO_COLOR.")
          .scopeType(ScopeType.INHERIT)
          .build();

  final Surroundings around;
  private @Nullable Path labConfig;
  private @Nullable ClusterClient cluster;
  private int width;

  Haven(Surroundings around) {
    this.around = around;
  }

  CommandSpec spec() {
    var spec =
        CommandSpec.wrapWithoutInspection(this)
            .name("haven")
            .versionProvider(new Version())
            .addOption(output)
            .addOption(config)
            .addOption(voters)
            .addOption(timeout)
            .addOption(yes)
            .addOption(noColor)
            .addOption(
                flag("-h", "--help")
                    .usageHelp(true)
                    .description("Show this help message and exit.")
                    .build())
            .addOption(
                flag("-V", "--version")
                    .versionHelp(true)
                    .description("Print version information and exit.")
                    .build());
    var exitCodes = new LinkedHashMap<String, String>();
    exitCodes.put("0", "ok");
    exitCodes.put("1", "an operation failed, or Haven itself did");
    exitCodes.put("2", "the command line or a file that it names is wrong; nothing was sent");
    exitCodes.put("3", "no voter answered; nothing was changed");
    exitCodes.put("4", "the cluster refused, or you said no; nothing was changed");
    exitCodes.put("5", "status --check, fence test, simulate, what-if: somebody must look");
    exitCodes.put(
        "6",
        "it was sent and no answer came, or op wait --within is over: it may have been done or"
            + " not");
    exitCodes.put("130", "interrupted; an operation that had begun goes on");
    spec.usageMessage()
        .description("Keeps virtual machines running when the machines beneath them fail.")
        .exitCodeListHeading("%nExit codes:%n")
        .exitCodeList(exitCodes)
        .footer(
            "Examples:",
            "  haven status                      the whole cluster",
            "  haven evacuate a                  before working on host a",
            "  haven COMMAND --help",
            "",
            "In a checkout, the script ./haven has four more:",
            "  ./haven test [--yes]              all checks; ./haven test --help",
            "  ./haven build                     builds what is out of date",
            "  ./haven packages [--yes]          installs what the lab and the tests need",
            "  ./haven package [DIRECTORY]       makes Debian packages");
    return spec;
  }

  /** An option without a value. */
  static OptionSpec.Builder flag(String... names) {
    return OptionSpec.builder(names[0], Arrays.copyOfRange(names, 1, names.length))
        .type(boolean.class)
        .arity("0")
        .defaultValue("false")
        .showDefaultValue(Visibility.NEVER);
  }

  static boolean given(OptionSpec flag) {
    return Boolean.TRUE.equals(flag.getValue());
  }

  /** As all options, the default where no command line was read. */
  Output output() {
    var named = output.<@Nullable Output>getValue();
    return named == null ? Output.table : named;
  }

  private Duration timeout() {
    var named = timeout.<@Nullable Duration>getValue();
    return named == null ? Duration.ofSeconds(10) : named;
  }

  /** All that follows is about the lab's cluster, whatever the options say. */
  void useLab(Path cliConfig) {
    labConfig = cliConfig;
  }

  ClusterClient cluster() {
    if (cluster == null) {
      var named = labConfig != null ? labConfig : config.<@Nullable Path>getValue();
      cluster = cluster(CliConfig.find(named, around.environment(), around.directory()));
    }
    return cluster;
  }

  private ClusterClient cluster(CliConfig settings) {
    var named = voters.<@Nullable List<String>>getValue();
    var addresses = named == null || named.isEmpty() ? settings.voters() : named;
    try {
      return new ClusterClient(
          addresses.stream().map(CliConfig::uri).toList(),
          () -> context(tlsFiles(settings)),
          timeout(),
          () -> checkFiles(tlsFiles(settings)));
    } catch (IllegalArgumentException e) {
      throw new Stop(Exit.USAGE, "--voter: " + e.getMessage());
    }
  }

  private static TlsFiles tlsFiles(CliConfig settings) {
    return settings
        .tls()
        .orElseThrow(
            () ->
                new Stop(
                    Exit.USAGE,
                    "--voter: an address is reached by TLS only, and the configuration names no"
                        + " certificate; add tls: {ca: …, certificate: …, key: …}"));
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
    return output() == Output.table;
  }

  Paint paint() {
    return new Paint(
        around.outIsTerminal()
            && !given(noColor)
            && around.environment().getOrDefault("NO_COLOR", "").isEmpty()
            && !"dumb".equals(around.environment().get("TERM")));
  }

  /** The one way to the terminal: what came from elsewhere moves no cursor there. */
  void print(String line) {
    around.out().println(Paint.harmless(line));
  }

  /** Shows each line as it comes. */
  PrintStream liveOut() {
    return new PrintStream(around.out(), true, StandardCharsets.UTF_8);
  }

  /** For what is no result: progress, warnings. */
  void say(String line) {
    around.err().println(Paint.harmless(line));
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
      if (output() == Output.yaml) {
        around.out().print(PlainText.lines(Yaml.of(tree)));
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
    around.err().print(Paint.harmless(question) + " ");
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
    if (!given(yes)
        && !ask(question + " [y/N]", question + " Nobody is there to ask: add --yes")
            .toLowerCase(java.util.Locale.ROOT)
            .startsWith("y")) {
      throw new Stop(Exit.REFUSED, "nothing was changed");
    }
  }
}
