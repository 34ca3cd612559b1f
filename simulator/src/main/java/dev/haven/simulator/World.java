package dev.haven.simulator;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Proof;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import dev.haven.model.api.FactWords;
import dev.haven.model.wire.Heartbeat;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A cluster as it really is, which no part of Haven can see as a whole, and the judge of it: what
 * must always hold is checked whenever something of it changes.
 *
 * <p>One thing lies outside the promise and so is never drawn: a power device that says off while
 * its host runs on and neither its agent nor its kernel can be heard. A device that lies about a
 * host that is heard is drawn often.
 */
final class World {
  private static final int STEP_MILLIS = 100;
  private static final int LINES = 120;

  final Clock clock;
  final SimTime time;

  /** How long power devices take; a chance of their own, so that nobody else's depends on them. */
  final Chance devices;

  final List<Machine> machines = new ArrayList<>();
  final Map<HostId, SimHost> hosts = new LinkedHashMap<>();
  final List<SimVoter> voters = new ArrayList<>();
  final List<String> voterNames = new ArrayList<>();
  final List<Entry> floating = new ArrayList<>();
  final List<String> violations = new ArrayList<>();
  final Person person;

  /** What the majority has on its disks. */
  ClusterState committed = ClusterState.EMPTY;

  long term;
  long steps;
  Unreliability chaos = Unreliability.NONE;
  double loss;

  /** Whose heartbeats need not be simulated one by one. */
  final Calm calm = new Calm(this);

  /** Guests that hang, and whose hosts' agents are about to find out. */
  int hangUnnoticed;

  /** How often migrations of guests will fail. */
  final Map<GuestId, Integer> migrationFailures = new HashMap<>();

  /** The disks of all voters: the leader goes on, and commits nothing. */
  boolean disksFull;

  /** What the judge keeps of each host, besides what its agent remembers. */
  final Judge judge = new Judge(this);

  /** Told of every entry that was applied. */
  @Nullable Witness witness;

  /** Told in the middle of things, of a machine. */
  @Nullable BiConsumer<Moment, String> watcher;

  /** Guests with a disk that is written through the page cache. */
  final TreeSet<GuestId> cached = new TreeSet<>();

  /** What the networks lose and delay though nothing has failed; null for none. */
  @Nullable Noise noise;

  /** How often devices were read to learn whether a silent host is off. */
  long deviceReadings;

  /** Told after every step of time. */
  @Nullable Runnable eachStep;

  /** Guests whose stop was acknowledged and whose start nobody has asked for since. */
  final TreeSet<GuestId> stopped = new TreeSet<>();

  /** Hosts that were reset by their own watchdogs. */
  final List<Reset> resets = new ArrayList<>();

  record Reset(long at, HostId host) {}

  private final ArrayDeque<String> lines = new ArrayDeque<>();
  private @Nullable Consumer<String> listener;
  private long origin = 1_000_000_000L;
  private int sequence;
  private long leaderless;
  private double electionMillis = 500;
  private long checkedAt = -1;

  /** Sees what becomes of the log. */
  interface Witness {
    void applied(Entry entry, ClusterState before, ClusterState after);
  }

  World(long seed) {
    clock = new Clock(seed);
    time = new SimTime(clock);
    devices = new Chance(seed ^ 0x5DEECE66DL);
    person = new Person(this);
  }

  /** Tells every line from now on; times count from now. */
  void listen(Consumer<String> to) {
    listener = to;
    origin = clock.nanos();
  }

  void start() {
    clock.againAfterMillis(STEP_MILLIS, this::step);
  }

  SimHost host(HostId id) {
    return java.util.Objects.requireNonNull(hosts.get(id), () -> "host " + id);
  }

  Optional<SimVoter> voterOn(Machine machine) {
    return voters.stream().filter(v -> v.machine == machine).findFirst();
  }

