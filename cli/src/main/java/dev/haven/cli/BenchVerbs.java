package dev.haven.cli;

import dev.haven.bench.DecideBench;
import dev.haven.bench.Footprint;
import dev.haven.bench.RaftBench;
import dev.haven.bench.ScaleBench;
import dev.haven.bench.StatusBench;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measurements that anyone can run. Medians of several runs; the machine is shared and noisy. */
final class BenchVerbs {
  private BenchVerbs() {}

  /** Measures, and turns what can go wrong with that into an end with a message. */
  abstract static class Measuring extends Verb {
    Measuring(Haven haven) {
      super(haven);
    }

    abstract Exit measure() throws IOException, InterruptedException;

    @Override
    final Exit run() {
      try {
        return measure();
      } catch (LabException e) {
        throw new Stop(Exit.FAILED, String.valueOf(e.getMessage()));
      } catch (IOException e) {
        throw new Stop(Exit.FAILED, "it cannot be measured: " + e.getMessage());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new Stop(Exit.INTERRUPTED, "interrupted");
      }
    }
  }

  /**
   * Measures on a lab of its own, in place of the one that may be up, and takes that down in the
   * end: also after ^C, which ends the wait for whatever is being measured.
   */
  abstract static class OnFreshLab extends Measuring {
    OnFreshLab(Haven haven) {
      super(haven);
    }

    abstract Exit measure(Lab lab, LabClient client) throws IOException, InterruptedException;

    LabOptions options() {
      return LabVerbs.options(3);
    }

    /** Before the lab goes. */
    void leave(Lab lab) throws IOException {}

    @Override
    Exit measure() throws IOException, InterruptedException {
      var directory = LabOptions.defaultDirectory(haven.around.environment());
      try (var until = new UntilDown()) {
        try {
          Lab.find(directory).ifPresent(old -> old.down((_, _) -> {}));
          var lab = Lab.up(options(), (step, _) -> haven.say(step));
          return measure(lab, LabVerbs.client(haven, lab));
        } catch (RuntimeException e) {
          if (until.interrupted) {
            throw new Stop(Exit.INTERRUPTED, "interrupted");
          }
          throw e;
        } finally {
          Thread.interrupted(); // ^C must not keep the lab from going
          var lab = Lab.find(directory);
          if (lab.isPresent()) {
            try {
              leave(lab.get());
            } finally {
              lab.get().down((_, _) -> {});
            }
          }
        }
      }
    }
  }

  /** ^C interrupts who waits here, and the process ends once this is closed. */
  private static final class UntilDown implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofMinutes(1);
    private final Thread waiting = Thread.currentThread();
    private final CountDownLatch closed = new CountDownLatch(1);
    private volatile boolean interrupted;
    private final Thread hook =
        new Thread(
            () -> {
              interrupted = true;
              waiting.interrupt();
              try {
                closed.await(LIMIT.toSeconds(), TimeUnit.SECONDS);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "interrupted");

    UntilDown() {
      Runtime.getRuntime().addShutdownHook(hook);
    }

    @Override
    public void close() {
      closed.countDown();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // ^C came just now
      }
    }
  }

  @Command(
      name = "decide",
      description =
          "Measures how long one decision takes with 1,000 hosts and 20,000 guests (JMH).")
  static final class Decide extends Measuring {
    Decide(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      DecideBench.run(haven.liveOut());
      return Exit.OK;
    }
  }

  @Command(
      name = "raft",
      description =
          "Measures how long a commit takes with three voters, and the disk's own fsync in the same"
              + " run.")
  static final class Raft extends Measuring {
    @Option(names = "--commits", paramLabel = "N", description = "How many. Default: 5000.")
    int commits = 5000;

    @Option(
        names = "--directory",
        paramLabel = "DIR",
        description = "A directory on the disk to be measured. Default: this one.")
    Path directory = Path.of(".");

    Raft(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      haven.print(RaftBench.run(directory, commits, haven.around.err()).text());
      return Exit.OK;
    }
  }

