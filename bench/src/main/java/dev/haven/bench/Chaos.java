package dev.haven.bench;

import dev.haven.bench.ChaosPlan.Fault;
import dev.haven.lab.BmcMode;
import dev.haven.lab.CopiesWatch;
import dev.haven.lab.Daemon;
import dev.haven.lab.Impairments;
import dev.haven.lab.Lab;
import dev.haven.lab.LabClient;
import dev.haven.lab.LabClient.Attempt;
import dev.haven.lab.LabException;
import dev.haven.lab.LabGuests;
import dev.haven.lab.LabHost;
import dev.haven.lab.QemuWatch;
import dev.haven.lab.WritersWatch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Fact;
import dev.haven.model.api.Views;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Everything that can break in a lab breaks at random, while a client goes on giving commands.
 * Guests sign their disks, which nothing keeps a second copy from writing, and two independent
 * watches, one on the disks and one on the QEMU processes, look for a second copy all the time. At
 * the end all is healed; then every guest that is wanted must run, and every command that was
 * acknowledged must show.
 *
 * <p>The check of hosts lends a hand as an operator would: a host that has been off for a while is
 * switched on.
 */
public final class Chaos {
  private static final Duration UP = Duration.ofMinutes(3);

  /** A fence that failed is tried again after 30 s at most, and a guest's disk is waited for. */
  private static final Duration SETTLED_WITHIN = Duration.ofMinutes(3);

  /** So that the cluster gets somewhere between two leaders. */
  private static final Duration LEADER_LIVES = Duration.ofSeconds(10);

  /** For so long only a phase will do in which no leader has died yet. */
  private static final Duration RARE_COMES = Duration.ofSeconds(10);

  private static final Duration LEADER_STANDS_STILL = Duration.ofSeconds(5);

  /** The cluster forgets older ones. */
  private static final int OPERATIONS_KEPT = 200;

  private static final Duration GRACE = Duration.ofSeconds(3);

  private final Lab lab;
  private final LabClient client;
  private final LabGuests scene;
  private final Impairments impairments;
  private final long seed;
  private final Duration length;
  private final boolean watchdogs;
  private final ChaosTale tale;
  private final ChaosFaults faults;

  private final Map<String, String> impossible = new TreeMap<>();
  private final Map<String, Integer> leaderKills = new TreeMap<>();
  private final Map<String, Integer> commands = new TreeMap<>();
  private final Promises promises = new Promises();

  /** Those that were acknowledged. */
  private final List<OperationId> operations = new CopyOnWriteArrayList<>();

  private final List<String> audit = new CopyOnWriteArrayList<>();
  private int fences;

  /**
   * Changes nothing yet.
   *
   * @param lab just up, with daemons; it is left healed
   * @param watchdogs whether its hosts have watchdogs: then they are tested and relied on
   */
  public Chaos(
      Lab lab, LabClient client, long seed, Duration length, boolean watchdogs, PrintStream out) {
    this.lab = lab;
    this.client = client;
    this.scene = new LabGuests(lab, client);
    this.impairments = new Impairments(lab);
    this.seed = seed;
    this.length = length;
    this.watchdogs = watchdogs;
    this.tale = new ChaosTale(out);
    this.faults = new ChaosFaults(lab, impairments, tale);
  }

  /**
   * Breaks things for a while, heals them, and looks.
   *
   * @param count of guests
   * @throws InterruptedException with the lab as broken as it was just then
   */
  public ChaosReport run(int count) throws InterruptedException {
    lab.hosts().forEach(h -> impairments.giveDiskAndClock(h.id()));
    scene.await("the voters to be back", UP, _ -> true);
    scene.addHosts(UP);
    if (watchdogs) {
      lab.hosts().forEach(h -> scene.relyOnWatchdog(h.id(), UP));
    }
    var guests = IntStream.rangeClosed(1, count).mapToObj(i -> new GuestId("g" + i)).toList();
    guests.forEach(this::create);
    scene.awaitRunning(UP);
    var plan = ChaosPlan.draw(seed, length, lab.hosts().size(), possible());
    var copies = new ArrayList<CopiesWatch>();
    try (var processes = QemuWatch.start(lab);
        var writers = WritersWatch.start(lab, processes, guests)) {
      guests.forEach(g -> copies.add(CopiesWatch.start(processes, g.value(), UP)));
      tale.begins();
      try (var pool = Executors.newVirtualThreadPerTaskExecutor()) {
        begin(pool, plan, guests, processes);
        try {
          tale.sleepUntil(length);
        } finally {
          tale.over();
          pool.shutdownNow();
        }
        if (!pool.awaitTermination(60, TimeUnit.SECONDS)) {
          throw new LabException("a fault did not end within 60 s");
        }
      }
      tale.say("everything is healed");
      long healed = System.nanoTime();
      heal();
      var violations = new ArrayList<String>();
      var settled = settle(guests, violations).map(end -> Duration.ofNanos(end - healed));
      violations.addAll(promises.broken(actual()));
      if (settled.isPresent()) {
        violations.addAll(forgotten());
        violations.addAll(unseen(guests, processes, writers));
      }
      copies.forEach(c -> c.doubleRuns().forEach(d -> violations.add("two copies: " + d)));
      violations.addAll(writers.doubleWriters());
      return new ChaosReport(
          seed,
          length,
          lab.hosts().size(),
          count,
          watchdogs,
          faults.made(),
          faults.missed(),
          impossible,
          leaderKills,
          commands,
          writers.signatures(),
          writers.writers(),
          fences,
          settled,
          tale.timeline(),
          tale.notes(),
          violations);
    } finally {
      copies.forEach(CopiesWatch::close);
    }
  }