  void log(String kind, String message) {
    var line =
        String.format(
            Locale.ROOT, "%9.3f s  %-8s %s", (clock.nanos() - origin) / 1e9, kind, message);
    lines.addLast(line);
    while (lines.size() > LINES) {
      lines.removeFirst();
    }
    if (listener != null) {
      listener.accept(line);
    }
  }

  void moment(Moment moment, String machine) {
    if (watcher != null) {
      watcher.accept(moment, machine);
    }
  }

  List<String> lastLines() {
    return List.copyOf(lines);
  }

  void violation(String what) {
    log("BROKEN", what);
    violations.add(what);
  }

  // what must always hold

  /** A domain has begun to execute instructions. */
  void executes(SimHost host, GuestId guest, SimDomain domain, String how) {
    domain.drained = false;
    log(
        "truth",
        "guest %s runs on host %s (epoch %s): %s".formatted(guest, host.id, domain.epoch, how));
    for (var other : hosts.values()) {
      var copy = other == host || !other.machine.power ? null : other.domains.get(guest);
      if (copy != null && copy.executes()) {
        violation(
            "TWO COPIES of guest %s: on host %s (epoch %s) and on host %s (epoch %s)"
                .formatted(guest, host.id, domain.epoch, other.id, copy.epoch));
      } else if (copy != null
          && (copy.callPending() || (copy.state.active() && !copy.neverRan))
          && !copy.drained) {
        violation(
            "guest %s runs on host %s without proof: host %s has it %s under epoch %s"
                .formatted(guest, host.id, other.id, copy.state, copy.epoch));
      }
    }
    var holding =
        committed
            .guest(guest)
            .map(g -> g.holders().get(host.id))
            .filter(h -> h.epoch().equals(domain.epoch));
    if (holding.isEmpty()) {
      violation(
          "guest %s runs on host %s under epoch %s, but by the log it is held by %s"
              .formatted(
                  guest, host.id, domain.epoch, committed.guest(guest).map(g -> g.holders())));
    }
  }

  private void check(Entry entry, ClusterState before, ClusterState after) {
    judge.lists(before, after);
    for (var change : entry.changes()) {
      judge.applied(change);
      judge.rules(change, before, after);
      switch (change) {
        case Change.HolderCleared c -> {
          var host = host(c.host());
          var copy = host.domains.get(c.guest());
          var holding = before.guest(c.guest()).map(g -> g.holders().get(c.host()));
          if (host.machine.power
              && holding.filter(h -> h.boot().equals(host.boot())).isPresent()
              && copy != null
              && (host.strays.contains(c.guest())
                  || (c.proof() instanceof Proof.BoundRunOut
                      ? mayWrite(c.guest(), copy) // what is paused for want of a lease stays so
                      : copy.state.active() || copy.callPending()))) {
            violation(
                "false proof for guest %s: host %s has it %s%s, but %s"
                    .formatted(
                        c.guest(),
                        c.host(),
                        copy.state,
                        host.strays.contains(c.guest()) ? ", and its process runs" : "",
                        c.proof().evidence()));
          }
        }
        case Change.GuestPlaced c -> {
          if (stopped.contains(c.guest())) {
            violation("guest %s is started although its owner stopped it".formatted(c.guest()));
          }
          epochRises(before, c.guest(), c.holding().epoch());
        }
        case Change.MigrationBegun c ->
            epochRises(
                before, c.guest(), after.guest(c.guest()).map(g -> g.epoch()).orElse(Epoch.NONE));
        case Change.HolderRestored _,
            Change.OfGuestItself _,
            Change.OfHost _,
            Change.OfOperation _,
            Change.OfTrust _,
            Change.OfCluster _ -> {}
      }
    }
  }

  private void epochRises(ClusterState before, GuestId guest, Epoch epoch) {
    var old = before.guest(guest).map(g -> g.epoch()).orElse(Epoch.NONE);
    if (epoch.compareTo(old) <= 0) {
      violation("the epoch of guest %s goes from %s to %s".formatted(guest, old, epoch));
    }
  }

