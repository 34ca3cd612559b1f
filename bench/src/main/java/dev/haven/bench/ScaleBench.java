package dev.haven.bench;

import dev.haven.bench.ScaleReport.Beats;
import dev.haven.bench.ScaleReport.Leases;
import dev.haven.bench.ScaleReport.Load;
import dev.haven.bench.ScaleReport.Loss;
import dev.haven.bench.ScaleReport.Step;
import dev.haven.bench.ScaleReport.Waits;
import dev.haven.model.Json;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What many agents cost three real voters: CPU and memory of each, heartbeats and leases, and the
 * time from the loss of a host to the orders that start its guests elsewhere.
 *
 * <p>The agents are stand-ins ({@link StandIns}), a process of their own that speaks the real wire
 * protocol. What they cannot do in time themselves makes a step invalid.
 */
public final class ScaleBench {
  /** What the daemons of a lab have, with a heap for a large cluster. */
  static final List<String> SHIPPED =
      List.of(
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-Xss512k",
          "-XX:-UsePerfData",
          "-XX:+ExitOnOutOfMemoryError",
          "--enable-native-access=ALL-UNNAMED",
          "-Djava.net.preferIPv4Stack=true",
          "-Djdk.serialFilter=!*",
          "-Xmx320m");

  private static final int AGENTS_MAX = 5_000;
  private static final int GUESTS_MAX = 200;

  /** Two hosts without a third one are another kind of cluster, and the loss of one needs room. */
  private static final int AGENTS_MIN = 3;

  private static final Duration SETTLES = Duration.ofSeconds(3);
  private static final Duration POLL = Duration.ofMillis(100);
  private static final Duration SAYS_EVERY = Duration.ofSeconds(2);
  private static final Duration STATUS_EVERY = Duration.ofSeconds(1);

  /** For each 100 agents; hosts join and guests start. */
  private static final Duration FILLS_WITHIN = Duration.ofMinutes(4);

  private static final Duration TESTED_WITHIN = Duration.ofSeconds(60);
  private static final Duration ORDERED_WITHIN = Duration.ofSeconds(60);

  private final Options options;
  private final PrintStream progress;

  /**
   * What to measure.
   *
   * @param agents each a step of its own, with a cluster of its own
   * @param length of the window in which CPU and heartbeats are counted, 1 s to 1 h
   * @param guests of each host
   * @param flags of the voters' JVMs, after those that ship
   * @param logs where to copy the logs to
   */
  public record Options(
      List<Integer> agents, Duration length, int guests, List<String> flags, Optional<Path> logs) {
    /**
     * @throws IllegalArgumentException if a number is out of bounds; the message is for people
     */
    public Options {
      agents = List.copyOf(agents);
      flags = List.copyOf(flags);
      if (length.toSeconds() < 1 || length.toHours() >= 1) {
        throw new IllegalArgumentException(
            "--seconds %d: from 1 to 3599".formatted(length.toSeconds()));
      }
      if (guests < 1 || guests > GUESTS_MAX) {
        throw new IllegalArgumentException(
            "--guests %d: from 1 to %d for each host".formatted(guests, GUESTS_MAX));
      }
    }

    /**
     * Numbers of agents as a person writes them, such as {@code 100,300,1000}.
     *
     * @throws IllegalArgumentException if that is none; the message is for people
     */
    public static List<Integer> agents(String text) {
      var numbers = new ArrayList<Integer>();
      for (var word : text.split(",", -1)) {
        var plain = word.strip();
        if (!plain.matches("[0-9]{1,6}")
            || Integer.parseInt(plain) < AGENTS_MIN
            || Integer.parseInt(plain) > AGENTS_MAX) {
          throw new IllegalArgumentException(
              "--agents %s: '%s' is no number from %d to %d; write such as 100,300,1000"
                  .formatted(text, plain, AGENTS_MIN, AGENTS_MAX));
        }
        numbers.add(Integer.parseInt(plain));
      }
      return List.copyOf(numbers);
    }
  }

  private ScaleBench(Options options, PrintStream progress) {
    this.options = options;
    this.progress = progress;
  }

  /**
   * Measures.
   *
   * @param progress is told what happens
   * @param each is given the text of each step when it is done
   * @throws IOException if a voter ends, or the cluster cannot be filled
   */
  public static ScaleReport run(Options options, PrintStream progress, Consumer<String> each)
      throws IOException, InterruptedException {
    var bench = new ScaleBench(options, progress);
    var steps = new ArrayList<Step>();
    for (int agents : options.agents()) {
      var step = bench.step(agents);
      steps.add(step);
      each.accept(ScaleReport.text(step));
    }
    return new ScaleReport(bench.flags(), Runtime.getRuntime().availableProcessors(), steps);
  }