  /** The cluster's audit log during the chaos. */
  public List<String> audit() {
    return List.copyOf(audit);
  }

  private void begin(
      ExecutorService pool, ChaosPlan plan, List<GuestId> guests, QemuWatch processes) {
    plan.faults().forEach(f -> pool.execute(() -> guarded(() -> faults.live(f, processes))));
    pool.execute(() -> guarded(() -> command(guests)));
    pool.execute(() -> guarded(this::huntLeaders));
    pool.execute(() -> guarded(faults::switchOn));
    pool.execute(() -> guarded(this::listen));
  }

  interface Task {
    void run() throws InterruptedException;
  }

  /** A task that goes wrong must be seen: a chaos that makes nothing proves nothing. */
  private void guarded(Task task) {
    try {
      task.run();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      if (!tale.isOver()) {
        tale.note("went wrong: " + e);
      }
    }
  }

  private static Views.Host host(Views.Status status, HostId host) {
    return status.hosts().stream().filter(h -> h.id().equals(host)).findFirst().orElseThrow();
  }

  private void create(GuestId guest) {
    client.command(new Command.CreateGuest(scene.describeSigning(guest), true));
    promises.acknowledged(wanted(guest), "true");
    promises.acknowledged(priority(guest), "0");
  }

  private Set<Fault> possible() {
    var possible = EnumSet.allOf(Fault.class);
    without(possible, Fault.SLOW_NETWORKS, impairments.cannotDelay());
    without(possible, Fault.DISK_SLOW, Impairments.cannotSlow());
    without(possible, Fault.CLOCK_JUMPS, Impairments.cannotJump());
    return possible;
  }

  private void without(Set<Fault> possible, Fault fault, Optional<String> why) {
    why.ifPresent(
        reason -> {
          possible.remove(fault);
          impossible.put(fault.words(), reason);
        });
  }

  /** The audit log keeps only so many lines: it is read as it grows. */
  private void listen() throws InterruptedException {
    long last = 0;
    while (true) {
      try {
        for (var event : client.events(last)) {
          last = Math.max(last, event.index());
          audit.add(
              "%s  %s  %s: %s"
                  .formatted(event.at(), event.kind(), event.subject(), event.message()));
          if (event.fact().orElse(null) instanceof Fact.HostProvenOff) {
            fences++;
            tale.say(event.message());
          }
        }
      } catch (RuntimeException e) {
        // nobody answers just now
      }
      Thread.sleep(500);
    }
  }

  // ---- leaders ----------------------------------------------------------------------------------

  /**
   * Kills or stops the leader in the middle of whatever it has been killed in least. During a long
   * fault one leader dies: each new one counts the bound from its own beginning, and one of them
   * has to reach its end.
   */
  private void huntLeaders() throws InterruptedException {
    int hunts = 0;
    long rested = System.nanoTime();
    long hunted = 0; // the end of the long fault in which the last leader died
    while (true) {
      long now = faults.longFaultEnds();
      if (System.nanoTime() - now < 0 && hunted == now) {
        Thread.sleep(500);
        continue;
      }
      var prey = phaseUnderWay(System.nanoTime() - rested > RARE_COMES.toNanos());
      if (prey.isPresent()) {
        var leader = new HostId(prey.get().leader());
        boolean stop = hunts % 3 == 2;
        try {
          if (stop) {
            lab.stop(leader, Daemon.ORCHESTRATOR);
          } else {
            lab.kill(leader, Daemon.ORCHESTRATOR);
          }
        } catch (LabException e) {
          continue; // it is gone already
        }
        hunts++;
        hunted = faults.longFaultEnds();
        tale.count(leaderKills, prey.get().phase());
        tale.say(
            "host %s: the leader is %s in the middle of: %s"
                .formatted(leader, stop ? "stopped" : "killed", prey.get().phase()));
        Thread.sleep(LEADER_STANDS_STILL);
        if (stop && lab.pid(leader, Daemon.ORCHESTRATOR).isPresent()) {
          lab.cont(leader, Daemon.ORCHESTRATOR);
        }
        Thread.sleep(LEADER_LIVES.minus(LEADER_STANDS_STILL));
        rested = System.nanoTime();
      }
      Thread.sleep(30);
    }
  }