  /** Whether it may write to its disks, now or later, though nobody resumes it. */
  boolean mayWrite(GuestId guest, SimDomain copy) {
    return copy.executes() || copy.job() || (copy.state.active() && cached.contains(guest));
  }

  /** No two copies run at this moment. */
  void checkAll() {
    long now = hosts.values().stream().mapToLong(h -> h.version).sum();
    if (calm.sparing() && now == checkedAt) {
      return;
    }
    checkedAt = now;
    var running = new HashMap<GuestId, HostId>();
    for (var host : hosts.values()) {
      if (host.machine.power) {
        var here = new ArrayList<>(host.strays);
        host.domains.forEach(
            (guest, domain) -> {
              if (domain.executes()) {
                here.add(guest);
              }
            });
        for (var guest : here) {
          var other = running.put(guest, host.id);
          if (other != null) {
            violation(
                "TWO COPIES of guest %s: on host %s and on host %s"
                    .formatted(guest, host.id, other));
          }
        }
      }
    }
  }

  // the log

  ClusterState.Outcome apply(Entry entry, Event event) {
    var before = committed;
    var outcome = committed.apply(entry);
    switch (outcome) {
      case ClusterState.Outcome.Applied a -> {
        committed = a.state();
        for (var voter : voters) {
          if (voter.runs()) {
            voter.proofTimes.applied(before, committed, voter.nanos());
          }
          if (voter.leading != null && voter.leading.term == term) {
            voter.state = committed;
            voter.leading.applied(before, committed);
          }
        }
        for (var fact : entry.facts()) {
          var words = FactWords.of(fact);
          // the times of a flight record are for programs
          if (!words.isEmpty() && fact.kind() != Fact.Kind.TIMES) {
            log(fact.kind().word(), words);
          }
        }
        check(entry, before, committed);
        calm.stirred(entry);
        if (witness != null) {
          witness.applied(entry, before, committed);
        }
      }
      case ClusterState.Outcome.Stale _ -> {}
      case ClusterState.Outcome.Broken b ->
          violation("the decision on %s breaks a rule: %s".formatted(event, b.rule()));
    }
    return outcome;
  }

  boolean majority(SimVoter voter) {
    return voter.runs() && voters.stream().filter(voter::reaches).count() * 2 > voters.size();
  }

  Optional<SimVoter> leader() {
    return voters.stream().filter(v -> v.leading != null && v.leading.term == term).findFirst();
  }

  /** Another voter takes over, although the present leader may be well. */
  void elect() {
    var able = voters.stream().filter(this::majority).toList();
    if (able.isEmpty()) {
      return;
    }
    var next = clock.oneOf(able);
    for (var voter : voters) {
      var was = voter.leading;
      if (was != null) {
        floating.addAll(was.abandon());
        if (voter == next) {
          was.end("it is elected again");
        }
      }
    }
    for (var entry : floating) {
      // what a leader had proposed may stand in the next one's log, or not, or come there late
      if (entry.base() == committed.version() && clock.happens(0.5)) {
        log("leader", "the last entry of the leader before is committed");
        apply(entry, new Event.Tick(clock.instant()));
      } else if (sometimes(chaos.late())) {
        clock.afterMillis(
            clock.between(1, 10_000), () -> apply(entry, new Event.Tick(clock.instant())));
      }
    }
    floating.clear();
    term++;
    next.state = committed;
    next.leading = new SimLeader(next, term);
    log("leader", "voter " + next.name() + " leads in term " + term);
    next.leading.pump();
    moment(Moment.ELECTED, next.name());
    leaderless = 0;
    electionMillis = clock.between(300, 900);
  }

  // time

