package dev.haven.orchestrator.alone;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.core.lead.Cut;
import dev.haven.model.BootId;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.Network;
import dev.haven.model.Policy;
import dev.haven.model.Time;
import dev.haven.orchestrator.alone.TwoAlone.State;
import dev.haven.orchestrator.detect.Echo;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.raft.port.ReplicatedLog;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Does what {@link TwoAlone} decides: asks the ping targets and the other host's power devices,
 * cuts its power, tells the log, and brings the proof to the loop of the only voter that is left.
 */
public final class PairFailover implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(PairFailover.class);
  private static final Duration STEP = Duration.ofMillis(50);

  /** A process that did not run for so long knows nothing of what it did not hear meanwhile. */
  private static final long STOOD_STILL = 1_000_000_000L;

  private static final int ECHO_MILLIS = 400;

  /** A ping target counts as reached so long after its last answer. */
  private static final long REACHED = 1_500_000_000L;

  private static final Duration READING = Duration.ofSeconds(3);
  private static final Duration LOG = Duration.ofSeconds(10);
  private static final long WAITS = 5_000_000_000L;
  private static final long SAID_EVERY = 60_000_000_000L;

  private final String self;
  private final List<String> targets;
  private final ReplicatedLog raft;
  private final Surroundings here;
  private final PowerDevices power;
  private final Time time;
  private final LinkedBlockingQueue<TwoAlone.News> news = new LinkedBlockingQueue<>();
  private @Nullable Thread thread;
  private volatile String words = "";
  private volatile boolean closed;

  // of the one thread
  private State standing = TwoAlone.START;
  private @Nullable Evidence evidence;
  private @Nullable Thread fence;
  private long waitsSince;
  private volatile @Nullable Fenced fenced;

  /**
   * @param began of the readings
   */
  private record Fenced(
      HostId host,
      BootId boot,
      long began,
      boolean wasOff,
      Proof.PowerReadOff proof,
      TreeMap<String, Instant> times) {}

  /** What this voter knows besides its log and the power devices. */
  public interface Surroundings {
    ClusterState state();

    /** How long ago a voter last heard the host's agent. */
    Optional<Duration> lastHeard(HostId host);

    /** A sign of life later than a time, in words. */
    Optional<String> signOfLifeSince(HostId host, long since);

    /** Whether any of these addresses answers an echo; blocks for at most the time given. */
    boolean answers(List<String> addresses, int millis) throws InterruptedException;

    /** Whether this side is the one cut off, see {@link FailureDetector#surrendered}. */
    void surrendered(boolean now);

    /** The other host is proven off, by a reading that began then. */
    void proven(Proof proof, long began);

    /** The loop is to decide on this, if this voter leads. */
    CompletableFuture<?> ask(Event event);

    /** For the log. */
    void note(String what);

    /** A fault of ours, for the log. */
    void fault(String what, Exception fault);
  }

  /**
   * @param targets this side's own: gateway, switch, printer; never empty
   * @param time on whose clock the log, the devices and the surroundings count, too
   */
  public PairFailover(
      String self,
      List<String> targets,
      ReplicatedLog raft,
      Surroundings here,
      PowerDevices power,
      Time time) {
    this.self = self;
    this.targets = List.copyOf(targets);
    this.raft = raft;
    this.here = here;
    this.power = power;
    this.time = time;
    this.waitsSince = time.nanos();
  }

  /** On the machine's own clock, beside what hears the hosts. */
  public static PairFailover start(
      String self,
      List<String> targets,
      Supplier<ClusterState> state,
      ReplicatedLog raft,
      FailureDetector detector,
      PowerDevices power,
      BiConsumer<Proof, Long> readOff,
      Function<Event, CompletableFuture<?>> ask) {
    var here = new BesideDetector(state, detector, readOff, ask);
    var pairFailover = new PairFailover(self, targets, raft, here, power, Time.SYSTEM);
    pairFailover.start(Thread.ofPlatform().daemon());
    return pairFailover;
  }

  /** Begins, on a thread of this kind. */
  public void start(Thread.Builder threads) {
    thread = threads.name("alone").start(this::run);
  }

  private record BesideDetector(
      Supplier<ClusterState> its,
      FailureDetector detector,
      BiConsumer<Proof, Long> readOff,
      Function<Event, CompletableFuture<?>> loop)
      implements Surroundings {
    @Override
    public ClusterState state() {
      return its.get();
    }

    @Override
    public Optional<Duration> lastHeard(HostId host) {
      return detector.lastHeard(host);
    }

    @Override
    public Optional<String> signOfLifeSince(HostId host, long since) {
      return detector.signOfLifeSince(host, since);
    }

    @Override
    public boolean answers(List<String> addresses, int millis) throws InterruptedException {
      return Echo.answers(addresses, millis);
    }

    @Override
    public void surrendered(boolean now) {
      detector.surrendered(now);
    }

    @Override
    public void proven(Proof proof, long began) {
      readOff.accept(proof, began);
    }

    @Override
    public CompletableFuture<?> ask(Event event) {
      return loop.apply(event);
    }

    @Override
    public void note(String what) {
      log.info(what);
    }

    @Override
    public void fault(String what, Exception fault) {
      log.error(what, fault);
    }
  }

  /** What this side does about the other one, for people; empty while the two are together. */
  public String words() {
    return words;
  }

  private void run() {
    long last = time.nanos();
    long awakeSince = last;
    while (!closed) {
      try {
        var what = time.poll(news, STEP);
        long now = time.nanos();
        if (now - last > STOOD_STILL) {
          awakeSince = now;
        }
        last = now;
        what.ifPresent(w -> take(TwoAlone.decide(standing, w)));
        take(TwoAlone.decide(standing, seen(now, awakeSince)));
        sayWhatIsWaitedFor(now);
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        here.fault("a fault of ours; looked at again", e);
      }
    }
  }

  /** On the console, where both were off and one is back. */
  private void sayWhatIsWaitedFor(long now) {
    boolean waits =
        raft.leadership().leader().isEmpty()
            && raft.alone().other().isEmpty()
            && raft.members().voters().size() == 2;
    if (!waits) {
      waitsSince = now;
    } else if (now - waitsSince > WAITS) {
      waitsSince = now + SAID_EVERY - WAITS;
      log.warn(
          "this voter waits for the other one, which may have gone on without it while this host"
              + " was off; if it is gone for good: haven voter force-alone {}",
          self);
    }
  }

  private Optional<Host> otherHost(ClusterState s) {
    return raft.alone().other().flatMap(o -> s.host(new HostId(o.name())));
  }

  private TwoAlone.Seen seen(long now, long awakeSince) {
    var s = here.state();
    var other = raft.alone().other();
    var host = otherHost(s);
    var mine = new HostId(self);
    if (other.isEmpty()
        || host.isEmpty()
        || host.get().boot().isEmpty()
        || host.get().spec().fencing().isEmpty()
        || s.host(mine).isEmpty()
        || s.pause().isPresent()) {
      return new TwoAlone.Seen(
          now,
          false,
          now,
          now,
          awakeSince,
          targets.size(),
          OptionalInt.empty(),
          Event.Power.UNKNOWN,
          false,
          false,
          Duration.ZERO);
    }
    long voter = other.get().lastHeard();
    long agent =
        here.lastHeard(host.get().id())
            .map(ago -> now - ago.toNanos())
            .orElse(other.get().lastHeard());
    if (now - Math.max(voter, agent) < TwoAlone.SILENT.toNanos()) {
      forget();
    } else if (evidence == null) {
      evidence = new Evidence(host.get());
    }
    var known = evidence;
    return new TwoAlone.Seen(
        now,
        true,
        other.get().contact(),
        Math.max(voter, agent),
        awakeSince,
        targets.size(),
        known == null ? OptionalInt.empty() : known.reached(now),
        known == null ? Event.Power.UNKNOWN : known.power,
        priorities(s, mine) < priorities(s, host.get().id()),
        self.compareTo(other.get().name()) > 0,
        patience(s.policy(), host.get(), known));
  }

  private static Duration patience(Policy policy, Host host, @Nullable Evidence known) {
    if (known != null && known.kernel == Event.Echo.ANSWERS) {
      return policy.agentGoneAfter();
    }
    return host.spec().networks().size() > 1
        ? policy.silentAfter()
        : policy.silentAfterOneNetwork();
  }

  private static long priorities(ClusterState s, HostId host) {
    return s.leased(host).keySet().stream()
        .flatMap(what -> what instanceof GuestId g ? s.guest(g).stream() : Stream.empty())
        .mapToLong(g -> g.spec().priority())
        .sum();
  }

  private void forget() {
    if (evidence != null) {
      evidence.stop();
      evidence = null;
    }
  }

  private void take(TwoAlone.Step step) {
    var before = standing;
    standing = step.next();
    here.surrendered(standing instanceof State.Surrendered);
    if (!before.getClass().equals(standing.getClass())) {
      here.note(
          standing.getClass().getSimpleName()
              + ": "
              + (step.why().isEmpty()
                  ? "the other side is heard, or is not one of two"
                  : step.why()));
    }
    words = step.why();
    switch (step.act()) {
      case NOTHING -> {}
      case DROP_FENCE -> dropFence();
      case FENCE -> {
        dropFence();
        boolean wasOff = standing instanceof State.Fencing f && f.wasOff();
        var known = evidence;
        var host = otherHost(here.state());
        if (host.isPresent() && known != null) {
          fence = time.threads().name("fence-alone").start(() -> fence(host.get(), wasOff, known));
        } else {
          news.add(new TwoAlone.FenceFailed(time.nanos(), "it is no host"));
        }
      }
      case SHRINK -> time.threads().name("shrink").start(this::shrink);
    }
  }

  private void dropFence() {
    if (fence != null) {
      fence.interrupt();
      fence = null;
    }
  }

  /** Only after the log has it on the disk. */
  private void fence(Host host, boolean wasOff, Evidence known) {
    try {
      var name = host.id().value();
      await(raft.alone().intend(name));
      var decided = time.instant();
      var lastHeard = here.lastHeard(host.id()).map(decided::minus);
      switch (power.cut(
          host.id(), host.spec(), PowerDevices.others(here.state(), host.id()), TwoAlone.FENCE)) {
        case Cut.Failed failed ->
            news.add(
                new TwoAlone.FenceFailed(
                    time.nanos(), failed.reason(), failed.saidOff().isPresent()));
        case Cut.Poisoned poisoned ->
            news.add(
                new TwoAlone.FenceFailed(
                    time.nanos(),
                    "a poison pill on %s is no proof between two voters alone"
                        .formatted(poisoned.pill().disks())));
        case Cut.Off off -> {
          var times = new TreeMap<String, Instant>(off.times());
          times.put("fence-begun", decided);
          lastHeard.ifPresent(at -> times.put("last-heard", at));
          var boot = host.boot().orElseThrow();
          var proof = new Proof.PowerReadOff(host.id(), boot, off.readings(), time.instant());
          var against = against(host, known, off);
          if (against.isPresent()) {
            news.add(against.get());
            return;
          }
          fenced = new Fenced(host.id(), boot, off.began(), wasOff, proof, times);
          news.add(new TwoAlone.FenceConfirmed(time.nanos()));
        }
      }
    } catch (InterruptedException e) {
      here.note("the fence is dropped");
    } catch (ExecutionException e) {
      news.add(new TwoAlone.FenceFailed(time.nanos(), why(e)));
    } catch (TimeoutException | RuntimeException e) {
      here.fault("fencing host " + host.id(), e);
      news.add(new TwoAlone.FenceFailed(time.nanos(), "a fault of ours: " + e));
    }
  }

  /** Why its device's word does not count; empty if it does. */
  private Optional<TwoAlone.FenceFailed> against(Host host, Evidence known, Cut.Off off) {
    var strange = off.unidentified().stream().filter(d -> !host.seenToCut(d)).toList();
    if (!strange.isEmpty()) {
      return Optional.of(
          new TwoAlone.FenceFailed(
              time.nanos(),
              "%s says off, but nothing shows that it is this host's"
                  .formatted(String.join(" and ", strange)),
              true));
    }
    return here.signOfLifeSince(host.id(), off.began())
        .or(() -> known.signOfLifeSince(off.began()))
        .map(sign -> new TwoAlone.FenceFailed(time.nanos(), "its device says off, but " + sign));
  }

  private <T> void await(CompletableFuture<T> answer)
      throws InterruptedException, ExecutionException, TimeoutException {
    var done = new LinkedBlockingQueue<CompletableFuture<T>>(1);
    answer.whenComplete((_, _) -> done.add(answer));
    if (time.poll(done, LOG).isEmpty()) {
      throw new TimeoutException();
    }
    answer.get();
  }

  private static String why(ExecutionException e) {
    var cause = e.getCause();
    return String.valueOf(cause == null ? e.getMessage() : cause.getMessage());
  }

  private void shrink() {
    var proven = fenced;
    if (proven == null) {
      news.add(new TwoAlone.ShrinkRefused(time.nanos(), "the proof is gone"));
      return;
    }
    try {
      await(raft.alone().goOnAlone(proven.host().value(), proven.began()));
      news.add(new TwoAlone.Shrunk(time.nanos()));
      bringProof(proven);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      news.add(new TwoAlone.ShrinkRefused(time.nanos(), why(e)));
    } catch (TimeoutException e) {
      // it may be on the disk: then the log says that there is no other one any more
      news.add(new TwoAlone.ShrinkRefused(time.nanos(), "the log has not answered"));
    }
  }

  /** Until it is decided on; should this process end before, the host is fenced once more. */
  private void bringProof(Fenced proven) throws InterruptedException {
    here.proven(proven.proof(), proven.began());
    while (!closed) {
      var host = here.state().host(proven.host());
      if (host.isEmpty()
          || host.get().state() instanceof HostState.Fenced
          || !host.get().boot().equals(Optional.of(proven.boot()))) {
        return;
      }
      if (raft.leadership().ready()) {
        try {
          await(
              here.ask(
                  new Event.FencedAlone(
                      proven.host(),
                      proven.boot(),
                      proven.wasOff(),
                      proven.proof(),
                      here.signOfLifeSince(proven.host(), proven.began()).orElse(""),
                      proven.times(),
                      time.instant())));
          return;
        } catch (ExecutionException | TimeoutException e) {
          here.note("the proof was not decided on yet: " + e);
        }
      }
      time.sleep(Duration.ofMillis(10));
    }
  }

  @Override
  public void close() {
    closed = true;
    if (thread != null) {
      thread.interrupt();
    }
  }

  /** What is found out while the other one is unheard. */
  private final class Evidence {
    private final long begun = time.nanos();
    private final Map<String, Long> answered = new ConcurrentHashMap<>();
    private volatile Event.Power power = Event.Power.UNKNOWN;
    private volatile Event.Echo kernel = Event.Echo.UNKNOWN;
    private volatile long lastEcho = begun;
    private volatile boolean stopped;

    Evidence(Host host) {
      for (var target : targets) {
        time.threads().name("ping-" + target).start(() -> ping(target));
      }
      time.threads().name("power-" + host.id()).start(() -> readPower(host));
      time.threads().name("echo-" + host.id()).start(() -> askKernel(host));
    }

    void stop() {
      stopped = true;
    }

    Optional<String> signOfLifeSince(long since) {
      return lastEcho - since > 0 ? Optional.of("its kernel answers") : Optional.empty();
    }

    /** Empty until each target has answered or had its time. */
    OptionalInt reached(long now) {
      long reached = answered.values().stream().filter(at -> now - at < REACHED).count();
      return reached == targets.size() || now - begun >= REACHED
          ? OptionalInt.of((int) reached)
          : OptionalInt.empty();
    }

    private void ping(String target) {
      try {
        while (!stopped && !closed) {
          if (here.answers(List.of(target), ECHO_MILLIS)) {
            answered.put(target, time.nanos());
            time.sleep(Duration.ofMillis(100));
          }
          time.sleep(Duration.ofMillis(50));
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void readPower(Host host) {
      try {
        while (!stopped && !closed) {
          power = PairFailover.this.power.look(host.id(), host.spec(), READING).says();
          time.sleep(Duration.ofMillis(200));
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void askKernel(Host host) {
      var addresses = host.spec().networks().stream().map(Network::address).toList();
      try {
        while (!stopped && !closed) {
          long asked = time.nanos();
          boolean answers = here.answers(addresses, ECHO_MILLIS);
          if (answers) {
            lastEcho = asked;
          }
          kernel = answers ? Event.Echo.ANSWERS : Event.Echo.SILENT;
          time.sleep(Duration.ofMillis(100));
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
