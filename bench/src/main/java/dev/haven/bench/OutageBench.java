package dev.haven.bench;

import dev.haven.lab.ClockReading;
import dev.haven.lab.CopiesWatch;
import dev.haven.lab.Daemon;
import dev.haven.lab.Impairments;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabHost;
import dev.haven.lab.QemuWatch;
import dev.haven.lab.WritersWatch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a whole outage costs, in a lab of real parts: which hosts were switched off or reset, which
 * guests were started again or stood still, and for how long. Where hosts have watchdogs that were
 * seen to work, guests pause when nobody grants leases; where they have none, nothing may touch
 * them.
 *
 * <p>That no guest ran twice is read off the guests' disks and QEMU's own time stamps.
 */
public final class OutageBench {
  private static final Duration SHORT_LEASES = Duration.ofSeconds(150);

  /** The bound of a host with short leases and the lab's watchdog of 15 s. */
  private static final String SHORT = "29 s";

  private static final Duration UP = Duration.ofSeconds(180);
  private static final Duration SETTLED = Duration.ofSeconds(5);

  /** A guest on a busy machine may stand still for a moment without anybody's doing. */
  private static final Duration UNNOTICED = Duration.ofMillis(50);

  /** From an election until leases are granted again, at most. */
  private static final Duration FIRST_GRANT = Duration.ofSeconds(1);

  /** What the shown bound may be exceeded by, for the decision and the new QEMU process. */
  private static final Duration BEYOND_THE_BOUND = Duration.ofSeconds(2);

  /** What happens. */
  public enum Outage {
    NETWORK("the whole control network is down"),
    PORTS("the same, and its ports come back one by one over 20 s"),
    CORD("the power cord of a host that does not lead: its BMC dies with it"),
    CORD_OF_LEADER("the power cord of the leader's host"),
    AGENT_KILLED("an agent is killed"),
    AGENT_STOPPED("an agent stands still for longer than its watchdog's timeout"),
    CABLE("a host is cut off, its BMC as well, in the middle of its agent's restart"),
    DISKS("all voters' disks are full"),
    ORCHESTRATORS("all orchestrators are down"),
    SWITCHED_ON_BY_HAND(
        "a host is fenced without proof, somebody switches it on, and it takes long to boot"),
    HUNDRED_GUESTS("the whole control network is down, and a host with 100 guests has a full disk");

    private final String words;

    Outage(String words) {
      this.words = words;
    }

    /** Whether what it asks for needs a bound that is a proof. */
    boolean needsWatchdogs() {
      return this == CORD
          || this == CORD_OF_LEADER
          || this == AGENT_STOPPED
          || this == HUNDRED_GUESTS;
    }
  }

  /**
   * What one outage did.
   *
   * @param back from its end until the last guest that stood still ran again; where guests had to
   *     start elsewhere, from its beginning until the last of their new processes
   * @param limit what {@code back} must not exceed; empty if nothing was promised
   * @param paused the longest time for which a guest stood still
   * @param restarted guests with a new process
   * @param reset hosts that booted again
   * @param wrong what must not be, in sentences
   */
  public record Run(
      Outage outage,
      Duration back,
      Optional<Duration> limit,
      Duration paused,
      Set<String> restarted,
      Set<HostId> reset,
      List<String> wrong) {}

  private final Lab lab;
  private final LabClient client;
  private final LabGuests scene;
  private final Impairments impairments;
  private final boolean watchdogs;
  private final PrintStream out;

  /**
   * @param watchdogs whether the lab's hosts have watchdogs: they are tested then, and relied on
   */
  public OutageBench(Lab lab, LabClient client, boolean watchdogs, PrintStream out) {
    this.lab = lab;
    this.client = client;
    this.scene = new LabGuests(lab, client);
    this.impairments = new Impairments(lab);
    this.watchdogs = watchdogs;
    this.out = out;
  }