  private void step() {
    clock.againAfterMillis(STEP_MILLIS, this::step);
    sequence++;
    long now = clock.nanos();
    calm.survey(now);
    for (var host : calm.restless()) {
      host.watch(now);
      connect(host, now);
      if (host.agent != null && host.agentRuns()) {
        host.agent.step(now);
      }
      if (sequence % 2 == 0) {
        beat(host, now);
      }
    }
    if (sequence % 2 == 0) {
      calm.beaten(now);
    }
    compareNotes();
    watchLeaders();
    for (var voter : voters) {
      if (voter.runs()) {
        voter.questions.step(voter.nanos());
      }
      var leading = voter.leading;
      if (leading != null && voter.runs()) {
        leading.dropDeadConnections();
        leading.look();
        leading.pump();
      }
    }
    person.step();
    if (!calm.sparing()) {
      judge.check();
    }
    if (sequence % 5 == 0) {
      checkAll();
    }
    if (eachStep != null) {
      eachStep.run();
    }
  }

  private void connect(SimHost host, long now) {
    var agent = host.agent;
    if (agent == null || !host.agentRuns()) {
      return;
    }
    var leader = agent.leader;
    if (leader != null) {
      boolean reached = host.machine.reaches(leader.voter.machine, Machine.CONTROL);
      if (reached) {
        agent.lostSince = -1;
      } else if (agent.lostSince < 0) {
        agent.lostSince = now;
      }
      if ((!leader.connected(agent) && now >= agent.helloUntil)
          || (agent.lostSince >= 0 && now - agent.lostSince > 2_000_000_000L)) {
        agent.leader = null;
        agent.lostSince = -1;
      }
    }
    if (agent.leader == null) {
      var able =
          voters.stream()
              .filter(
                  v ->
                      v.leading != null
                          && v.runs()
                          && host.machine.reaches(v.machine, Machine.CONTROL))
              .toList();
      if (!able.isEmpty()) {
        var to = clock.oneOf(able).leading;
        agent.leader = to;
        if (to != null) {
          to.hello(agent);
        }
      }
    }
  }

  void beat(SimHost host, long now) {
    var agent = host.agent;
    if (agent == null || !host.agentRuns()) {
      return;
    }
    long beat = agent.nextBeat(now);
    for (var voter : voters) {
      boolean buffers = voter.runs() || (noise != null && voter.up);
      if (!buffers || !voter.knows(host.id, host.boot(), agent.process)) {
        continue;
      }
      for (int network = 0; network < 2; network++) {
        if (host.machine.sends(voter.machine, network) && !(loss > 0 && clock.happens(loss))) {
          var heartbeat = agent.heartbeat(host.boot(), beat, network, now);
          if (noise == null) {
            hears(voter, agent, heartbeat);
          } else {
            noise.send(voter, network, () -> hears(voter, agent, heartbeat));
          }
        }
      }
    }
  }

  private void hears(SimVoter voter, SimAgent agent, Heartbeat heartbeat) {
    voter.hears(heartbeat, voter.nanos());
    if (voter.leading != null) {
      voter.leading.grant(agent, heartbeat);
    }
  }

  private void compareNotes() {
    for (var voter : voters) {
      if (voter.runs()) {
        voter.watch.step(calm.watched(voter.state), voter.nanos());
      }
    }
    for (var voter : voters) {
      if (!voter.runs()) {
        continue;
      }
      var ids = new ArrayList<HostId>();
      for (var host : calm.watched(voter.state)) {
        ids.add(host.id());
      }
      var notes = voter.watch.notes(ids, voter.nanos());
      for (var other : voters) {
        if (other == voter || !voter.reaches(other)) {
          continue;
        }
        if (noise == null) {
          other.watch.noted(voter.name(), notes, other.nanos());
        } else {
          noise.send(
              other, Machine.CONTROL, () -> other.watch.noted(voter.name(), notes, other.nanos()));
        }
      }
    }
  }

