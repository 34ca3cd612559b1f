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
import dev.haven.orchestrator.alone.TwoAlone.State;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.orchestrator.vigil.Echo;
import dev.haven.orchestrator.vigil.Vigil;
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
import java.util.concurrent.TimeUnit;
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
public final class Outliving implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Outliving.class);
  private static final long STEP_MILLIS = 50;

  /** A process that did not run for so long knows nothing of what it did not hear meanwhile. */
  private static final long STOOD_STILL = 1_000_000_000L;

  private static final int ECHO_MILLIS = 400;

  /** A ping target counts as reached so long after its last answer. */
  private static final long REACHED = 1_500_000_000L;

  private static final Duration READING = Duration.ofSeconds(3);
  private static final long LOG_SECONDS = 10;
  private static final long WAITS = 5_000_000_000L;
  private static final long SAID_EVERY = 60_000_000_000L;

  private final String self;
  private final List<String> targets;
  private final Supplier<ClusterState> state;
  private final ReplicatedLog raft;
  private final Vigil vigil;
  private final PowerDevices power;
  private final BiConsumer<Proof, Long> readOff;
  private final Function<Event, CompletableFuture<?>> ask;
  private final LinkedBlockingQueue<TwoAlone.News> news = new LinkedBlockingQueue<>();
  private final Thread thread;
  private volatile String words = "";
  private volatile boolean closed;

  // of the one thread
  private State standing = TwoAlone.START;
  private @Nullable Evidence evidence;
  private @Nullable Thread fence;
  private long waitsSince = System.nanoTime();
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

  /**
   * @param targets this side's own: gateway, switch, printer; never empty
   * @param readOff hears of the proof, and when its reading began
   * @param ask has the loop decide on an event, if this voter leads
   */
  public Outliving(
      String self,
      List<String> targets,
      Supplier<ClusterState> state,
      ReplicatedLog raft,
      Vigil vigil,
      PowerDevices power,
      BiConsumer<Proof, Long> readOff,
      Function<Event, CompletableFuture<?>> ask) {
    this.self = self;
    this.targets = List.copyOf(targets);
    this.state = state;
    this.raft = raft;
    this.vigil = vigil;
    this.power = power;
    this.readOff = readOff;
    this.ask = ask;
    this.thread = Thread.ofPlatform().daemon().name("alone").start(this::run);
  }

  /** What this side does about the other one, for people; empty while the two are together. */
  public String words() {
    return words;
  }

  private void run() {
    long last = System.nanoTime();
    long awakeSince = last;
    while (!closed) {
      try {
        var what = news.poll(STEP_MILLIS, TimeUnit.MILLISECONDS);
        long now = System.nanoTime();
        if (now - last > STOOD_STILL) {
          awakeSince = now;
        }
        last = now;
        if (what != null) {
          take(TwoAlone.decide(standing, what));
        }
        take(TwoAlone.decide(standing, seen(now, awakeSince)));
        sayWhatIsWaitedFor(now);
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        log.error("a fault of ours; looked at again", e);
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
    var s = state.get();
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
        vigil
            .lastHeard(host.get().id())
            .map(ago -> now - ago.toNanos())
            .orElse(other.get().lastHeard());
    if (now - Math.max(voter, agent) < TwoAlone.SILENT.toNanos()) {
      forget();
    } else if (evidence == null) {
      evidence = new Evidence(host.get());
    }
    var known = evidence;
    var policy = s.policy();
    var patience =
        known != null && known.kernel == Event.Echo.ANSWERS
            ? policy.agentGoneAfter()
            : host.get().spec().networks().size() > 1
                ? policy.silentAfter()
                : policy.silentAfterOneNetwork();
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
        patience);
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
    vigil.surrendered(standing instanceof State.Surrendered);
    if (!before.getClass().equals(standing.getClass())) {
      log.info(
          "{}: {}",
          standing.getClass().getSimpleName(),
          step.why().isEmpty() ? "the other side is heard, or is not one of two" : step.why());
    }
    words = step.why();
    switch (step.act()) {
      case NOTHING -> {}
      case DROP_FENCE -> dropFence();
      case FENCE -> {
        dropFence();
        boolean wasOff = standing instanceof State.Fencing f && f.wasOff();
        var known = evidence;
        var host = otherHost(state.get());
        if (host.isPresent() && known != null) {
          fence =
              Thread.ofVirtual().name("fence-alone").start(() -> fence(host.get(), wasOff, known));
        } else {
          news.add(new TwoAlone.FenceFailed(System.nanoTime(), "it is no host"));
        }
      }
      case SHRINK -> Thread.ofVirtual().name("shrink").start(this::shrink);
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
      raft.alone().intend(name).get(LOG_SECONDS, TimeUnit.SECONDS);
      var decided = Instant.now();
      var lastHeard = vigil.lastHeard(host.id()).map(decided::minus);
      switch (power.cut(
          host.id(), host.spec(), PowerDevices.others(state.get(), host.id()), TwoAlone.FENCE)) {
        case Cut.Failed failed ->
            news.add(
                new TwoAlone.FenceFailed(
                    System.nanoTime(), failed.reason(), failed.saidOff().isPresent()));
        case Cut.Poisoned poisoned ->
            news.add(
                new TwoAlone.FenceFailed(
                    System.nanoTime(),
                    "a poison pill on %s is no proof between two voters alone"
                        .formatted(poisoned.pill().disks())));
        case Cut.Off off -> {
          var strange = off.unidentified().stream().filter(d -> !host.seenToCut(d)).toList();
          if (!strange.isEmpty()) {
            news.add(
                new TwoAlone.FenceFailed(
                    System.nanoTime(),
                    "%s says off, but nothing shows that it is this host's"
                        .formatted(String.join(" and ", strange)),
                    true));
            return;
          }
          var times = new TreeMap<String, Instant>(off.times());
          times.put("fence-begun", decided);
          lastHeard.ifPresent(at -> times.put("last-heard", at));
          var boot = host.boot().orElseThrow();
          var proof = new Proof.PowerReadOff(host.id(), boot, off.readings(), Instant.now());
          var contradiction =
              vigil
                  .signOfLifeSince(host.id(), off.began())
                  .or(() -> known.signOfLifeSince(off.began()));
          if (contradiction.isPresent()) {
            news.add(
                new TwoAlone.FenceFailed(
                    System.nanoTime(), "its device says off, but " + contradiction.get()));
            return;
          }
          fenced = new Fenced(host.id(), boot, off.began(), wasOff, proof, times);
          news.add(new TwoAlone.FenceConfirmed(System.nanoTime()));
        }
      }
    } catch (InterruptedException e) {
      log.info("the fence is dropped");
    } catch (ExecutionException e) {
      news.add(new TwoAlone.FenceFailed(System.nanoTime(), why(e)));
    } catch (TimeoutException | RuntimeException e) {
      log.error("fencing host {}", host.id(), e);
      news.add(new TwoAlone.FenceFailed(System.nanoTime(), "a fault of ours: " + e));
    }
  }

  private static String why(ExecutionException e) {
    var cause = e.getCause();
    return String.valueOf(cause == null ? e.getMessage() : cause.getMessage());
  }

  private void shrink() {
    var proven = fenced;
    if (proven == null) {
      news.add(new TwoAlone.ShrinkRefused(System.nanoTime(), "the proof is gone"));
      return;
    }
    try {
      raft.alone()
          .goOnAlone(proven.host().value(), proven.began())
          .get(LOG_SECONDS, TimeUnit.SECONDS);
      news.add(new TwoAlone.Shrunk(System.nanoTime()));
      bringProof(proven);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException e) {
      news.add(new TwoAlone.ShrinkRefused(System.nanoTime(), why(e)));
    } catch (TimeoutException e) {
      // it may be on the disk: then the log says that there is no other one any more
      news.add(new TwoAlone.ShrinkRefused(System.nanoTime(), "the log has not answered"));
    }
  }

  /** Until it is decided on; should this process end before, the host is fenced once more. */
  private void bringProof(Fenced proven) throws InterruptedException {
    readOff.accept(proven.proof(), proven.began());
    while (!closed) {
      var host = state.get().host(proven.host());
      if (host.isEmpty()
          || host.get().state() instanceof HostState.Fenced
          || !host.get().boot().equals(Optional.of(proven.boot()))) {
        return;
      }
      if (raft.leadership().ready()) {
        try {
          ask.apply(
                  new Event.FencedAlone(
                      proven.host(),
                      proven.boot(),
                      proven.wasOff(),
                      proven.proof(),
                      vigil.signOfLifeSince(proven.host(), proven.began()).orElse(""),
                      proven.times(),
                      Instant.now()))
              .get(LOG_SECONDS, TimeUnit.SECONDS);
          return;
        } catch (ExecutionException | TimeoutException e) {
          log.info("the proof was not decided on yet: {}", e.toString());
        }
      }
      Thread.sleep(10);
    }
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }

  /** What is found out while the other one is unheard. */
  private final class Evidence {
    private final long begun = System.nanoTime();
    private final Map<String, Long> answered = new ConcurrentHashMap<>();
    private volatile Event.Power power = Event.Power.UNKNOWN;
    private volatile Event.Echo kernel = Event.Echo.UNKNOWN;
    private volatile long lastEcho = begun;
    private volatile boolean stopped;

    Evidence(Host host) {
      for (var target : targets) {
        Thread.ofVirtual().name("ping-" + target).start(() -> ping(target));
      }
      Thread.ofVirtual().name("power-" + host.id()).start(() -> readPower(host));
      Thread.ofVirtual().name("echo-" + host.id()).start(() -> askKernel(host));
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
          if (Echo.answers(List.of(target), ECHO_MILLIS)) {
            answered.put(target, System.nanoTime());
            Thread.sleep(100);
          }
          Thread.sleep(50);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void readPower(Host host) {
      try {
        while (!stopped && !closed) {
          power = Outliving.this.power.look(host.id(), host.spec(), READING).says();
          Thread.sleep(200);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }

    private void askKernel(Host host) {
      var addresses = host.spec().networks().stream().map(Network::address).toList();
      try {
        while (!stopped && !closed) {
          long asked = System.nanoTime();
          boolean answers = Echo.answers(addresses, ECHO_MILLIS);
          if (answers) {
            lastEcho = asked;
          }
          kernel = answers ? Event.Echo.ANSWERS : Event.Echo.SILENT;
          Thread.sleep(100);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
