package dev.haven.cli;

import dev.haven.cli.start.FastStart;
import dev.haven.cli.start.HeadStart;
import dev.haven.cli.start.Training;
import dev.haven.lab.LabException;
import dev.haven.tls.NoJavaObjects;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/**
 * The command line. Only the verb that is named is looked at by picocli: all of them together would
 * take longer than most of them run.
 */
public final class Main {
  private static final Set<String> OPTIONS_WITH_VALUE =
      Set.of("-o", "--output", "--config", "--voter", "--timeout");

  private Main() {}

  /** Runs one command and ends the process with its exit code, see {@code haven --help}. */
  public static void main(String[] args) {
    NoJavaObjects.areRead();
    if (FastStart.isOn(System.getenv())) {
      HeadStart.prepare(args, () -> asksThisMachine(args), StatusVerb::prepare);
    }
    var out = stream(FileDescriptor.out);
    var err = stream(FileDescriptor.err);
    var training = System.getProperty("haven.aot.training");
    if (training != null) {
      train(training);
    }
    int code = run(args, Surroundings.ofThisProcess(out, err));
    out.flush();
    err.flush();
    System.exit(code);
  }

  private static void train(String classPath) {
    var status = new String[] {"status"};
    HeadStart.prepare(status, () -> asksThisMachine(status), StatusVerb::prepare);
    try {
      Training.run(classPath, (args, config, terminal) -> run(args, forTraining(config, terminal)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Surroundings forTraining(Path config, boolean terminal) {
    var nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
    return new Surroundings(
        System.in,
        nowhere,
        nowhere,
        Map.of("HAVEN_CONFIG", config.toString(), "COLUMNS", "100"),
        Path.of("").toAbsolutePath(),
        terminal,
        terminal,
        false);
  }

  /** Whether it begins with a voter's socket, which needs no TLS. */
  private static boolean asksThisMachine(String[] args) {
    if (!Collections.disjoint(Set.of("--voter", "--config"), List.of(args))) {
      return false;
    }
    try {
      var settings = CliConfig.find(null, System.getenv(), Path.of("").toAbsolutePath());
      return CliConfig.isLocal(CliConfig.uri(settings.voters().getFirst()));
    } catch (Stop e) {
      return false; // said where it is needed
    }
  }

  private static PrintStream stream(FileDescriptor descriptor) {
    return new PrintStream(
        new java.io.BufferedOutputStream(new FileOutputStream(descriptor), 8192),
        false,
        StandardCharsets.UTF_8);
  }

  static int run(String[] args, Surroundings around) {
    var words = words(args);
    var line = tree(new Haven(around), words);
    var out = new PrintWriter(around.out(), true, StandardCharsets.UTF_8);
    var err = new PrintWriter(around.err(), true, StandardCharsets.UTF_8);
    line.setOut(out)
        .setErr(err)
        .setColorScheme(CommandLine.Help.defaultColorScheme(ansi(args, around)))
        .setUsageHelpWidth(Math.clamp(helpWidth(around), 60, 100))
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setAbbreviatedOptionsAllowed(false)
        .registerConverter(java.time.Duration.class, Units::parseDuration)
        .setParameterExceptionHandler(Main::wrongUse)
        .setExecutionExceptionHandler((e, _, _) -> failed(e, around.err()));
    int code = line.execute(args);
    around.out().flush();
    around.err().flush();
    return code;
  }

  private static int helpWidth(Surroundings around) {
    return around.outIsTerminal() && around.environment().containsKey("COLUMNS")
        ? around.width()
        : Surroundings.DEFAULT_WIDTH;
  }

  private static Ansi ansi(String[] args, Surroundings around) {
    boolean plain =
        !around.outIsTerminal()
            || !around.environment().getOrDefault("NO_COLOR", "").isEmpty()
            || "dumb".equals(around.environment().get("TERM"))
            || List.of(args).contains("--no-color");
    return plain ? Ansi.OFF : Ansi.ON;
  }

  /** What is no option and no option's value, as far as one can tell without knowing the verb. */
  private static List<String> words(String[] args) {
    var words = new ArrayList<String>();
    for (int i = 0; i < args.length; i++) {
      if (OPTIONS_WITH_VALUE.contains(args[i])) {
        i++;
      } else if (!args[i].startsWith("-")) {
        words.add(args[i]);
      }
    }
    return words;
  }

  static CommandLine tree(Haven haven, List<String> words) {
    var root = new CommandLine(haven.spec());
    Verbs.dress(root.getCommandSpec());
    Verbs.add(root, haven, Verbs.root(), Verbs::of, words);
    return root;
  }

  private static int wrongUse(ParameterException e, String[] args) {
    var line = e.getCommandLine();
    var err = line.getErr();
    err.println("haven: " + e.getMessage());
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("See: " + line.getCommandSpec().qualifiedName() + " --help");
    err.flush();
    return Exit.USAGE.code;
  }

  private static int failed(Exception e, PrintStream err) {
    switch (e) {
      case Stop stop -> {
        err.println("haven: " + stop.text());
        return stop.exit().code;
      }
      case LabException lab -> {
        err.println("haven: " + lab.getMessage());
        return Exit.FAILED.code;
      }
      case IllegalArgumentException wrong -> {
        err.println("haven: " + wrong.getMessage());
        return Exit.USAGE.code;
      }
      case UncheckedIOException unreadable -> {
        err.println("haven: " + unreadable.getMessage());
        return Exit.FAILED.code;
      }
      default -> {
        err.println("haven: this is a fault of Haven itself; please report it with these lines");
        e.printStackTrace(err);
        return Exit.FAILED.code;
      }
    }
  }
}