  /** Those that this lab can show one after the other: not {@link Outage#HUNDRED_GUESTS}. */
  public static Set<Outage> usual(boolean watchdogs) {
    var usual = possible(watchdogs);
    usual.remove(Outage.HUNDRED_GUESTS);
    return usual;
  }

  /** Those that this lab can show. */
  public static Set<Outage> possible(boolean watchdogs) {
    var all = EnumSet.allOf(Outage.class);
    // the bound would be the proof that is to be missing
    all.removeIf(o -> watchdogs ? o == Outage.SWITCHED_ON_BY_HAND : o.needsWatchdogs());
    return all;
  }

  /**
   * {@link Outage#HUNDRED_GUESTS} with a lab to itself. The other outages are not shown there.
   *
   * @param length how long the network is away
   */
  public List<Run> runHundred(int runs, Duration length) throws InterruptedException {
    var crowded = new CrowdedHost(lab, client, scene, impairments, out);
    crowded.prepare();
    var results = new ArrayList<Run>();
    for (int i = 1; i <= runs; i++) {
      var run = crowded.once(length);
      results.add(run);
      print(run, i, runs);
    }
    return results;
  }

  /**
   * @param length of an outage that somebody ends
   * @param guests how many, on three hosts
   */
  public List<Run> run(Set<Outage> outages, int runs, Duration length, int guests)
      throws InterruptedException {
    if (outages.contains(Outage.DISKS)) {
      lab.hosts().forEach(h -> impairments.giveDiskAndClock(h.id()));
      scene.await("the voters to be back", UP, _ -> true);
    }
    scene.addHosts(UP);
    if (watchdogs) {
      lab.hosts().forEach(h -> scene.relyOnWatchdog(h.id(), UP));
    }
    var ids = IntStream.rangeClosed(1, guests).mapToObj(i -> new GuestId("g" + i)).toList();
    ids.forEach(g -> client.command(new Command.CreateGuest(scene.describeSigning(g), true)));
    scene.awaitRunning(UP);
    var results = new ArrayList<Run>();
    try (var processes = QemuWatch.start(lab);
        var writers = WritersWatch.start(lab, processes, ids)) {
      var copies = new ArrayList<CopiesWatch>();
      try {
        ids.forEach(g -> copies.add(CopiesWatch.start(processes, g.value(), UP)));
        for (var outage : outages) {
          for (int i = 1; i <= runs; i++) {
            scene.settle(SETTLED, UP);
            var run = once(outage, length, processes, writers, copies);
            results.add(run);
            print(run, i, runs);
            recover();
          }
        }
      } finally {
        copies.forEach(CopiesWatch::close);
      }
    }
    return results;
  }

