package dev.haven.cli;

import dev.haven.bench.MutantBench;
import dev.haven.bench.MutationBench;
import dev.haven.cli.BenchVerbs.Measuring;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Breaks the code on purpose: do the tests notice? */
final class BenchMutantVerbs {
  private BenchMutantVerbs() {}

  /** Where the sources are that this verb changes. */
  private static Path checkout(String verb) {
    var home = System.getProperty("haven.home");
    if (home == null) {
      throw new Stop(Exit.USAGE, "this needs the sources of a checkout: ./haven bench " + verb);
    }
    return Path.of(home);
  }

  @Command(
      name = "mutations",
      description =
          "Breaks each rule of simulator/mutations.yaml in turn and lets the simulator, or the test"
              + " that the rule names, look for it.",
      footer = {
        "Exit 1 if one is not found, alone or together with the rule that stands in for it.",
        "Example:",
        "  haven bench mutations --only bound-too-short"
      })
  static final class Mutations extends Measuring {
    @Option(
        names = "--faults",
        paramLabel = "N",
        description =
            "How many faults at most for each rule that the simulator looks for. Default: 20000.")
    int faults = 20_000;

    @Option(names = "--seed", paramLabel = "S", description = "The seed. Default: 1.")
    long seed = 1;

    @Option(
        names = "--only",
        paramLabel = "NAME",
        description = "Only this rule; may be repeated. Default: all.")
    List<String> only = new ArrayList<>();

    Mutations(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var home = checkout("mutations");
      var results = MutationBench.run(home, only, faults, seed, haven.around.err());
      if (!haven.forPeople()) {
        haven.printData(results);
      } else {
        var table =
            new Table().column("BROKEN").column("LOOKED FOR BY").column("RULE").column("FOUND");
        for (var result : results) {
          table.row(
              result.name(),
              result.lookedForBy(),
              result.sentence(),
              new Table.Cell(result.words(), result.found().isPresent() ? "" : "red"));
        }
        haven.print(table);
        haven.print(MutationBench.summary(results));
      }
      return results.stream().allMatch(r -> r.found().isPresent()) ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "mutants",
      description = {
        "Changes one instruction at a time in the packages of bench/mutants.yaml (with PIT), and",
        "counts for how many of these mutants a unit test fails."
      },
      footer = {
        "Packages: lease, lead, obey, proofs, voters, state, agent and raft. Each takes minutes;"
            + " ./haven test does not run it.",
        "Exit 1 if tests notice less than the goal (85 %%) in a package that safety depends on.",
        "Example:",
        "  haven bench mutants --package lease --threads 2"
      })
  static final class Mutants extends Measuring {
    @Option(
        names = "--package",
        paramLabel = "P",
        description = "Only this package; may be repeated. Default: all.")
    List<String> only = new ArrayList<>();

    @Option(
        names = "--threads",
        paramLabel = "N",
        description = "How many mutants at a time. Default: one for each processor.")
    int threads = Runtime.getRuntime().availableProcessors();

    Mutants(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var home = checkout("mutants");
      if (threads < 1) {
        throw new Stop(Exit.USAGE, "--threads must be 1 or more");
      }
      var names = MutantBench.names(home);
      for (var name : only) {
        if (!names.contains(name)) {
          throw new Stop(
              Exit.USAGE,
              "there is no package %s in bench/mutants.yaml, only %s"
                  .formatted(name, String.join(", ", names)));
        }
      }
      var results = MutantBench.run(home, only, threads, haven.around.err());
      if (haven.forPeople()) {
        results.forEach(this::printSurvivors);
        printCounts(results);
      } else {
        haven.printData(results);
      }
      return results.stream().allMatch(MutantBench.Result::good) ? Exit.OK : Exit.FAILED;
    }

    private void printSurvivors(MutantBench.Result result) {
      for (var survivor : result.survivors()) {
        haven.print(
            "%s:%d: %s%s"
                .formatted(
                    survivor.file(),
                    survivor.line(),
                    survivor.change(),
                    survivor.covered() ? "" : ", and no test comes here"));
        haven.print("    " + survivor.code());
        survivor.reason().ifPresent(why -> haven.print("    it may stay: " + why));
      }
      for (var entry : result.listedInVain()) {
        haven.print("bench/mutants.yaml lists what no longer survives: " + entry);
      }
    }

    private void printCounts(List<MutantBench.Result> results) {
      var table =
          new Table()
              .column("PACKAGE")
              .number("MUTANTS")
              .number("KILLED")
              .number("SURVIVED")
              .number("NO COVERAGE")
              .number("OF THESE LISTED")
              .number("RATIO")
              .number("GOAL");
      for (var result : results) {
        table.row(
            result.name(),
            result.mutants(),
            result.killed(),
            result.survived(),
            result.uncovered(),
            result.survivors().stream().filter(s -> s.reason().isPresent()).count(),
            new Table.Cell("%.1f %%".formatted(result.percent()), result.good() ? "" : "red"),
            result.goal().map(least -> ">= " + least + " %").orElse("-"));
      }
      haven.print(table);
    }
  }
}
