package dev.haven.cli;

import dev.haven.bench.Fuzz;
import dev.haven.bench.Nemesis;
import dev.haven.bench.SlowVoters;
import dev.haven.cli.BenchVerbs.Measuring;
import dev.haven.simulator.PairTry;
import dev.haven.simulator.RandomFaults;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Searches for what must never happen: made-up faults, malformed input. */
final class BenchProofVerbs {
  private BenchProofVerbs() {}

  @Command(
      name = "pairs",
      description =
          "Simulates two hosts alone: never are both fenced, and one goes on wherever it can.",
      footer = {
        "Exit 1 if both were fenced, or none went on that could.",
        "Example:",
        "  haven bench pairs --tries 100000 --seed 1"
      })
  static final class Pairs extends Measuring {
    @Option(names = "--tries", paramLabel = "N", description = "How many tries. Default: 1000.")
    int tries = 1000;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "The seed of the first try. Default: 1.")
    long seed = 1;

    Pairs(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      int wrong = 0;
      int shots = 0;
      int wentOn = 0;
      for (long s = seed; s < seed + tries; s++) {
        var outcome = PairTry.of(s);
        shots += outcome.shots();
        wentOn += outcome.wentOn();
        var bad = outcome.violation().or(outcome::stuck);
        if (bad.isPresent() && wrong++ < 3) {
          haven.print(bad.get());
          outcome.tale().forEach(haven::print);
        }
      }
      haven.print(
          "%d pairs from seed %d: %d went wrong; %d hosts fenced, %d times one went on alone"
              .formatted(tries, seed, wrong, shots, wentOn));
      return wrong == 0 ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "nemesis",
      description =
          "Breaks networks, disks and processes under the replicated log, and checks every"
              + " promise.",
      footer = {
        "Exit 1 if a promise was broken.",
        "Examples:",
        "  haven bench nemesis --minutes 20 --seed 7",
        "  haven bench nemesis --slow --minutes 10"
      })
  static final class NemesisVerb extends Measuring {
    @Option(names = "--minutes", paramLabel = "N", description = "How long. Default: 1.")
    int minutes = 1;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "The seed. Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(
        names = "--slow",
        description = {
          "Two voters of three alive, each message, fsync and handshake 0.3 to 1 s late:",
          "is there one leader within 10 s, and does it stay?"
        })
    boolean slow;

    NemesisVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      if (slow) {
        var slowReport = SlowVoters.run(Duration.ofMinutes(minutes), haven.around.err());
        haven.print(slowReport.text());
        return slowReport.wrong().isEmpty() ? Exit.OK : Exit.FAILED;
      }
      var report =
          Nemesis.run(
              Duration.ofMinutes(minutes),
              seed == null ? System.nanoTime() : seed,
              haven.around.err());
      haven.print(report.text());
      return report.violations().isEmpty() ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "simulate",
      description =
          "Plays random faults against the production decisions in simulated time, and checks every"
              + " promise.",
      footer = {
        "Exit 1 if a promise was broken.",
        "Examples:",
        "  haven bench simulate --faults 20000 --seed 4417 --shrink /tmp/stories",
        "  haven bench simulate --story /tmp/stories/seed-4417.txt"
      })
  static final class Simulate extends Measuring {
    @Option(names = "--faults", paramLabel = "N", description = "How many faults. Default: 2000.")
    int faults = 2000;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "The seed. Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(
        names = "--stop-after",
        paramLabel = "N",
        description = "End when so many clusters went wrong. Default: 10.")
    int stopAfter = 10;

    @Option(
        names = "--theme",
        paramLabel = "THEME",
        description =
            "What goes wrong above all, in every cluster: anything, leases, migration, fencing or"
                + " voters. Default: each cluster its own.")
    @Nullable String theme;

    @Option(
        names = "--shrink",
        paramLabel = "DIR",
        description =
            "Write each cluster that went wrong there, as the shortest story that goes wrong too.")
    @Nullable Path shrink;

    @Option(
        names = "--story",
        paramLabel = "FILE",
        description = "Play such a story instead, and print its log.")
    @Nullable Path story;

    Simulate(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      long from = seed == null ? System.nanoTime() : seed;
      if (story != null) {
        var wrong = RandomFaults.play(Files.readAllLines(story), haven::print);
        wrong.forEach(haven::print);
        return wrong.isEmpty() ? Exit.OK : Exit.FAILED;
      }
      var report =
          RandomFaults.run(
              faults,
              from,
              stopAfter,
              Optional.ofNullable(shrink),
              Optional.ofNullable(theme),
              haven.around.err());
      haven.print(
          "seed %d: %d faults in %d clusters, %d decisions, %s of simulated time, %d violations"
              .formatted(
                  from,
                  report.faults(),
                  report.clusters(),
                  report.decisions(),
                  Units.duration(report.simulated()),
                  report.violations().size()));
      report.violations().forEach(haven::print);
      return report.violations().isEmpty() ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "fuzz",
      description = {
        "Sends malformed requests, frames, datagrams and handshakes to a voter of its own on"
            + " loopback, with every kind of key and none.",
        "The voter must answer no request with status 500, must not end, and must not grow."
      },
      footer = {"Exit 1 if it did.", "Example:", "  haven bench fuzz --requests 10000 --seed 7"})
  static final class FuzzVerb extends Measuring {
    @Option(names = "--requests", paramLabel = "N", description = "How many. Default: 10000.")
    int requests = 10_000;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "The seed. Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(
        names = "--heap",
        paramLabel = "SIZE",
        description = "The heap of the voter, as java -Xmx takes it. Default: 64m.")
    String heap = "64m";

    FuzzVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      long drawn = seed == null ? new Random().nextInt(1 << 20) : seed;
      var result = Fuzz.run(requests, drawn, heap, haven.around.err());
      haven.print(result.text());
      return result.wrong().isEmpty() ? Exit.OK : Exit.FAILED;
    }
  }
}