  private record Prey(String leader, String phase) {}

  /**
   * @param any whether one will do in which the leader has died before
   */
  private Optional<Prey> phaseUnderWay(boolean any) {
    Views.Status status;
    try {
      status = client.status();
    } catch (RuntimeException e) {
      return Optional.empty(); // nobody leads just now
    }
    var phases = new ArrayList<String>();
    for (var guest : status.guests()) {
      switch (guest.state()) {
        case STARTING, STOPPING, RESTARTING, WAITING -> phases.add(guest.state().word());
        case MIGRATING -> phases.add("migrating, " + guest.detail().split(":", 2)[0]);
        case STOPPED, RUNNING, FAILED, UNKNOWN -> {}
      }
    }
    status.hosts().stream()
        .map(Views.Host::state)
        .filter(s -> s == Views.Host.State.FENCING || s == Views.Host.State.SUSPECT)
        .forEach(s -> phases.add(s.word()));
    synchronized (tale) {
      return phases.stream()
          .filter(p -> any || !leaderKills.containsKey(p))
          .min(Comparator.comparingInt(p -> leaderKills.getOrDefault(p, 0)))
          .flatMap(p -> status.leader().map(leader -> new Prey(leader, p)));
    }
  }

  // ---- commands ---------------------------------------------------------------------------------

  private static String wanted(GuestId guest) {
    return "guest %s wanted".formatted(guest);
  }

  private static String priority(GuestId guest) {
    return "guest %s priority".formatted(guest);
  }

  private static String cordoned(HostId host) {
    return "host %s cordoned".formatted(host);
  }

  /** One client that never waits long for anything. */
  private void command(List<GuestId> guests) throws InterruptedException {
    var random = new Random(seed + 1);
    while (true) {
      Thread.sleep(300 + random.nextInt(2500));
      var guest = guests.get(random.nextInt(guests.size()));
      var host = lab.hosts().get(random.nextInt(lab.hosts().size())).id();
      var shut =
          lab.hosts().stream()
              .map(LabHost::id)
              .filter(h -> promises.last(cordoned(h)).equals("true"))
              .findFirst();
      switch (random.nextInt(10)) {
        case 0, 1, 2, 3 -> give(new Command.Migrate(guest, Optional.empty()), "", "");
        case 4, 5 -> {
          if (promises.last(wanted(guest)).equals("true")) {
            give(new Command.StopGuest(guest, GRACE), wanted(guest), "false");
          } else {
            give(new Command.StartGuest(guest), wanted(guest), "true");
          }
        }
        case 6, 7 -> {
          int priority = random.nextInt(100);
          give(
              new Command.EditGuest(withPriority(scene.describeSigning(guest), priority)),
              priority(guest),
              Integer.toString(priority));
        }
        default -> {
          if (shut.isPresent()) {
            give(new Command.Uncordon(shut.get()), cordoned(shut.get()), "false");
          } else {
            give(new Command.Evacuate(host), cordoned(host), "true");
          }
        }
      }
    }
  }

  private void give(Command command, String what, String value) {
    switch (client.attempt(command)) {
      case Attempt.Acknowledged a -> {
        tale.count(commands, "acknowledged");
        a.reply().operation().ifPresent(operations::add);
        if (!what.isEmpty()) {
          promises.acknowledged(what, value);
        }
      }
      case Attempt.Refused _ -> tale.count(commands, "refused");
      case Attempt.Unknown _ -> {
        tale.count(commands, "without answer");
        if (!what.isEmpty()) {
          promises.unknown(what, value);
        }
      }
    }
  }

  private static GuestSpec withPriority(GuestSpec spec, int priority) {
    return new GuestSpec(
        spec.id(),
        spec.uuid(),
        spec.memoryMib(),
        spec.vcpus(),
        priority,
        spec.domainXml(),
        spec.labels(),
        spec.rules(),
        spec.restart(),
        spec.startAttempts());
  }

  // ---- the end ----------------------------------------------------------------------------------

  private void heal() throws InterruptedException {
    for (var host : lab.hosts()) {
      var deadline = System.nanoTime() + UP.toNanos();
      while (true) {
        try {
          heal(host.id());
          break;
        } catch (LabException e) {
          if (System.nanoTime() - deadline > 0) {
            throw e;
          }
          Thread.sleep(500); // a fence is just cutting its power
        }
      }
    }
  }