  private List<String> flags() {
    var all = new ArrayList<>(SHIPPED);
    all.addAll(options.flags());
    return List.copyOf(all);
  }

  private void say(String what) {
    progress.println(what);
    progress.flush();
  }

  private Step step(int agents) throws IOException, InterruptedException {
    var directory = Files.createTempDirectory("haven-scale");
    try {
      say("%d agents: starting three voters and the stand-ins".formatted(agents));
      try (var cluster = new ScaleCluster(directory, agents, options.guests(), flags())) {
        var hook = new Thread(cluster::close, "scale-interrupted");
        Runtime.getRuntime().addShutdownHook(hook);
        try {
          return measure(cluster, agents);
        } finally {
          if (options.logs().isPresent()) {
            cluster.saveLogs(options.logs().get().resolve(agents + "-agents"));
          }
          forget(hook);
        }
      }
    } finally {
      delete(directory);
    }
  }

  private static void forget(Thread hook) {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // ^C came just now
    }
  }

  private static void delete(Path directory) throws IOException {
    try (var files = Files.walk(directory)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (UncheckedIOException e) {
      throw new IOException(e.getCause());
    }
  }

  private Step measure(ScaleCluster cluster, int agents) throws IOException, InterruptedException {
    fill(cluster, agents);
    Thread.sleep(SETTLES);
    boolean led = cluster.findLeader();
    if (!led) {
      throw new IOException("no voter leads once the cluster is filled");
    }
    var leader = cluster.leader();
    say("%d agents: measuring for %d s".formatted(agents, options.length().toSeconds()));
    try (var stream = new EventLines(cluster)) {
      var window = new Window(cluster);
      var statuses = askStatus(cluster);
      var counted = window.end();
      var lost = lose(cluster, agents - 1);
      boolean known = cluster.findLeader();
      var loads = counted.loads();
      return new Step(
          agents,
          counted.counts().guests(),
          counted.seconds(),
          loads.stream().filter(l -> l.voter().equals(leader.name())).findFirst().orElseThrow(),
          loads.stream().filter(l -> !l.voter().equals(leader.name())).toList(),
          counted.standInCores(),
          Math.max(counted.counts().lagMillis(), lost.lagMillis()),
          !known || !cluster.leader().equals(leader),
          counted.beats(),
          new Leases(
              counted.counts().leasesLate() + lost.leasesLate(),
              counted.counts().leasesEnded() + lost.leasesEnded(),
              Math.max(counted.counts().longestLeaseMillis(), lost.longestLeaseMillis())),
          Waits.of(statuses.millis()),
          statuses.bytes() >> 10,
          Waits.of(stream.millis()),
          lost.loss(),
          lost.why());
    }
  }

  /** Hosts, then guests; returns once all agents are welcome and all guests run. */
  private void fill(ScaleCluster cluster, int agents) throws IOException, InterruptedException {
    int guests = agents * options.guests();
    var says = new Every(SAYS_EVERY);
    say("%d agents: adding hosts".formatted(agents));
    cluster.addHosts(
        agents,
        added -> says.when(() -> say("%d agents: %d hosts added".formatted(agents, added))));
    await(cluster, agents, "agents joined", agents, Tally.Counts::joined);
    testFencing(cluster, agents - 1);
    say("%d agents: creating %d guests".formatted(agents, guests));
    cluster.createGuests(
        guests,
        made ->
            says.when(
                () -> say("%d agents: %d of %d guests created".formatted(agents, made, guests))));
    await(cluster, agents, "guests run", guests, Tally.Counts::guests);
  }

  /**
   * A plug tells no identity, so its word counts only once it was seen to cut the power of its
   * host. Only the host that will be lost needs that; without root none is.
   */
  private void testFencing(ScaleCluster cluster, int number)
      throws IOException, InterruptedException {
    var host = ScaleCluster.host(number);
    if (cluster.mute(number).isPresent()) {
      return;
    }
    say("testing the power device of host " + host);
    cluster.command(new Command.Cordon(host));
    cluster.command(new Command.TestFencing(host, 1));
    long end = System.nanoTime() + TESTED_WITHIN.toNanos();
    while (!cluster.ask("switched-on " + number, Boolean.class)) {
      cluster.alive();
      if (System.nanoTime() - end > 0) {
        throw new IOException(
            "the power of host %s was not cut and given back within %d s"
                .formatted(host, TESTED_WITHIN.toSeconds()));
      }
      Thread.sleep(POLL);
    }
    cluster.unmute();
    int joined = cluster.ask("boot " + number, Tally.Counts.class).joined();
    await(cluster, number + 1, "agents joined", number + 1, Tally.Counts::joined);
    say("host %s is back; %d others stayed".formatted(host, joined));
    cluster.command(new Command.Uncordon(host));
  }

  /** Does something now and then. Safe for several threads. */
  private static final class Every {
    private final long nanos;
    private long next;

    Every(Duration pause) {
      nanos = pause.toNanos();
      next = System.nanoTime() + nanos;
    }

    synchronized void when(Runnable what) {
      if (System.nanoTime() - next >= 0) {
        next = System.nanoTime() + nanos;
        what.run();
      }
    }
  }

  private interface Number {
    int of(Tally.Counts counts);
  }

  private void await(ScaleCluster cluster, int agents, String what, int all, Number number)
      throws IOException, InterruptedException {
    long began = System.nanoTime();
    long end = began + FILLS_WITHIN.multipliedBy(1 + agents / 100).toNanos();
    var says = new Every(SAYS_EVERY);
    while (true) {
      var counts = cluster.ask("counts", Tally.Counts.class);
      if (number.of(counts) >= all) {
        return;
      }
      cluster.alive();
      long now = System.nanoTime();
      if (now - end > 0) {
        throw new IOException(
            "only %d of %d %s within %d s%s"
                .formatted(
                    number.of(counts),
                    all,
                    what,
                    (now - began) / 1_000_000_000L,
                    counts.trouble().isEmpty() ? "" : "; the last refusal: " + counts.trouble()));
      }
      says.when(
          () -> say("%d agents: %d of %d %s".formatted(agents, number.of(counts), all, what)));
      Thread.sleep(POLL);
    }
  }

  /** Everything that is counted while nothing happens. */
  private static final class Window {
    private final ScaleCluster cluster;
    private final Map<Integer, Long> dropped;
    private final List<Double> cpu = new ArrayList<>();
    private final double standIns;
    private final long began;

    Window(ScaleCluster cluster) throws IOException {
      this.cluster = cluster;
      var unused = cluster.ask("mark", Tally.Counts.class);
      for (var voter : cluster.voters()) {
        cpu.add(ProcFiles.cpuSeconds(voter.pid()));
      }
      standIns = ProcFiles.cpuSeconds(cluster.standIns());
      dropped = ProcFiles.droppedByPort();
      began = System.nanoTime();
    }

    record Counted(
        double seconds, List<Load> loads, double standInCores, Beats beats, Tally.Counts counts) {}

    Counted end() throws IOException {
      double seconds = (System.nanoTime() - began) / 1e9;
      var loads = new ArrayList<Load>();
      for (int i = 0; i < cpu.size(); i++) {
        var voter = cluster.voters().get(i);
        loads.add(
            new Load(
                voter.name(),
                (ProcFiles.cpuSeconds(voter.pid()) - cpu.get(i)) / seconds,
                ProcFiles.mib(voter.pid(), "VmRSS"),
                ProcFiles.mib(voter.pid(), "VmHWM")));
      }
      double own = (ProcFiles.cpuSeconds(cluster.standIns()) - standIns) / seconds;
      var counts = cluster.ask("counts", Tally.Counts.class);
      var now = ProcFiles.droppedByPort();
      long atVoters = 0;
      for (var voter : cluster.voters()) {
        atVoters += grown(now, voter.heartbeats());
      }
      long atStandIns = 0;
      for (int port : cluster.ask("ports", int[].class)) {
        atStandIns += grown(now, port);
      }
      return new Counted(
          seconds,
          loads,
          own,
          new Beats(counts.sent(), counts.unsent(), counts.answered(), atVoters, atStandIns),
          counts);
    }

    private long grown(Map<Integer, Long> now, int port) {
      return now.getOrDefault(port, 0L) - dropped.getOrDefault(port, 0L);
    }
  }

  private record Statuses(List<Double> millis, long bytes) {}

  /** Asks for the whole cluster once a second until the window is over. */
  private Statuses askStatus(ScaleCluster cluster) throws IOException, InterruptedException {
    var millis = new ArrayList<Double>();
    long bytes = 0;
    long end = System.nanoTime() + options.length().toNanos();
    while (true) {
      long asked = System.nanoTime();
      bytes = cluster.statusBytes();
      long answered = System.nanoTime();
      millis.add((answered - asked) / 1e6);
      long pause = Math.min(STATUS_EVERY.toNanos() - (answered - asked), end - answered);
      if (end - answered <= 0) {
        return new Statuses(millis, bytes);
      }
      Thread.sleep(Duration.ofNanos(Math.max(0, pause)));
    }
  }

  /** What came of the loss of a host, and of the stand-ins meanwhile. */
  private record Lost(
      Optional<Loss> loss,
      String why,
      double lagMillis,
      long leasesLate,
      long leasesEnded,
      double longestLeaseMillis) {}

  private Lost lose(ScaleCluster cluster, int number) throws IOException, InterruptedException {
    var host = ScaleCluster.host(number).value();
    say("losing host " + host);
    var before = cluster.events(0);
    long since = last(cluster, before);
    var unused = cluster.ask("mark", Tally.Counts.class);
    var cannot = cluster.mute(number);
    if (cannot.isPresent()) {
      return new Lost(
          Optional.empty(),
          "its kernel cannot be kept from answering, which needs root and iproute2: "
              + cannot.get(),
          0,
          0,
          0,
          0);
    }
    var silenced = cluster.ask("silence " + number, StandIns.Silenced.class);
    long end = System.nanoTime() + ORDERED_WITHIN.toNanos();
    var counts = cluster.ask("orders", Tally.Counts.class);
    while (counts.orders().size() < silenced.guests() && System.nanoTime() - end < 0) {
      Thread.sleep(POLL);
      counts = cluster.ask("orders", Tally.Counts.class);
    }
    Thread.sleep(POLL); // the last lease
    counts = cluster.ask("orders", Tally.Counts.class);
    var loss = loss(host, silenced, cluster.events(since), counts);
    return new Lost(
        loss,
        loss.isPresent()
            ? ""
            : "only %d of its %d guests were ordered to start within %d s"
                .formatted(counts.orders().size(), silenced.guests(), ORDERED_WITHIN.toSeconds()),
        counts.lagMillis(),
        counts.leasesLate(),
        counts.leasesEnded(),
        counts.longestLeaseMillis());
  }

  /** The audit log's last line; it is told in pages. */
  private static long last(ScaleCluster cluster, List<Views.Event> first)
      throws IOException, InterruptedException {
    var page = first;
    long last = 0;
    while (!page.isEmpty()) {
      last = page.getLast().index();
      page = cluster.events(last);
    }
    return last;
  }

  /** Empty if not every guest was ordered to start. */
  static Optional<Loss> loss(
      String host, StandIns.Silenced silenced, List<Views.Event> events, Tally.Counts counts) {
    var orders = counts.orders().stream().map(Tally.Ordered::at).sorted().toList();
    var suspect = first(events, host, Fact.HostFellSilent.class);
    var verdict = first(events, host, Fact.FenceDecided.class);
    var proof = first(events, host, Fact.HostProvenOff.class);
    if (orders.size() < silenced.guests()
        || orders.isEmpty()
        || suspect.isEmpty()
        || verdict.isEmpty()
        || proof.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new Loss(
            host,
            silenced.guests(),
            millis(silenced.at(), suspect.get()),
            millis(silenced.at(), verdict.get()),
            millis(silenced.at(), proof.get()),
            millis(silenced.at(), orders.getFirst()),
            millis(silenced.at(), orders.getLast()),
            counts.slowestStartMillis()));
  }

  private static Optional<Instant> first(
      List<Views.Event> events, String host, Class<? extends Fact> kind) {
    return events.stream()
        .filter(e -> e.subject().equals(host) && e.fact().filter(kind::isInstance).isPresent())
        .map(Views.Event::at)
        .findFirst();
  }

  private static double millis(Instant from, Instant to) {
    return Duration.between(from, to).toNanos() / 1e6;
  }

  /** A client of the event stream, as a dashboard is one. */
  private static final class EventLines implements AutoCloseable {
    private final BufferedReader lines;
    private final List<Double> late = new ArrayList<>();

    EventLines(ScaleCluster cluster) throws IOException, InterruptedException {
      lines =
          new BufferedReader(new InputStreamReader(cluster.eventStream(), StandardCharsets.UTF_8));
      Thread.ofPlatform().daemon().name("event-stream").start(this::read);
    }

    private void read() {
      try {
        for (var line = lines.readLine(); line != null; line = lines.readLine()) {
          if (line.startsWith("data: ")) {
            var event =
                Json.read(
                    line.substring("data: ".length()).getBytes(StandardCharsets.UTF_8),
                    Views.Event.class);
            add(ScaleBench.millis(event.at(), Instant.now()));
          }
        }
      } catch (IOException e) {
        // it is closed
      }
    }

    private synchronized void add(double millis) {
      late.add(millis);
    }

    synchronized List<Double> millis() {
      return List.copyOf(late);
    }

    @Override
    public void close() throws IOException {
      lines.close();
    }
  }
}
