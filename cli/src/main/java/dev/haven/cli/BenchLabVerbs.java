package dev.haven.cli;

import dev.haven.bench.Chaos;
import dev.haven.bench.FailoverBench;
import dev.haven.bench.FailoverBench.Fault;
import dev.haven.bench.MigrateBench;
import dev.haven.bench.OutageBench;
import dev.haven.bench.PacemakerPeer;
import dev.haven.bench.PairBench;
import dev.haven.cli.BenchVerbs.OnFreshLab;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabForm;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabOptions;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Measurements on a lab of their own: what an operator would notice when something fails. */
final class BenchLabVerbs {
  private BenchLabVerbs() {}

  @Command(
      name = "failover",
      description =
          "Measures how long guests are gone when something dies, phase by phase, in a lab. Needs"
              + " root.",
      footer = {"Example:", "  haven bench failover --runs 10 --fault POWER_LOSS"})
  static final class Failover extends OnFreshLab {
    @Option(
        names = "--runs",
        paramLabel = "N",
        description = "How often each fault. Default: 10; with --whole 1.")
    @Nullable Integer times;

    @Option(
        names = "--fault",
        paramLabel = "FAULT",
        description = "${COMPLETION-CANDIDATES}; may be repeated. Default: all.")
    List<Fault> faults = List.of();

    @Option(names = "--guests", paramLabel = "N", description = "How many guests. Default: 3.")
    int guests = 3;

    @Option(
        names = "--peer",
        description =
            "Measure Pacemaker with the same guests afterwards; installs it if it is missing.")
    boolean peer;

    @Option(
        names = "--whole",
        description =
            "On whole machines (docs/lab.md), by default one POWER_LOSS: a journey, not for"
                + " timing.")
    boolean whole;

    Failover(Haven haven) {
      super(haven);
    }

    private final Map<String, String> descriptions = new TreeMap<>();
    private final Map<Fault, FailoverBench.Result> results = new EnumMap<>(Fault.class);

    @Override
    LabOptions options() {
      return whole ? LabVerbs.machines(LabForm.WHOLE, 3) : super.options();
    }

    private List<Fault> faults() {
      return !faults.isEmpty()
          ? faults
          : whole ? List.of(Fault.POWER_LOSS) : Arrays.asList(Fault.values());
    }

    private int runs() {
      return times != null ? times : whole ? 1 : 10;
    }

    @Override
    Exit measure() throws IOException, InterruptedException {
      var possible = FailoverBench.possible(options().form());
      if (!possible.containsAll(faults()) || (whole && peer)) {
        throw new Stop(Exit.USAGE, "--whole: without --peer, and of the faults " + possible);
      }
      var exit = super.measure();
      if (peer) {
        var script = Path.of(System.getProperty("haven.home", "."), "bench/pacemaker/peer");
        var ours = Optional.ofNullable(results.get(Fault.POWER_LOSS));
        PacemakerPeer.run(script, descriptions, runs(), ours, haven.liveOut());
      }
      return exit;
    }

    @Override
    Exit measure(Lab lab, LabClient client) throws InterruptedException {
      var scene = new LabGuests(lab, client);
      scene.addHosts(lab.patience());
      for (var guest : scene.create(guests, lab.patience())) {
        var xml = scene.describe(guest).domainXml();
        descriptions.put(guest.value(), xml.replace(lab.shared().toString(), "@SHARED@"));
      }
      var bench = new FailoverBench(lab, client, haven.liveOut());
      for (var fault : faults()) {
        results.put(fault, bench.run(fault, runs()));
        haven.around.out().flush();
      }
      return Exit.OK;
    }
  }

  @Command(
      name = "outages",
      description =
          "Measures what outages cost, in a lab: networks, power cords, daemons, disks. Needs"
              + " root.",
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

    @Option(names = "--runs", paramLabel = "N", description = "How often each outage. Default: 1.")
    int runs = 1;

    @Option(
        names = "--length",
        paramLabel = "TIME",
        description = "How long an outage lasts that somebody ends, such as 10m. Default: 60s.")
    Duration length = Duration.ofSeconds(60);

    @Option(names = "--guests", paramLabel = "N", description = "How many guests. Default: 3.")
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
    Exit measure(Lab lab, LabClient client) throws IOException, InterruptedException {
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
          "Tests two hosts alone, in a lab: power losses, and the link cut with both alive. Needs"
              + " root.",
      footer = {
        "Exit 1 if not exactly one side went on each time.",
        "Example:",
        "  haven bench pair --losses 10 --splits 50"
      })
  static final class Pair extends OnFreshLab {
    @Option(
        names = "--losses",
        paramLabel = "N",
        description = "How many power losses. Default: 10.")
    int losses = 10;

    @Option(names = "--splits", paramLabel = "N", description = "How many link cuts. Default: 10.")
    int splits = 10;

    Pair(Haven haven) {
      super(haven);
    }

    @Override
    LabOptions options() {
      return LabVerbs.options(2);
    }

    @Override
    Exit measure(Lab lab, LabClient client) {
      var scene = new LabGuests(lab, client);
      scene.addHosts(Duration.ofSeconds(90));
      scene.create(2, Duration.ofSeconds(90));
      var result = new PairBench(lab, client, haven.liveOut()).run(losses, splits);
      result.faults().forEach(haven::print);
      return result.exactlyOne() == splits && result.faults().isEmpty() ? Exit.OK : Exit.FAILED;
    }
  }

  @Command(
      name = "migrate",
      description =
          "Measures what Haven adds to virsh's own live migration of the same guest, in a lab."
              + " Needs root.",
      footer = {"Example:", "  haven bench migrate --runs 10"})
  static final class Migrate extends OnFreshLab {
    @Option(
        names = "--runs",
        paramLabel = "N",
        description = "How many migrations with each of the two. Default: 10.")
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
    Exit measure(Lab lab, LabClient client) {
      new LabGuests(lab, client).addHosts(Duration.ofSeconds(90));
      new MigrateBench(lab, client, haven.liveOut()).run(runs);
      return Exit.OK;
    }
  }

  @Command(
      name = "chaos",
      description =
          "Breaks at random what can break in a lab, under running guests and commands, and checks"
              + " on each guest's disk that nobody else writes it. Needs root.",
      footer = {
        "Exit 1 if a guest ran twice, a command was lost, or a guest does not come back.",
        "Example:",
        "  haven bench chaos --minutes 5 --seed 7"
      })
  static final class ChaosVerb extends OnFreshLab {
    @Option(names = "--minutes", paramLabel = "N", description = "How long. Default: 3.")
    int minutes = 3;

    @Option(
        names = "--seed",
        paramLabel = "S",
        description = "The seed. Default: drawn, and printed.")
    @Nullable Long seed;

    @Option(names = "--guests", paramLabel = "N", description = "How many guests. Default: 4.")
    int guests = 4;

    @Option(
        names = "--watchdog",
        negatable = true,
        description = "Whether hosts have tested watchdogs. Default: the seed says.")
    @Nullable Boolean watchdogs;

    @Option(
        names = "--logs",
        paramLabel = "DIR",
        description = "Copy the hosts' logs, the consoles and the audit log there at the end.")
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
    Exit measure(Lab lab, LabClient client) throws IOException, InterruptedException {
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
}
