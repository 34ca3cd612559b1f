package dev.haven.cli;

import dev.haven.bench.Chaos;
import dev.haven.bench.DecideBench;
import dev.haven.bench.FailoverBench;
import dev.haven.bench.FailoverBench.Fault;
import dev.haven.bench.Footprint;
import dev.haven.bench.Fuzz;
import dev.haven.bench.MigrateBench;
import dev.haven.bench.MutantBench;
import dev.haven.bench.MutationBench;
import dev.haven.bench.Nemesis;
import dev.haven.bench.OutageBench;
import dev.haven.bench.PacemakerPeer;
import dev.haven.bench.PairBench;
import dev.haven.bench.RaftBench;
import dev.haven.bench.ScaleBench;
import dev.haven.bench.SlowVoters;
import dev.haven.bench.StatusBench;
import dev.haven.lab.ClusterClient;
import dev.haven.lab.Lab;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabOptions;
import dev.haven.simulator.PairTry;
import dev.haven.simulator.RandomFaults;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
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

    abstract Exit measure(Lab lab, ClusterClient client) throws IOException, InterruptedException;

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
      description = "How long one decision takes with 1,000 hosts and 20,000 guests (JMH).")
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
      name = "failover",
      description =
          "How long guests are gone when something dies, phase by phase, in a lab. Needs root.",
      footer = {"Example:", "  haven bench failover --runs 10 --fault POWER_LOSS"})
  static final class Failover extends OnFreshLab {
    @Option(names = "--runs", paramLabel = "N", description = "Of each fault. Default: 10.")
    int runs = 10;

    @Option(
        names = "--fault",
        paramLabel = "FAULT",
        description = "${COMPLETION-CANDIDATES}; may be repeated. Default: all.")
    List<Fault> faults = List.of();

    @Option(names = "--guests", paramLabel = "N", description = "Default: 3.")
    int guests = 3;

    @Option(
        names = "--peer",
        description =
            "Measure Pacemaker with the same guests afterwards; installs it if it is missing.")
    boolean peer;

    Failover(Haven haven) {
      super(haven);
    }

    private final Map<String, String> descriptions = new TreeMap<>();
    private final Map<Fault, FailoverBench.Result> results = new EnumMap<>(Fault.class);

    @Override
    Exit measure() throws IOException, InterruptedException {
      var exit = super.measure();
      if (peer) {
        var script = Path.of(System.getProperty("haven.home", "."), "bench/pacemaker/peer");
        var ours = Optional.ofNullable(results.get(Fault.POWER_LOSS));
        PacemakerPeer.run(script, descriptions, runs, ours, haven.liveOut());
      }
      return exit;
    }

    @Override
    Exit measure(Lab lab, ClusterClient client) throws InterruptedException {
      var scene = new LabGuests(lab, client);
      scene.addHosts(Duration.ofSeconds(90));
      for (var guest : scene.create(guests, Duration.ofSeconds(90))) {
        var xml = scene.describe(guest).domainXml();
        descriptions.put(guest.value(), xml.replace(lab.shared().toString(), "@SHARED@"));
      }
      var bench = new FailoverBench(lab, client, haven.liveOut());
      for (var fault : faults.isEmpty() ? Arrays.asList(Fault.values()) : faults) {
        results.put(fault, bench.run(fault, runs));
        haven.around.out().flush();
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "outages",
      description =
          "What whole outages cost, in a lab: networks, power cords, daemons, disks. Needs root.",
      footer = {
        "Exit 1 if a guest ran twice, was lost or stood still for longer than is promised.",
        "Examples:",
        "  haven bench outages --outage NETWORK --outage CORD",
        "  haven bench outages --no-watchdog --outage ORCHESTRATORS --length 10m",
        "  haven bench outages --no-watchdog --outage SWITCHED_ON_BY_HAND"
      })
  static final class Outages extends OnFreshLab {
    @Option(
        names = "--outage",
        paramLabel = "OUTAGE",
        description = {
          "${COMPLETION-CANDIDATES}; may be repeated. Default: all but HUNDRED_GUESTS.",
          "HUNDRED_GUESTS has a lab to itself, 6 GB of memory and a quarter of an hour."
        })
    List<OutageBench.Outage> outages = List.of();

    @Option(names = "--runs", paramLabel = "N", description = "Of each. Default: 1.")
    int runs = 1;

    @Option(
        names = "--length",
        paramLabel = "TIME",
        description = "Of an outage that somebody ends. Default: 60s.")
    Duration length = Duration.ofSeconds(60);

    @Option(names = "--guests", paramLabel = "N", description = "Default: 3.")
    int guests = 3;

    @Option(
        names = "--watchdog",
        negatable = true,
        description = "Whether hosts have watchdogs, which are tested first. Default: they have.")
    @Nullable Boolean watchdog;

    Outages(Haven haven) {
      super(haven);
    }

    private boolean watchdogs() {
      return watchdog == null || watchdog;
    }

    @Override
    LabOptions options() {
      return super.options().withWatchdogs(watchdogs());
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      if (outages.contains(OutageBench.Outage.HUNDRED_GUESTS) && outages.size() > 1) {
        throw new Stop(Exit.USAGE, "HUNDRED_GUESTS has a lab to itself: name no other outage");
      }
      var possible = OutageBench.possible(watchdogs());
      if (!possible.containsAll(outages)) {
        throw new Stop(
            Exit.USAGE,
            "%s watchdogs there are only %s".formatted(watchdogs() ? "with" : "without", possible));
      }
      if (runs < 1 || guests < 1 || length.isNegative()) {
        throw new Stop(Exit.USAGE, "--runs and --guests: at least 1; --length: a time");
      }
      return super.measure();
    }

    @Override
    Exit measure(Lab lab, ClusterClient client) throws IOException, InterruptedException {
      var which = outages.isEmpty() ? OutageBench.usual(watchdogs()) : EnumSet.copyOf(outages);
      var bench = new OutageBench(lab, client, watchdogs(), haven.liveOut());
      var results =
          which.contains(OutageBench.Outage.HUNDRED_GUESTS)
              ? bench.runHundred(runs, length)
              : bench.run(which, runs, length, guests);
      return results.stream().allMatch(r -> r.wrong().isEmpty()) ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "pair",
      description =
          "Two hosts alone, in a lab: power losses, and the link cut with both alive. Needs root.",
      footer = {
        "Exit 1 if not exactly one side went on each time.",
        "Example:",
        "  haven bench pair --losses 10 --splits 50"
      })
  static final class Pair extends OnFreshLab {
    @Option(names = "--losses", paramLabel = "N", description = "Power losses. Default: 10.")
    int losses = 10;

    @Option(names = "--splits", paramLabel = "N", description = "Link cuts. Default: 10.")
    int splits = 10;

    Pair(Haven haven) {
      super(haven);
    }

    @Override
    LabOptions options() {
      return LabVerbs.options(2);
    }

    @Override
    Exit measure(Lab lab, ClusterClient client) {
      var scene = new LabGuests(lab, client);
      scene.addHosts(Duration.ofSeconds(90));
      scene.create(2, Duration.ofSeconds(90));
      var result = new PairBench(lab, client, haven.liveOut()).run(losses, splits);
      result.faults().forEach(haven::print);
      return result.exactlyOne() == splits && result.faults().isEmpty() ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "pairs",
      description = "Two hosts alone, simulated: never both shot, one goes on wherever it can.",
      footer = {"Exit 1 if not.", "Example:", "  haven bench pairs --tries 100000 --seed 1"})
  static final class Pairs extends Measuring {
    @Option(names = "--tries", paramLabel = "N", description = "Default: 1000.")
    int tries = 1000;

    @Option(names = "--seed", paramLabel = "S", description = "Of the first. Default: 1.")
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
          "%d pairs from seed %d: %d went wrong; %d hosts shot, %d times one went on alone"
              .formatted(tries, seed, wrong, shots, wentOn));
      return wrong == 0 ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "migrate",
      description =
          "What Haven adds to virsh's own live migration of the same guest, in a lab. Needs root.",
      footer = {"Example:", "  haven bench migrate --runs 10"})
  static final class Migrate extends OnFreshLab {
    @Option(names = "--runs", paramLabel = "N", description = "In each way. Default: 10.")
    int runs = 10;

    Migrate(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      if (runs < 1) {
        throw new Stop(Exit.USAGE, "--runs %d: at least 1".formatted(runs));
      }
      return super.measure();
    }

    @Override
    Exit measure(Lab lab, ClusterClient client) {
      new LabGuests(lab, client).addHosts(Duration.ofSeconds(90));
      new MigrateBench(lab, client, haven.liveOut()).run(runs);
      return Exit.OK;
    }
  }

  @Command(
      name = "chaos",
      description =
          "Everything that can break in a lab breaks at random under running guests and commands; a"
              + " second writer of a guest's disk is looked for on the disk itself. Needs root.",
      footer = {
        "Exit 1 if a guest ran twice, a command was lost, or a guest does not come back.",
        "Example:",
        "  haven bench chaos --minutes 5 --seed 7"
      })
  static final class ChaosVerb extends OnFreshLab {
    @Option(names = "--minutes", paramLabel = "N", description = "Default: 3.")
    int minutes = 3;

    @Option(names = "--seed", paramLabel = "S", description = "Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(names = "--guests", paramLabel = "N", description = "Default: 4.")
    int guests = 4;

    @Option(
        names = "--watchdog",
        negatable = true,
        description = "Whether hosts have watchdogs that are relied on. Default: the seed says.")
    @Nullable Boolean watchdogs;

    @Option(
        names = "--logs",
        paramLabel = "DIR",
        description = "Copies the hosts' logs, the consoles and the audit log there at the end.")
    @Nullable Path logs;

    private long from;
    private boolean fed;
    private @Nullable Chaos chaos;

    ChaosVerb(Haven haven) {
      super(haven);
    }

    @Override
    LabOptions options() {
      return super.options().withWatchdogs(fed);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      if (minutes < 1 || guests < 1) {
        throw new Stop(Exit.USAGE, "--minutes and --guests: at least 1");
      }
      from = seed == null ? System.nanoTime() % 1_000_000 : seed;
      fed = watchdogs == null ? new Random(from).nextBoolean() : watchdogs;
      haven.say("seed %d".formatted(from));
      return super.measure();
    }

    @Override
    Exit measure(Lab lab, ClusterClient client) throws IOException, InterruptedException {
      chaos =
          new Chaos(
              lab,
              client,
              from,
              Duration.ofMinutes(minutes),
              fed,
              new PrintStream(haven.around.err(), true, StandardCharsets.UTF_8));
      var report = chaos.run(guests);
      if (haven.forPeople()) {
        haven.print(report.text());
      } else {
        haven.printData(report);
      }
      return report.violations().isEmpty() ? Exit.OK : Exit.FAILED;
    }

    @Override
    void leave(Lab lab) throws IOException {
      if (logs != null) {
        lab.saveLogs(logs);
        if (chaos != null) {
          Files.write(logs.resolve("audit.log"), chaos.audit());
        }
      }
    }
  }

  @Command(
      name = "nemesis",
      description =
          "Partitions, crashes, full and slow disks against the replicated log, with every promise"
              + " checked.",
      footer = {
        "Examples:",
        "  haven bench nemesis --minutes 20 --seed 7",
        "  haven bench nemesis --slow --minutes 10"
      })
  static final class NemesisVerb extends Measuring {
    @Option(names = "--minutes", paramLabel = "N", description = "Default: 1.")
    int minutes = 1;

    @Option(names = "--seed", paramLabel = "S", description = "Default: drawn, and printed.")
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
      name = "raft",
      description =
          "Latency of a committed write with three voters, against the disk's own fsync in the same"
              + " run.")
  static final class Raft extends Measuring {
    @Option(names = "--commits", paramLabel = "N", description = "Default: 5000.")
    int commits = 5000;

    @Option(
        names = "--directory",
        paramLabel = "DIR",
        description = "On the disk to be measured. Default: this one.")
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
        "What many agents cost three real voters: CPU, memory, heartbeats, leases, and the time"
            + " from",
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
        description = "How many; several numbers are several steps. Default: 100.")
    String agents = "100";

    @Option(
        names = "--seconds",
        paramLabel = "N",
        description = "Of the window in which CPU and heartbeats are counted. Default: 30.")
    int seconds = 30;

    @Option(names = "--guests", paramLabel = "N", description = "Of each host. Default: 20.")
    int guests = 20;

    @Option(
        names = "--voter-flag",
        paramLabel = "FLAG",
        description = "Of the voters' JVMs, after those that ship; may be repeated.")
    List<String> flags = new ArrayList<>();

    @Option(
        names = "--logs",
        paramLabel = "DIR",
        description = "Copies the logs of the voters and the stand-ins there at the end.")
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
      name = "simulate",
      description =
          "Random faults against the production decisions in simulated time, with every invariant"
              + " checked.",
      footer = {
        "Examples:",
        "  haven bench simulate --faults 20000 --seed 4417 --shrink /tmp/stories",
        "  haven bench simulate --story /tmp/stories/seed-4417.txt"
      })
  static final class Simulate extends Measuring {
    @Option(names = "--faults", paramLabel = "N", description = "Default: 2000.")
    int faults = 2000;

    @Option(names = "--seed", paramLabel = "S", description = "Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(
        names = "--stop-after",
        paramLabel = "N",
        description = "Ends when so many clusters went wrong. Default: 10.")
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
            "Writes each cluster that went wrong there as the shortest story that goes wrong too.")
    @Nullable Path shrink;

    @Option(
        names = "--story",
        paramLabel = "FILE",
        description = "Plays such a story instead, and prints its log.")
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
        description = "At most, for each that the simulator looks for. Default: 20000.")
    int faults = 20_000;

    @Option(names = "--seed", paramLabel = "S", description = "Default: 1.")
    long seed = 1;

    @Option(
        names = "--only",
        paramLabel = "NAME",
        description = "This one; may come several times.")
    List<String> only = new ArrayList<>();

    Mutations(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var home = System.getProperty("haven.home");
      if (home == null) {
        throw new Stop(Exit.USAGE, "this needs the sources of a checkout: ./haven bench mutations");
      }
      var results = MutationBench.run(Path.of(home), only, faults, seed, haven.around.err());
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
        "Packages: lease, lead, obey and proofs. Each takes minutes; ./haven test does not run it.",
        "Exit 1 if tests notice less than the goal (85 %%) in a package that safety depends on.",
        "Example:",
        "  haven bench mutants --package lease --threads 2"
      })
  static final class Mutants extends Measuring {
    @Option(
        names = "--package",
        paramLabel = "P",
        description = "This one; may come several times. Default: all.")
    List<String> only = new ArrayList<>();

    @Option(
        names = "--threads",
        paramLabel = "N",
        description = "Mutants at a time. Default: one for each processor.")
    int threads = Runtime.getRuntime().availableProcessors();

    Mutants(Haven haven) {
      super(haven);
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var home = System.getProperty("haven.home");
      if (home == null) {
        throw new Stop(Exit.USAGE, "this needs the sources of a checkout: ./haven bench mutants");
      }
      if (threads < 1) {
        throw new Stop(Exit.USAGE, "--threads must be 1 or more");
      }
      var names = MutantBench.names(Path.of(home));
      for (var name : only) {
        if (!names.contains(name)) {
          throw new Stop(
              Exit.USAGE,
              "there is no package %s in bench/mutants.yaml, only %s"
                  .formatted(name, String.join(", ", names)));
        }
      }
      var results = MutantBench.run(Path.of(home), only, threads, haven.around.err());
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

  @Command(
      name = "status",
      description = "How long haven status takes as a whole process, against the lab that is up.",
      footer = {"Example:", "  haven lab up && haven bench status"})
  static final class Status extends Measuring {
    @Option(names = "--runs", paramLabel = "N", description = "Default: 20.")
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
      name = "fuzz",
      description = {
        "Malformed requests, frames, datagrams and handshakes, with every kind of key and none,",
        "against a voter of its own on loopback: no status of 500, no end, no growth of memory."
      },
      footer = {"Example:", "  haven bench fuzz --requests 10000 --seed 7"})
  static final class FuzzVerb extends Measuring {
    @Option(names = "--requests", paramLabel = "N", description = "Default: 10000.")
    int requests = 10_000;

    @Option(names = "--seed", paramLabel = "S", description = "Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(names = "--heap", paramLabel = "SIZE", description = "Of the voter. Default: 64m.")
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

  @Command(
      name = "footprint",
      description = "Resident memory of each daemon of the lab that is up, against the goals.",
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