  @Command(
      name = "scale",
      description = {
        "Measures what many agents cost three real voters: CPU, memory, heartbeats, leases, and the"
            + " time from",
        "the loss of a host to the start orders. The agents are stand-ins with the real wire"
            + " protocol.",
        "The loss of a host needs root."
      },
      footer = {
        "A step in which the stand-ins themselves were late by more than 50 ms is invalid.",
        "Exit 1 if no step is valid, or a valid one misses a goal: the leader takes at most 1 core",
        "and 512 MiB, and the first start order comes within 100 ms after the proof.",
        "Examples:",
        "  haven bench scale --agents 100,300,1000",
        "  haven bench scale --agents 300 --voter-flag -XX:TieredStopAtLevel=4 --logs /tmp/scale"
      })
  static final class Scale extends Measuring {
    @Option(
        names = "--agents",
        paramLabel = "N,...",
        description = "How many agents; several numbers are several steps. Default: 100.")
    String agents = "100";

    @Option(
        names = "--seconds",
        paramLabel = "N",
        description = "For how long CPU and heartbeats are counted. Default: 30.")
    int seconds = 30;

    @Option(names = "--guests", paramLabel = "N", description = "Guests on each host. Default: 20.")
    int guests = 20;

    @Option(
        names = "--voter-flag",
        paramLabel = "FLAG",
        description = "A flag for the voters' JVMs, after those that ship; may be repeated.")
    List<String> flags = new ArrayList<>();

    @Option(
        names = "--logs",
        paramLabel = "DIR",
        description = "Copy the logs of the voters and the stand-ins there at the end.")
    @Nullable Path logs;

    Scale(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      ScaleBench.Options options;
      try {
        options =
            new ScaleBench.Options(
                ScaleBench.Options.agents(agents),
                Duration.ofSeconds(seconds),
                guests,
                flags,
                Optional.ofNullable(logs));
      } catch (IllegalArgumentException e) {
        throw new Stop(Exit.USAGE, String.valueOf(e.getMessage()));
      }
      var report =
          ScaleBench.run(
              options,
              new PrintStream(haven.around.err(), true, StandardCharsets.UTF_8),
              step -> {
                if (haven.forPeople()) {
                  haven.print(step.stripTrailing());
                  haven.around.out().flush();
                }
              });
      if (haven.forPeople()) {
        haven.print(report.summary().stripTrailing());
      } else {
        haven.printData(report);
      }
      return report.good() ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "status",
      description =
          "Measures how long haven status takes as a whole process, against the lab that is up.",
      footer = {"Example:", "  haven lab up && haven bench status"})
  static final class Status extends Measuring {
    @Option(names = "--runs", paramLabel = "N", description = "How many runs. Default: 20.")
    int runs = 20;

    Status(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var home = System.getProperty("haven.home");
      if (home == null) {
        throw new Stop(Exit.USAGE, "this measures the script of a checkout: ./haven bench status");
      }
      if (runs < 1) {
        throw new Stop(Exit.USAGE, "--runs must be 1 or more");
      }
      var lab = Lab.open(LabOptions.defaultDirectory(haven.around.environment()));
      var config = Map.of("HAVEN_CONFIG", lab.cliConfig().toString());
      haven.print(StatusBench.run(Path.of(home, "haven"), config, runs).text());
      return Exit.OK;
    }
  }

  @Command(
      name = "footprint",
      description =
          "Measures the resident memory of each daemon of the lab that is up, against the goals.",
      footer = {"Example:", "  haven lab up && haven bench footprint"})
  static final class FootprintVerb extends Measuring {
    FootprintVerb(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var lab = Lab.open(LabOptions.defaultDirectory(haven.around.environment()));
      var weights = Footprint.of(lab);
      if (!haven.forPeople()) {
        haven.printData(weights);
        return Exit.OK;
      }
      var table =
          new Table()
              .column("HOST")
              .column("DAEMON")
              .number("MEMORY")
              .number("AT MOST SO FAR")
              .number("GOAL");
      for (var weight : weights) {
        var goal = weight.goalMib();
        boolean over = goal.isPresent() && weight.residentMib() > goal.get();
        table.row(
            weight.host(),
            weight.daemon().name().toLowerCase(Locale.ROOT),
            new Table.Cell(weight.residentMib() + " MiB", over ? "red" : ""),
            weight.peakMib() + " MiB",
            goal.map(mib -> "<= " + mib + " MiB" + (over ? ", missed" : "")).orElse("-"));
      }
      haven.print(table);
      return Exit.OK;
    }
  }
}