  private void heal(HostId host) {
    lab.heal(host);
    impairments.clearNetworks(host);
    impairments.speedDisk(host);
    impairments.freeDisk(host);
    impairments.setClock(host, Duration.ZERO);
    lab.bmc(host, BmcMode.OK);
    lab.startBmc(host);
    impairments.contAll(host);
    lab.pressPower(host);
  }

  /**
   * Waits until everything is well. Starts what was given up meanwhile, and switches on what a
   * fence that was under way has switched off since.
   *
   * @return when it was, as {@link System#nanoTime}
   */
  private Optional<Long> settle(List<GuestId> guests, List<String> violations) {
    var given = new HashSet<GuestId>();
    try {
      scene.await(
          "everything to be well",
          SETTLED_WITHIN,
          s -> {
            lab.hosts().forEach(h -> lab.pressPower(h.id()));
            lab.hosts().forEach(h -> impairments.freeDisk(h.id()));
            s.guests().stream()
                .filter(
                    g -> g.wanted() && g.state() == Views.Guest.State.FAILED && given.add(g.id()))
                .forEach(
                    g -> {
                      tale.note("guest %s had been given up: %s".formatted(g.id(), g.detail()));
                      client.attempt(new Command.StartGuest(g.id()));
                    });
            return s.hosts().stream().allMatch(h -> h.state() == Views.Host.State.ONLINE)
                && s.voters().size() == lab.hosts().size()
                && s.voters().stream().allMatch(v -> v.reachable() && v.lag() == 0)
                && s.guests().size() == guests.size()
                && s.guests().stream().allMatch(Views.Guest::settled)
                && s.operations().stream().allMatch(Views.Operation::over);
          });
      return Optional.of(System.nanoTime());
    } catch (LabException e) {
      violations.add("not well again: " + e.getMessage());
      return Optional.empty();
    }
  }

  private Map<String, String> actual() {
    var actual = new TreeMap<String, String>();
    try {
      var status = client.status();
      for (var guest : status.guests()) {
        actual.put(wanted(guest.id()), Boolean.toString(guest.wanted()));
        actual.put(priority(guest.id()), Integer.toString(guest.priority()));
      }
      status.hosts().forEach(h -> actual.put(cordoned(h.id()), Boolean.toString(h.cordoned())));
    } catch (RuntimeException e) {
      tale.note("nobody says how things stand: " + e.getMessage());
    }
    return actual;
  }

  /** Operations that were acknowledged and of which nobody knows. */
  private List<String> forgotten() {
    var known = client.status().operations().stream().map(Views.Operation::id).toList();
    return known.size() >= OPERATIONS_KEPT
        ? List.of()
        : operations.stream()
            .filter(o -> !known.contains(o))
            .map("operation %s was acknowledged, and nobody knows of it"::formatted)
            .toList();
  }

  /** What the cluster says of its guests and the machine does not show. */
  private List<String> unseen(List<GuestId> guests, QemuWatch processes, WritersWatch writers)
      throws InterruptedException {
    var status = client.status();
    var before = guests.stream().collect(Collectors.toMap(g -> g, writers::signatures));
    // a guest that has just been started signs once it has booted
    var deadline = System.nanoTime() + UP.toNanos();
    var silent = new HashSet<>(guests);
    while (!silent.isEmpty() && System.nanoTime() - deadline < 0) {
      Thread.sleep(200);
      silent.removeIf(
          g -> !wanted(status, g) || writers.signatures(g) > before.getOrDefault(g, 0L));
    }
    var wrong = new ArrayList<String>();
    silent.forEach(g -> wrong.add("guest %s is said to run and writes nothing".formatted(g)));
    var elsewhere = elsewhere(processes);
    // the last command may have been taken while everything was being healed
    while (!elsewhere.isEmpty() && System.nanoTime() - deadline < 0) {
      Thread.sleep(200);
      elsewhere = elsewhere(processes);
    }
    wrong.addAll(elsewhere);
    return wrong;
  }

  private List<String> elsewhere(QemuWatch processes) {
    var wrong = new ArrayList<String>();
    for (var guest : client.status().guests()) {
      var where =
          processes.running().stream()
              .filter(s -> s.guest().equals(guest.id().value()))
              .map(QemuWatch.Sighting::host)
              .toList();
      var said = guest.wanted() ? guest.host().stream().toList() : List.<HostId>of();
      if (!where.equals(said)) {
        wrong.add(
            "guest %s is said to be on %s, and has processes on %s"
                .formatted(guest.id(), said, where));
      }
    }
    return wrong;
  }

  private static boolean wanted(Views.Status status, GuestId guest) {
    return status.guests().stream().anyMatch(g -> g.id().equals(guest) && g.wanted());
  }
}
