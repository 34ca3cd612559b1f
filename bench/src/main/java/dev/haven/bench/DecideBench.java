package dev.haven.bench;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Explanations;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.ha.Holding;
import dev.haven.core.ha.Proof;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Network;
import dev.haven.model.Policy;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.Order;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** How long one decision takes in a cluster of 1,000 hosts and 20,000 guests. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
public class DecideBench {
  private static final int HOSTS = 1_000;
  private static final int GUESTS = 20_000;
  private static final Instant AT = Instant.EPOCH;
  private static final BootId BOOT = new BootId("boot-1");

  private ClusterState state = ClusterState.EMPTY;
  private ClusterState fencing = ClusterState.EMPTY;
  private Event report = new Event.Tick(AT);
  private Event silent = new Event.Tick(AT);
  private Event confirmed = new Event.Tick(AT);

  @Setup
  public void build() {
    state = cluster();
    report = new Event.DomainsReported(host(500), BOOT, true, domains(), AT);
    silent =
        new Event.HostSilent(
            host(500),
            BOOT,
            new Event.Silence(
                Duration.ofSeconds(1), 2, Event.Echo.SILENT, Event.Power.ALL_OFF, "bench"),
            AT);
    var decision = HaPolicy.decide(state, silent);
    fencing =
        state
            .apply(
                new Entry(Entry.FORMAT, state.version(), AT, decision.changes(), decision.facts()))
            .state();
    confirmed =
        new Event.FencingConfirmed(
            host(500),
            BOOT,
            1,
            new Proof.PowerReadOff(host(500), BOOT, List.of("bmc says off"), AT),
            List.of(),
            "",
            new TreeMap<>(),
            AT);
    long starts =
        HaPolicy.decide(fencing, confirmed).actions().stream()
            .filter(Action.Start.class::isInstance)
            .count();
    if (starts != GUESTS / HOSTS) {
      throw new IllegalStateException(
          "the loss of a host restarts %d guests, not %d".formatted(starts, GUESTS / HOSTS));
    }
  }

  /** All hosts are online, and all guests run. */
  private static ClusterState cluster() {
    var state =
        ClusterState.EMPTY.with(
            new Policy(
                Duration.ofSeconds(1),
                Duration.ofSeconds(3),
                Duration.ofSeconds(8),
                Duration.ofSeconds(30),
                100,
                2,
                2,
                0,
                true,
                Policy.DEFAULT.stuckDestroy(),
                Policy.DEFAULT.brokenRules(),
                Policy.DEFAULT.makeRoom()));
    for (int i = 0; i < HOSTS; i++) {
      var id = host(i);
      state =
          state
              .apply(new Change.HostDescribed(describe(id, i)))
              .apply(
                  new Change.AgentSeated(
                      id,
                      BOOT,
                      new dev.haven.core.ha.Host.Agent(new ProcessId("p"), "a2V5", "1"),
                      new Capacity(256 << 10, 64, "bench")))
              .apply(new Change.HostStateChanged(id, new dev.haven.core.ha.HostState.Online()));
    }
    for (int i = 0; i < GUESTS; i++) {
      var id = new GuestId("guest-" + i);
      var holding = new Holding(host(i % HOSTS), BOOT, new Epoch(1));
      state =
          state
              .apply(
                  new Change.GuestDescribed(
                      new GuestSpec(
                          id,
                          "uuid-" + i,
                          4096 + 1024L * (i % 5),
                          2,
                          i % 10,
                          "<domain/>",
                          Map.of("app", "a" + i % 100),
                          List.of(),
                          GuestSpec.Restart.ANYWHERE,
                          3),
                      true))
              .apply(new Change.GuestPlaced(id, holding))
              .apply(new Change.PhaseChanged(id, new GuestPhase.Running(holding)));
    }
    return state;
  }

  /** What runs on the host that says so. */
  private static List<DomainReport> domains() {
    var domains = new ArrayList<DomainReport>();
    for (int i = 500; i < GUESTS; i += HOSTS) {
      domains.add(
          new DomainReport("guest-" + i, DomainState.RUNNING, new Epoch(1), false, "running"));
    }
    return domains;
  }

  private static HostId host(int i) {
    return new HostId("host-" + i);
  }

  private static HostSpec describe(HostId id, int i) {
    return new HostSpec(
        id,
        Optional.empty(),
        "qemu+tls://" + id + "/system",
        List.of(
            new Network(
                "control",
                "10.%d.%d.1".formatted(i / 250, i % 250),
                List.of(Network.Role.CONTROL))),
        List.of(List.of(new FencingDevice("bmc", "ipmi", Map.of()))),
        Map.of(),
        Optional.of("rack-" + i / 20),
        4096,
        4);
  }

  @Benchmark
  public Decision reportOfOneHost() {
    return HaPolicy.decide(state, report);
  }

  @Benchmark
  public Decision silenceOfOneHost() {
    return HaPolicy.decide(state, silent);
  }

  @Benchmark
  public Decision lossOfAHostWithTwentyGuests() {
    return HaPolicy.decide(fencing, confirmed);
  }

  @Benchmark
  public Decision tick() {
    return HaPolicy.decide(state, new Event.Tick(AT));
  }

  @Benchmark
  public Decision answerToAStart() {
    return HaPolicy.decide(
        state,
        new Event.OrderAnswered(
            host(1),
            BOOT,
            new Order.StartGuest(new GuestId("guest-1"), new Epoch(1), ""),
            new Answer.Done(""),
            AT));
  }

  /** The N+1 check of all hosts. */
  @Benchmark
  public List<String> redundancyOfAllHosts() {
    return Explanations.redundancy(state);
  }

  /** Runs all of them in this JVM, which is warmed up for each. */
  public static void run(PrintStream out) {
    try {
      var results =
          new Runner(
                  new OptionsBuilder()
                      .include(DecideBench.class.getName().replace('$', '.') + ".*")
                      .forks(0)
                      .warmupIterations(3)
                      .warmupTime(TimeValue.seconds(1))
                      .measurementIterations(5)
                      .measurementTime(TimeValue.seconds(1))
                      .verbosity(org.openjdk.jmh.runner.options.VerboseMode.SILENT)
                      .build())
              .run();
      var flags =
          ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
              .filter(flag -> flag.startsWith("-XX:Tiered") || flag.matches("-XX:\\+Use.*GC"))
              .toList();
      out.printf(
          "%d hosts, %d guests, flags: %s%n%-30s %12s %12s%n",
          HOSTS,
          GUESTS,
          flags.isEmpty() ? "none" : String.join(" ", flags),
          "decision on",
          "median ms",
          "p99 ms");
      for (var result : results) {
        var statistics = result.getPrimaryResult().getStatistics();
        var name = result.getParams().getBenchmark();
        out.printf(
            java.util.Locale.ROOT,
            "%-30s %12.3f %12.3f%n",
            name.substring(name.lastIndexOf('.') + 1),
            statistics.getPercentile(50),
            statistics.getPercentile(99));
      }
    } catch (RunnerException e) {
      throw new IllegalStateException("the benchmark could not run: " + e.getMessage(), e);
    }
  }

  /** For {@code java -cp …}. */
  public static void main(String[] args) {
    run(System.out);
  }
}