  private Run once(
      Outage outage,
      Duration length,
      QemuWatch processes,
      WritersWatch writers,
      List<CopiesWatch> copies)
      throws InterruptedException {
    if (outage.needsWatchdogs()) {
      awaitShortLeases();
    }
    var leader = client.status().leader().map(HostId::new).orElseThrow();
    var victim = outage == Outage.CORD_OF_LEADER ? leader : bringGuest(leader);
    var status = client.status();
    var before = boots();
    int twice = twice(writers, copies).size();
    var began = ClockReading.now();
    var wrong = new ArrayList<String>();
    var ended = live(outage, victim, length, processes, wrong);
    boolean elsewhere = outage.needsWatchdogs();
    if (elsewhere) {
      awaitElsewhere(victim, processes, began);
    } else {
      scene.awaitRunning(UP);
      Lab.await("every guest to go on", UP, () -> copies.stream().allMatch(OutageBench::runs));
    }
    var restarted = restarted(processes, began);
    var back =
        elsewhere
            ? restarted.values().stream().max(Duration::compareTo).orElse(Duration.ZERO)
            : resumed(copies, ended.at());
    var paused =
        copies.stream()
            .map(c -> longestPause(c.turns(), began.at()))
            .max(Duration::compareTo)
            .orElse(Duration.ZERO);
    var limit = limit(outage, victim, status, began);
    limit
        .filter(most -> back.compareTo(most) > 0)
        .ifPresent(most -> wrong.add("later than %.1f s".formatted(most.toMillis() / 1e3)));
    if (!watchdogs && !mayLose(outage) && paused.compareTo(UNNOTICED) > 0) {
      wrong.add("a guest was paused, though the bound is no proof");
    }
    if (outage == Outage.CORD || outage == Outage.CORD_OF_LEADER || outage == Outage.CABLE) {
      lab.startBmc(victim);
      lab.powerOn(victim);
    }
    lab.heal();
    scene.await(
        "every host to be online",
        UP,
        s -> s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE));
    var reset = reset(before);
    // what is cut off for longer than the bound has lost its guests, and is fenced if it comes back
    boolean mayGo =
        elsewhere || outage == Outage.CABLE && watchdogs || outage == Outage.SWITCHED_ON_BY_HAND;
    if (!(mayGo ? Set.of(victim) : Set.of()).containsAll(reset) || elsewhere && reset.isEmpty()) {
      wrong.add("booted again: " + reset);
    }
    if (outage == Outage.SWITCHED_ON_BY_HAND && restarted.isEmpty()) {
      wrong.add("no guest was lost: the host was not switched off");
    }
    if (!mayGo && !restarted.isEmpty()) {
      wrong.add("started again: " + restarted.keySet());
    }
    twice(writers, copies).stream().skip(twice).limit(3).forEach(wrong::add);
    return new Run(
        outage, back, limit, paused, new TreeSet<>(restarted.keySet()), reset, List.copyOf(wrong));
  }

  /** Whether guests end with their host and start again. */
  private static boolean mayLose(Outage outage) {
    return outage == Outage.SWITCHED_ON_BY_HAND;
  }

  private static List<String> twice(WritersWatch writers, List<CopiesWatch> copies) {
    var twice = new ArrayList<>(writers.doubleWriters());
    copies.forEach(c -> c.doubleRuns().forEach(d -> twice.add("two copies: " + d)));
    return twice;
  }

  /**
   * Makes the outage, and ends it where that is not left to the cluster.
   *
   * @param wrong takes what must not be while it lasts
   * @return its end
   */
  private ClockReading live(
      Outage outage, HostId victim, Duration length, QemuWatch processes, List<String> wrong)
      throws InterruptedException {
    var hosts = lab.hosts().stream().map(LabHost::id).toList();
    switch (outage) {
      case NETWORK, PORTS -> {
        hosts.forEach(h -> lab.cut(h, Optional.of("control")));
        Thread.sleep(length);
        for (int i = 0; i < hosts.size(); i++) {
          if (outage == Outage.PORTS && i > 0) {
            Thread.sleep(20_000 / (hosts.size() - 1));
          }
          lab.heal(hosts.get(i));
        }
      }
      case CORD, CORD_OF_LEADER -> {
        lab.killBmc(victim);
        lab.cutPower(victim);
      }
      case AGENT_KILLED -> {
        lab.kill(victim, Daemon.AGENT);
        Thread.sleep(length);
      }
      case AGENT_STOPPED -> lab.stop(victim, Daemon.AGENT);
      case CABLE -> {
        lab.killBmc(victim); // or its guests would be elsewhere within seconds
        var killed = lab.pid(victim, Daemon.AGENT);
        lab.kill(victim, Daemon.AGENT);
        Lab.await(
            "the agent of host " + victim + " to be begun again",
            UP,
            () ->
                lab.pid(victim, Daemon.AGENT)
                    .filter(p -> !killed.equals(Optional.of(p)))
                    .isPresent());
        lab.cut(victim, Optional.empty());
        Thread.sleep(length);
        lab.heal(victim);
      }
      case DISKS -> {
        hosts.forEach(impairments::fillDisk);
        Thread.sleep(length);
        hosts.forEach(impairments::freeDisk);
      }
      case ORCHESTRATORS -> {
        hosts.forEach(h -> lab.takeDown(h, Daemon.ORCHESTRATOR));
        Thread.sleep(length);
        hosts.forEach(h -> lab.bringUp(h, Daemon.ORCHESTRATOR));
      }
      case SWITCHED_ON_BY_HAND -> switchedOnByHand(victim, length, processes, wrong);
      case HUNDRED_GUESTS -> throw new IllegalArgumentException(outage + " has its own lab");
    }
    return ClockReading.now();
  }

  /** Its device says off, and nothing shows whose device it is: only the new boot is a proof. */
  private void switchedOnByHand(
      HostId victim, Duration length, QemuWatch processes, List<String> wrong)
      throws InterruptedException {
    lab.bmcTellsIdentity(victim, false);
    var began = ClockReading.now();
    lab.cut(victim, Optional.empty());
    Lab.await("host " + victim + " to be switched off", UP, () -> !lab.isOn(victim));
    Thread.sleep(SETTLED); // nobody stands there already
    lab.pressPower(victim); // still cut: it takes long until it can be heard
    var boot = lab.boot(victim);
    Thread.sleep(length);
    if (!lab.isOn(victim) || !lab.boot(victim).equals(boot)) {
      wrong.add("host %s was switched off again in the middle of its boot".formatted(victim));
    }
    var early = restarted(processes, began).keySet();
    if (!early.isEmpty()) {
      wrong.add("started without a proof: " + early);
    }
    lab.bmcTellsIdentity(victim, true);
    lab.heal(victim);
    scene.await(
        "host " + victim + " to be back",
        UP,
        s ->
            s.hosts().stream()
                .anyMatch(h -> h.id().equals(victim) && h.state() == Views.Host.State.ONLINE));
    if (!lab.boot(victim).equals(boot)) {
      wrong.add("host %s was switched off once more when it was back".formatted(victim));
    }
  }

  /** What was just booted has long leases for a while; a host may also have them for good. */
  private void awaitShortLeases() throws InterruptedException {
    long until = System.nanoTime() + SHORT_LEASES.toNanos();
    while (System.nanoTime() - until < 0
        && !client.status().hosts().stream()
            .allMatch(h -> h.bound().filter(SHORT::equals).isPresent())) {
      Thread.sleep(Duration.ofSeconds(1));
    }
  }

  private Optional<Duration> limit(
      Outage outage, HostId victim, Views.Status before, ClockReading began) {
    var bound =
        before.hosts().stream()
            .filter(h -> h.id().equals(victim))
            .flatMap(h -> h.bound().stream())
            .filter(b -> b.matches("\\d+ s"))
            .map(b -> Duration.ofSeconds(Long.parseLong(b.substring(0, b.length() - 2))))
            .findFirst();
    return switch (outage) {
      case NETWORK, PORTS -> Optional.of(Duration.ofSeconds(6));
      case CORD, CORD_OF_LEADER, AGENT_STOPPED ->
          bound.map(b -> b.plus(BEYOND_THE_BOUND).plus(election(began)));
      case AGENT_KILLED, CABLE, DISKS, ORCHESTRATORS, SWITCHED_ON_BY_HAND, HUNDRED_GUESTS ->
          Optional.empty();
    };
  }

  /** Until the last election: a new leader counts again what was granted before it. */
  private Duration election(ClockReading began) {
    return client.events(0).stream()
        .filter(e -> e.fact().orElse(null) instanceof Fact.LeaderElected)
        .map(Views.Event::at)
        .filter(at -> at.isAfter(began.at()))
        .max(Instant::compareTo)
        .map(at -> Duration.between(began.at(), at).plus(FIRST_GRANT))
        .orElse(Duration.ZERO);
  }

  private void awaitElsewhere(HostId victim, QemuWatch processes, ClockReading began)
      throws InterruptedException {
    var there =
        processes.sightings().stream()
            .filter(s -> s.host().equals(victim) && s.seen().nanoTime() - began.nanoTime() < 0)
            .filter(s -> s.gone().map(g -> g.nanoTime() - began.nanoTime() > 0).orElse(true))
            .map(QemuWatch.Sighting::guest)
            .collect(Collectors.toSet());
    for (var guest : there) {
      if (processes.awaitStart(guest, began, UP).isEmpty()) {
        throw new LabException("guest %s did not start again".formatted(guest));
      }
    }
    scene.awaitRunning(UP);
  }

  /** Guests with a process that is younger than the outage, and when its first came. */
  private static Map<String, Duration> restarted(QemuWatch processes, ClockReading began) {
    return processes.sightings().stream()
        .filter(s -> s.seen().nanoTime() - began.nanoTime() > 0)
        .collect(
            Collectors.toMap(
                QemuWatch.Sighting::guest,
                s -> began.until(s.seen()),
                (a, b) -> a.compareTo(b) < 0 ? a : b));
  }

  private static boolean runs(CopiesWatch copies) {
    var turns = copies.turns();
    return !turns.isEmpty() && turns.getLast().runs();
  }

  /** Until the last that stood still at {@code ended} went on. */
  private static Duration resumed(Iterable<CopiesWatch> copies, Instant ended) {
    var last = Duration.ZERO;
    for (var copy : copies) {
      var at = copy.turns().getLast().at();
      if (at.isAfter(ended) && Duration.between(ended, at).compareTo(last) > 0) {
        last = Duration.between(ended, at);
      }
    }
    return last;
  }

  static Duration longestPause(List<CopiesWatch.Turn> turns, Instant since) {
    var longest = Duration.ZERO;
    Optional<Instant> stopped = Optional.empty();
    for (var turn : turns.stream().sorted(Comparator.comparing(CopiesWatch.Turn::at)).toList()) {
      if (!turn.runs()) {
        stopped = Optional.of(turn.at());
      } else if (stopped.filter(at -> at.isAfter(since)).isPresent()) {
        var pause = Duration.between(stopped.get(), turn.at());
        longest = pause.compareTo(longest) > 0 ? pause : longest;
        stopped = Optional.empty();
      }
    }
    return longest;
  }

  private Map<HostId, String> boots() {
    return lab.hosts().stream().collect(Collectors.toMap(LabHost::id, h -> lab.boot(h.id())));
  }

  private Set<HostId> reset(Map<HostId, String> before) {
    return boots().entrySet().stream()
        .filter(b -> !b.getValue().equals(before.get(b.getKey())))
        .map(Map.Entry::getKey)
        .collect(Collectors.toSet());
  }

  /** A host that does not lead and has a guest to lose. */
  private HostId bringGuest(HostId leader) {
    var status = client.status();
    var victim =
        lab.hosts().stream()
            .map(LabHost::id)
            .filter(h -> !h.equals(leader))
            .findFirst()
            .orElseThrow();
    if (status.guests().stream().noneMatch(g -> g.host().equals(Optional.of(victim)))) {
      scene.perform(new Command.Migrate(status.guests().getFirst().id(), Optional.of(victim)), UP);
    }
    return victim;
  }

  private void recover() {
    lab.heal();
    lab.hosts().stream().filter(h -> !lab.isOn(h.id())).forEach(h -> lab.powerOn(h.id()));
    scene.awaitRunning(UP);
  }

  private void print(Run run, int of, int all) {
    out.printf(
        Locale.ROOT,
        "%s, %s, run %d of %d: back after %.1f s%s, longest pause %.1f s, started again %s, booted"
            + " again %s%s%n",
        run.outage().words,
        watchdogs ? "watchdogs seen to work" : "no watchdogs",
        of,
        all,
        run.back().toMillis() / 1e3,
        run.limit().map(l -> " (at most %.1f s)".formatted(l.toMillis() / 1e3)).orElse(""),
        run.paused().toMillis() / 1e3,
        run.restarted(),
        run.reset(),
        run.wrong().isEmpty() ? "" : "; WRONG: " + String.join("; ", run.wrong()));
  }
}