  private void watchLeaders() {
    var leader = leader().filter(this::majority);
    for (var voter : voters) {
      var leading = voter.leading;
      if (leading != null && voter.runs()) {
        if (majority(voter) && leading.term == term) {
          leading.majoritySeen = voter.nanos();
        }
        boolean knows =
            leading.term < term
                && leader.filter(l -> voter.reaches(l)).isPresent()
                && clock.happens(0.5);
        if (knows) {
          leading.end("it met a newer term");
        } else if (voter.nanos() - leading.majoritySeen > 1_000_000_000L) {
          leading.end("it hears no majority");
        }
      }
    }
    if (leader.isPresent()) {
      leaderless = 0;
      for (var voter : voters) {
        if (voter.reaches(leader.get())) {
          voter.state = committed;
        }
      }
    } else {
      leaderless += STEP_MILLIS;
      if (leaderless >= electionMillis) {
        elect();
      }
    }
  }

  /** Whether a migration of this guest fails now; one failure less is left then. */
  boolean failsToMigrate(GuestId guest) {
    int left = migrationFailures.getOrDefault(guest, 0);
    if (left > 0) {
      migrationFailures.put(guest, left - 1);
    }
    return left > 0;
  }

  /** Lets time pass in which nothing would happen. Only while {@link Calm#quiet}. */
  void skip(Duration time) {
    clock.skip(time);
    long now = clock.nanos();
    calm.beaten(now);
    for (var voter : voters) {
      if (voter.leading != null) {
        voter.leading.majoritySeen = voter.nanos();
      }
      var notes = voter.watch.notes(List.of(), voter.nanos());
      for (var other : voters) {
        if (other != voter && voter.reaches(other)) {
          other.watch.noted(voter.name(), notes, other.nanos());
        }
      }
    }
  }

  /** What never happens takes nothing from chance. */
  boolean sometimes(double probability) {
    return probability > 0 && clock.happens(probability);
  }

  /** How long a message takes; now and then one lingers in a buffer. */
  double delayMillis() {
    return sometimes(chaos.lingers())
        ? clock.between(0, chaos.lingersMillis())
        : clock.between(0.2, 3);
  }

  /** Whether a guest executes on this host. */
  boolean runs(GuestId guest, HostId on) {
    var host = host(on);
    var domain = host.domains.get(guest);
    return host.machine.power
        && !host.machine.hung
        && domain != null
        && domain.state == DomainState.RUNNING;
  }

  /** All is as it should be: connected, powered, honest. */
  void heal() {
    chaos = Unreliability.NONE;
    loss = 0;
    disksFull = false;
    for (var machine : machines) {
      machine.deaf = false;
      machine.mute = false;
      for (int network = 0; network < 2; network++) {
        machine.port[network] = true;
        machine.side[network] = 0;
      }
    }
    for (var host : hosts.values()) {
      host.device.behaves(DeviceMode.WORKS);
      if (host.secondDevice != null) {
        host.secondDevice.behaves(DeviceMode.WORKS);
      }
      host.drainsHang = false;
      host.disk.fails = false;
      host.stalledIn = 0;
      host.stalledOut = 0;
      host.startsFail = false;
      host.startsSlow = false;
      host.startsUnclear = false;
      host.destroysHang = false;
      host.lateUntil = 0;
      List.copyOf(host.strays).forEach(guest -> host.loses(guest, false));
      host.machine.hung = false;
      host.libvirtBack();
      if (host.agent != null) {
        host.agent.stopped = false;
        host.agent.goOn();
      }
    }
    for (var voter : voters) {
      voter.goesOn();
      if (!voter.up && voter.machine.power) {
        voter.start();
      }
    }
    powerOnWhatIsOff();
  }

  /** Somebody presses the button of what stays off. */
  private void powerOnWhatIsOff() {
    for (var host : hosts.values()) {
      if (!host.machine.power) {
        var boots = host.boots;
        clock.after(
            Duration.ofSeconds(3),
            () -> {
              if (!host.machine.power && host.boots == boots) {
                log("truth", "host " + host.id + " is switched on");
                host.powerOn();
              }
            });
      }
    }
    clock.after(Duration.ofSeconds(5), this::powerOnWhatIsOff);
  }
}
