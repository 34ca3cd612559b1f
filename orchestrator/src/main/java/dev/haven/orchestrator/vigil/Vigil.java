package dev.haven.orchestrator.vigil;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostPolicy;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Newcomers;
import dev.haven.core.ha.VoterClock;
import dev.haven.core.lead.Arrivals;
import dev.haven.core.lead.Asking;
import dev.haven.core.lead.EchoMemory;
import dev.haven.core.lead.HeardTable;
import dev.haven.core.lead.LeaseDigests;
import dev.haven.core.lead.Leases;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.Standing;
import dev.haven.core.lead.Standings;
import dev.haven.core.lead.VoterClocks;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.Json;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.raft.port.ReplicatedLog.Leadership;
import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Listens for heartbeats, compares notes with the other voters, and, on the leader, gathers
 * evidence about a host that falls silent, side by side: the power device's own word and an echo of
 * the host's kernel. What it finds becomes {@link Event.HostSilent} and {@link Event.HostHeard}.
 */
public final class Vigil implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Vigil.class);

  private static final long STEP_NANOS = 20_000_000L;
  private static final long DIGEST_NANOS = 100_000_000L;
  private static final long ERRORS_NANOS = 200_000_000L;

  /**
   * Evidence is gathered from here on, so that it is there when a silence has lasted long enough to
   * count.
   */
  private static final long EVIDENCE_FROM_NANOS = 600_000_000L;

  /** How often a silence is told again while nothing new is known of it. */
  private static final long REPEAT_NANOS = 250_000_000L;

  private static final int ECHO_MILLIS = 250;

  /** Between the echo of one host that is heard and that of the next. */
  private static final long ROUND_PAUSE_MILLIS = 20;

  private static final long ECHOES_TOLD_NANOS = 1_000_000_000L;

  private static final Duration POWER_READING = Duration.ofSeconds(3);

  /** A person waits for it, and the client asks the next voter if we take too long. */
  private static final Duration OUTLOOK = Duration.ofSeconds(3);

  private static final Duration OUTLOOK_POWER = Duration.ofMillis(2_500);
  private static final int OUTLOOK_ECHO_MILLIS = 1_000;

  private final String self;
  private final BiFunction<HostId, Host.Agent, Optional<String>> opener;
  private final Supplier<ClusterState> state;
  private final Supplier<Leadership> leadership;
  private final Supplier<List<String>> voters;
  private final VoterBus bus;
  private final PowerDevices power;
  private final Consumer<Event> events;
  private final HeardTable table;
  private final VoterClocks clocks = new VoterClocks();
  private final ProofTimes proofTimes;
  private final Leases leases = new Leases();
  private final Arrivals arrivals = new Arrivals();
  private final Supplier<OptionalLong> quorumRound;
  private final HeartbeatListener listener;
  private final ReceiveErrors errors;
  private boolean deaf;
  private final Map<HostId, Inquiry> inquiries = new ConcurrentHashMap<>();
  private final Map<HostId, Long> heardTold = new ConcurrentHashMap<>();
  private final Asking asking = new Asking();
  private final Map<String, Key> keys = new ConcurrentHashMap<>();
  private final LeaseDigests digests = new LeaseDigests();
  private final EchoMemory echoes = new EchoMemory();
  private final Standings standings = new Standings();
  private volatile Supplier<Standing> standing = () -> Standing.NOTHING;
  private volatile Supplier<Optional<String>> sealedWith = Optional::empty;
  private final Kernels kernels;
  private final Thread watcher;
  private volatile boolean closed;
  private volatile boolean surrendered;

  private record Key(ProcessId process, String sealed, Optional<byte[]> bytes) {}

  /** Whether there is an agent whose heartbeats this voter cannot check. */
  private boolean cannotCheck(ClusterState s) {
    return s.hosts().stream()
        .anyMatch(
            h -> {
              var known = keys.get(h.id().value());
              return known != null
                  && known.bytes().isEmpty()
                  && h.agent().filter(a -> a.heartbeatKey().equals(known.sealed())).isPresent();
            });
  }

  /**
   * What voters tell each other.
   *
   * @param ages of silences, in nanoseconds
   * @param quietMillis see {@link HeardTable#quiet}
   * @param clock the sender's own, a moment before it is sent
   */
  private record Digest(
      boolean counts,
      Map<String, Long> ages,
      Optional<Map<String, Long>> quietMillis,
      Optional<VoterClock> clock) {}

  /**
   * What voters tell each other once a second.
   *
   * @param echoes how many seconds ago, rounded up, the last question was sent that each host's
   *     kernel answered
   */
  private record Echoes(Map<String, Long> echoes) {}

  /** Asks a host's kernel for an echo; blocks for at most the time given. */
  interface Kernels {
    boolean answers(List<String> addresses, int timeoutMillis) throws InterruptedException;
  }

  /**
   * @param addresses this voter's own address in each network
   * @param quorumRound when this leader last sent a round that a majority answered
   * @param voters the names of all voters, this one too
   * @param events where to tell what was found; must not block
   */
  public Vigil(
      String self,
      Map<String, String> addresses,
      int port,
      Supplier<ClusterState> state,
      Supplier<Leadership> leadership,
      Supplier<OptionalLong> quorumRound,
      Supplier<List<String>> voters,
      VoterBus bus,
      PowerDevices power,
      Consumer<Event> events)
      throws IOException {
    this(
        self,
        addresses,
        port,
        state,
        leadership,
        quorumRound,
        voters,
        bus,
        power,
        events,
        (_, agent) -> Optional.of(agent.heartbeatKey()));
  }

  /**
   * @param opener the key of an agent's heartbeats in Base64, from what stands in the log; empty if
   *     this voter cannot open it
   */
  public Vigil(
      String self,
      Map<String, String> addresses,
      int port,
      Supplier<ClusterState> state,
      Supplier<Leadership> leadership,
      Supplier<OptionalLong> quorumRound,
      Supplier<List<String>> voters,
      VoterBus bus,
      PowerDevices power,
      Consumer<Event> events,
      BiFunction<HostId, Host.Agent, Optional<String>> opener)
      throws IOException {
    this(
        self,
        addresses,
        port,
        state,
        leadership,
        quorumRound,
        voters,
        bus,
        power,
        events,
        opener,
        Echo::answers);
  }

  Vigil(
      String self,
      Map<String, String> addresses,
      int port,
      Supplier<ClusterState> state,
      Supplier<Leadership> leadership,
      Supplier<OptionalLong> quorumRound,
      Supplier<List<String>> voters,
      VoterBus bus,
      PowerDevices power,
      Consumer<Event> events,
      BiFunction<HostId, Host.Agent, Optional<String>> opener,
      Kernels kernels)
      throws IOException {
    this.kernels = kernels;
    this.opener = opener;
    this.self = self;
    this.state = state;
    this.leadership = leadership;
    this.quorumRound = quorumRound;
    this.voters = voters;
    this.bus = bus;
    this.power = power;
    this.events = events;
    this.table = new HeardTable(self, System.nanoTime());
    this.proofTimes = new ProofTimes(self);
    bus.onMessage(this::digestArrived);
    this.listener = new HeartbeatListener(addresses, port, new Beats());
    this.errors = new ReceiveErrors(port);
    this.watcher = Thread.ofPlatform().daemon().name("vigil").start(this::watch);
    Thread.ofVirtual().name("echo-rounds").start(this::askKernels);
  }

  private final class Beats implements HeartbeatListener.World {
    @Override
    public Optional<byte[]> key(HostId host, BootId boot, ProcessId process) {
      return state
          .get()
          .host(host)
          .filter(h -> h.boot().equals(Optional.of(boot)))
          .flatMap(Host::agent)
          .filter(a -> a.process().equals(process))
          .flatMap(a -> key(host, a));
    }

    private Optional<byte[]> key(HostId host, Host.Agent agent) {
      var known = keys.get(host.value());
      if (known != null
          && known.process().equals(agent.process())
          && known.sealed().equals(agent.heartbeatKey())) {
        return known.bytes();
      }
      var bytes = opener.apply(host, agent).map(Base64.getDecoder()::decode);
      if (bytes.isEmpty()) {
        log.error(
            "host {}: the key of its heartbeats is sealed with another secretsKey than this"
                + " voter's; until they agree, this voter says of nobody that it is silent",
            host);
      }
      keys.put(host.value(), new Key(agent.process(), agent.heartbeatKey(), bytes));
      return bytes;
    }

    @Override
    public void heard(Heartbeat beat, long nanos) {
      arrivals.came(beat.host(), beat.process(), beat.sequence(), beat.sentNanos(), nanos);
      if (!table.heard(
          beat.host(), beat.boot(), beat.process(), beat.network(), beat.sequence(), nanos)) {
        return;
      }
      if (leadership.get().ready()
          && state.get().host(beat.host()).filter(h -> !h.online()).isPresent()
          && nanos - heardTold.getOrDefault(beat.host(), nanos - REPEAT_NANOS) >= REPEAT_NANOS) {
        heardTold.put(beat.host(), nanos);
        events.accept(new Event.HostHeard(beat.host(), beat.boot(), Instant.now()));
      }
    }

    @Override
    public HeartbeatAnswer answer(Heartbeat beat, boolean fresh) {
      var l = leadership.get();
      boolean cutOff = surrendered && beat.host().value().equals(self);
      var round = quorumRound.get();
      var answered =
          l.ready() && fresh && round.isPresent()
              ? arrivals.before(beat.host(), beat.process(), round.getAsLong())
              : Optional.<Arrivals.Arrival>empty();
      var lease = answered.map(a -> lease(beat, a, round)).orElse(OptionalLong.empty());
      return lease.isPresent()
          ? new HeartbeatAnswer(
              self,
              l.term(),
              l.leader(),
              answered.get().sequence(),
              answered.get().sentNanos(),
              lease,
              cutOff,
              0)
          : new HeartbeatAnswer(
              self,
              l.term(),
              l.leader(),
              beat.sequence(),
              beat.sentNanos(),
              OptionalLong.empty(),
              cutOff,
              0);
    }
  }

  /** Only to a host that is watched: what is proven off runs nothing, whoever beats there. */
  private OptionalLong lease(Heartbeat beat, Arrivals.Arrival answered, OptionalLong round) {
    var s = state.get();
    boolean watched =
        s.host(beat.host())
            .filter(h -> h.boot().equals(Optional.of(beat.boot())))
            .filter(h -> h.online() || h.state() instanceof HostState.Suspect)
            .isPresent();
    // the state first: a verdict that is applied between the two is withheld or seen
    return watched && leases.grant(beat.host(), answered.at(), round, System.nanoTime())
        ? OptionalLong.of(digests.of(s, beat.host()))
        : OptionalLong.empty();
  }

  /** Whether this side of two voters is the one cut off: its own agent hears of it. */
  public void surrendered(boolean now) {
    surrendered = now;
  }

  /**
   * From now on this voter tells the others how it is, and, where it leads, the cluster whom a
   * person has to help.
   *
   * @param sealedWith see {@link Standings#look}
   */
  public void tells(Supplier<Standing> own, Supplier<Optional<String>> sealedWith) {
    this.sealedWith = sealedWith;
    this.standing = own;
  }

  public Leases leases() {
    return leases;
  }

  private void digestArrived(String voter, byte[] message) {
    try {
      var tree = Json.mapper().readTree(message);
      if (tree.has("echoes")) {
        var said = new java.util.HashMap<HostId, Long>();
        Json.mapper()
            .treeToValue(tree, Echoes.class)
            .echoes()
            .forEach((host, age) -> said.put(new HostId(host), age));
        echoes.said(said, System.nanoTime());
        return;
      }
      if (tree.has("secretsKey")) {
        standings.said(voter, Json.mapper().treeToValue(tree, Standing.class), System.nanoTime());
        return;
      }
      var digest = Json.mapper().treeToValue(tree, Digest.class);
      var ages = new java.util.HashMap<HostId, Long>();
      digest.ages().forEach((host, age) -> ages.put(new HostId(host), age));
      long now = System.nanoTime();
      table.digest(voter, digest.counts(), ages, now);
      digest.clock().ifPresent(clock -> clocks.arrived(voter, clock, now));
      digest
          .quietMillis()
          .ifPresent(
              said -> {
                var quiet = new java.util.HashMap<HostId, Long>();
                said.forEach((host, millis) -> quiet.put(new HostId(host), millis * 1_000_000));
                table.quiet(voter, quiet, now);
              });
    } catch (IOException | IllegalArgumentException e) {
      log.warn("voter {} sent a digest that cannot be read: {}", voter, e.getMessage());
    }
  }

  private void watch() {
    long nextDigest = System.nanoTime();
    long nextErrors = nextDigest;
    long nextEchoes = nextDigest;
    while (!closed) {
      try {
        long now = System.nanoTime();
        boolean counted = table.counts();
        table.watchQuorum(voters.get(), now);
        if (now - nextErrors >= 0) {
          nextErrors = now + ERRORS_NANOS;
          lookAtErrors(now);
        }
        if (counted != table.counts()) {
          log.info(
              counted
                  ? "hears no quorum of voters: its silences do not count"
                  : "hears a quorum of voters");
        }
        var s = state.get();
        for (var host : s.hosts()) {
          host.agent().ifPresent(a -> table.seated(host.id(), a.process(), now));
        }
        if (now - nextDigest >= 0) {
          nextDigest = now + DIGEST_NANOS;
          var known = s.hosts().stream().map(Host::id).toList();
          var ages = new java.util.TreeMap<String, Long>();
          table.ages(known, now).forEach((host, age) -> ages.put(host.value(), age));
          var quiet = new java.util.TreeMap<String, Long>();
          table.quiet(known, now).forEach((host, age) -> quiet.put(host.value(), age / 1_000_000));
          bus.broadcast(
              Json.bytes(
                  new Digest(
                      table.counts(),
                      ages,
                      Optional.of(quiet),
                      Optional.of(proofTimes.clock(now)))));
        }
        if (now - nextEchoes >= 0) {
          nextEchoes = now + ECHOES_TOLD_NANOS;
          echoes.retain(s.hosts().stream().map(Host::id).toList());
          for (var part : echoes.seconds(now)) {
            bus.broadcast(Json.bytes(new Echoes(part)));
          }
          var own = standing.get();
          bus.broadcast(Json.bytes(own));
          if (leadership.get().ready()) {
            standings
                .look(s, self, own, voters.get(), sealedWith.get(), now, Instant.now())
                .forEach(events);
          }
        }
        if (leadership.get().ready()) {
          look(s, now);
        } else {
          inquiries.values().forEach(Inquiry::stop);
          inquiries.clear();
        }
        Thread.sleep(Duration.ofNanos(STEP_NANOS));
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        log.error("the vigil stumbled and goes on", e);
      }
    }
  }

  /**
   * On every voter: each host that is online is asked about once a minute, one after the other, so
   * that its silence can be judged when it comes.
   */
  private void askKernels() {
    try {
      while (!closed) {
        try {
          Thread.sleep(askNext() ? ROUND_PAUSE_MILLIS : 500);
        } catch (RuntimeException e) {
          log.error("asking the kernels stumbled and goes on", e);
          Thread.sleep(1_000);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean askNext() throws InterruptedException {
    var s = state.get();
    var online =
        s.hosts().stream()
            .filter(h -> h.online() && !inquiries.containsKey(h.id()))
            .map(Host::id)
            .toList();
    var host = echoes.next(online, System.nanoTime()).flatMap(s::host);
    if (host.isEmpty()) {
      return false;
    }
    var id = host.get().id();
    var addresses = host.get().spec().networks().stream().map(Network::address).toList();
    long asked = System.nanoTime();
    if (kernels.answers(addresses, ECHO_MILLIS)) {
      echoes.answered(id, asked);
    } else {
      echoes.unanswered(id, asked);
    }
    if (leadership.get().ready()) {
      long now = System.nanoTime();
      boolean told = HostPolicy.toldMute(state.get(), id);
      if (told ? echoes.known(id, now) : echoes.mute(id, now)) {
        events.accept(new Event.EchoChecked(id, told, Instant.now()));
      }
    }
    return true;
  }

  /** While heartbeats are lost here, what is not heard proves nothing: nobody is fenced for it. */
  private void lookAtErrors(long now) {
    boolean grow = errors.grow(listener.heard());
    if (grow || cannotCheck(state.get())) {
      table.deaf(now);
    }
    if (deaf != table.deafAt(now)) {
      deaf = !deaf;
      log.warn(
          deaf
              ? "this voter loses heartbeats: nobody is taken for" + " silent meanwhile"
              : "this voter loses no more heartbeats");
    }
  }

  /** On the leader: who is silent, and what is known about it. */
  private void look(ClusterState s, long now) {
    for (var host : s.hosts()) {
      boolean watched =
          host.online()
              || host.state() instanceof HostState.Suspect
              || host.state() instanceof HostState.Fencing;
      long silence = watched ? table.silence(host.id(), voters.get(), now) : 0;
      // while its power is cut its kernel is asked all along: an answer contradicts the device
      boolean fencing = host.state() instanceof HostState.Fencing;
      if (fencing || host.state() instanceof HostState.Suspect) {
        lookAtBound(host, now);
      }
      if (silence < EVIDENCE_FROM_NANOS && !fencing) {
        var over = inquiries.remove(host.id());
        if (over != null) {
          over.stop();
        }
        continue;
      }
      var inquiry = inquiries.computeIfAbsent(host.id(), _ -> new Inquiry(host));
      if (silence >= s.policy().powerLossAfter().toNanos() && !fencing) {
        inquiry.tell(host, silence, now);
      }
    }
    inquiries.keySet().removeIf(h -> s.host(h).isEmpty());
  }

  /** Whether the host has had its time, where that is a proof. */
  private void lookAtBound(Host host, long now) {
    var boot = host.boot();
    var left = boundLeft(host, now);
    if (boot.isEmpty() || left.isEmpty() || left.get().isPositive()) {
      return;
    }
    var inquiry = inquiries.get(host.id());
    if (inquiry == null || inquiry.echo != Event.Echo.SILENT || now - inquiry.boundTold < 0) {
      return;
    }
    inquiry.boundTold = now + REPEAT_NANOS;
    var bound = host.guard().flatMap(g -> g.bound(host.id(), boot.get())).orElseThrow();
    events.accept(
        new Event.BoundRanOut(
            host.id(),
            boot.get(),
            bound,
            signOfLifeSince(host.id(), now - bound.toNanos()).orElse(""),
            Instant.now()));
  }

  /**
   * For how long no voter has heard a host under its last boot, by the word of a majority of those
   * on other machines; empty if too few of them can say.
   */
  public Optional<Duration> unheard(HostId host) {
    var witnesses = Newcomers.witnesses(state.get(), voters.get());
    return table.unheard(host, witnesses, System.nanoTime()).map(Duration::ofNanos);
  }

  /** The voters that this one hears. */
  public Event.Quorum quorum() {
    var all = voters.get();
    return new Event.Quorum(java.util.Set.copyOf(all), table.voters(all, System.nanoTime()));
  }

  /** Since when a sign of life voids each proof. */
  public ProofTimes proofTimes() {
    return proofTimes;
  }

  /** Of the other voters, as far as they were heard. */
  public VoterClocks clocks() {
    return clocks;
  }

  /** The newcomers that ask to join. */
  public Asking asking() {
    return asking;
  }

  /** The host's agent said hello. */
  public void greeted(HostId host, ProcessId process) {
    table.greeted(host, process, System.nanoTime());
    echoes.joins(host);
  }

  /** Whether what an event tells was true when it was posted and is no longer. */
  public boolean outdated(Event event) {
    return event instanceof Event.HostSilent e
        && table.over(e.host(), e.silence().lasted(), voters.get(), System.nanoTime());
  }

  /**
   * Between two hosts without a third voter the bound is no proof: each could grant itself leases
   * by going on alone.
   */
  public boolean twoAlone() {
    return voters.get().size() <= 2 && state.get().hosts().size() <= 2;
  }

  /** What is left of a silent host's bound; empty where it is no proof. */
  public Optional<Duration> boundLeft(Host host) {
    return boundLeft(host, System.nanoTime());
  }

  private Optional<Duration> boundLeft(Host host, long now) {
    if (twoAlone()) {
      return Optional.empty();
    }
    var last = table.lastSign(host.id(), now);
    return leases.boundLeft(
        host, last.isPresent() ? OptionalLong.of(last.get()) : OptionalLong.empty(), now);
  }

  /** One silence of one host, and the gathering of evidence about it. */
  private final class Inquiry {
    private final HostId host;
    private volatile Event.Echo echo = Event.Echo.UNKNOWN;
    private volatile Event.Power powerSays = Event.Power.UNKNOWN;
    private volatile String powerWords = "its power device is being asked";
    private volatile long lastEcho = Long.MIN_VALUE;
    private volatile boolean stopped;
    private final long begun = System.nanoTime();
    private String told = "";
    private long toldAt;
    private long boundTold = begun;

    Inquiry(Host host) {
      this.host = host.id();
      Thread.ofVirtual().name("echo-" + host.id()).start(() -> askKernel(host));
      Thread.ofVirtual().name("power-" + host.id()).start(() -> askPower(host));
    }

    void stop() {
      stopped = true;
    }

    private void askKernel(Host host) {
      var addresses = host.spec().networks().stream().map(Network::address).toList();
      try {
        while (!stopped && !closed) {
          long asked = System.nanoTime();
          boolean answers = kernels.answers(addresses, ECHO_MILLIS);
          if (answers) {
            echoes.answered(this.host, asked);
            lastEcho = asked; // it may have waited for us while this voter stood still
          }
          echo = answers ? Event.Echo.ANSWERS : Event.Echo.SILENT;
          Thread.sleep(answers ? 50 : 20);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void askPower(Host host) {
      try {
        while (!stopped && !closed) {
          var reading = power.look(host.id(), host.spec(), POWER_READING);
          powerSays = reading.says();
          powerWords = reading.words();
          Thread.sleep(reading.says() == Event.Power.ALL_OFF ? 100 : 300);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    /** Tells the loop, when something new is known or after a while. */
    void tell(Host host, long silence, long now) {
      int networks =
          Math.max(1, Math.min(table.networks(this.host), host.spec().networks().size()));
      // where no echo comes through, its agent that asks to join shows that its kernel runs
      boolean boots = powerSays != Event.Power.ALL_OFF && asking.boots(this.host, now);
      var echo = boots ? Event.Echo.ANSWERS : this.echo;
      boolean known = echoes.known(this.host, now);
      var kernel =
          switch (echo) {
            case ANSWERS -> "its kernel answers";
            case SILENT ->
                known
                    ? "its kernel does not answer"
                    : "its kernel does not answer, nor did it before";
            case UNKNOWN -> "its kernel is being asked";
          };
      var evidence = kernel + "; " + powerWords;
      // a verdict waits for the first word of both, but not for ever: what did not answer by then
      // does not answer
      if ((echo == Event.Echo.UNKNOWN || powerSays == Event.Power.UNKNOWN)
          && now - begun < POWER_READING.toNanos()) {
        return;
      }
      if (evidence.equals(told) && now - toldAt < REPEAT_NANOS) {
        return;
      }
      if (echo == Event.Echo.ANSWERS
          && silence >= state.get().policy().agentGoneAfter().toNanos()
          && asking.mayNotHaveFoundUs(now)) {
        return; // it may boot, and be about to ask this leader
      }
      told = evidence;
      toldAt = now;
      host.boot()
          .ifPresent(
              boot ->
                  events.accept(
                      new Event.HostSilent(
                          this.host,
                          boot,
                          new Event.Silence(
                              Duration.ofNanos(silence),
                              networks,
                              echo,
                              powerSays,
                              known,
                              evidence,
                              boots,
                              quorum()),
                          Instant.now())));
    }
  }

  /**
   * A sign of life later than a time: a heartbeat at any voter, or an answer of the kernel.
   *
   * @param since on this voter's {@link System#nanoTime}
   * @return what it was, for people; empty if there was none
   */
  public Optional<String> signOfLifeSince(HostId host, long since) {
    var heard = heardSince(host, since);
    if (heard.isPresent()) {
      return heard;
    }
    long now = System.nanoTime();
    var inquiry = inquiries.get(host);
    if (inquiry != null && inquiry.lastEcho != Long.MIN_VALUE && inquiry.lastEcho - since > 0) {
      return Optional.of(
          "its kernel answered %d ms ago".formatted((now - inquiry.lastEcho) / 1_000_000));
    }
    return Optional.empty();
  }

  /** The same, by the host's agent alone: its heartbeats are signed. */
  public Optional<String> heardSince(HostId host, long since) {
    long now = System.nanoTime();
    return table
        .lastSign(host, now)
        .filter(at -> at - since > 0)
        .map(at -> "its agent was heard %d ms ago".formatted((now - at) / 1_000_000));
  }

  /**
   * What is known of a host that an operator declares dead; asks its kernel and its devices now,
   * side by side.
   */
  public Event.Outlook outlook(Host host) throws InterruptedException {
    long began = System.nanoTime();
    var addresses = host.spec().networks().stream().map(Network::address).toList();
    return Outlooks.of(
        () -> heardSince(host.id(), began - 2_000_000_000L).isPresent(),
        leases.leaseLeft(host.id(), began),
        () -> kernels.answers(addresses, OUTLOOK_ECHO_MILLIS),
        () -> power.look(host.id(), host.spec(), OUTLOOK_POWER).says(),
        OUTLOOK);
  }

  /** How long ago any voter last heard the host. */
  public Optional<Duration> lastHeard(HostId host) {
    long now = System.nanoTime();
    return table.lastSign(host, now).map(at -> Duration.ofNanos(Math.max(0, now - at)));
  }

  @Override
  public void close() {
    closed = true;
    watcher.interrupt();
    listener.close();
    inquiries.values().forEach(Inquiry::stop);
  }
}
