package dev.haven.orchestrator.detect;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.lead.Standing;
import dev.haven.core.lead.Watch;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.raft.port.ReplicatedLog.Leadership;
import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs the {@link Watch} of this voter: the sockets, threads and clock around its rules. What the
 * watch finds goes to the loop, as {@link Event.HostSilent}, {@link Event.HostHeard} and others.
 */
public final class FailureDetector implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(FailureDetector.class);

  private static final long STEP_NANOS = 20_000_000L;
  private static final long DIGEST_NANOS = 100_000_000L;
  private static final long ERRORS_NANOS = 200_000_000L;

  private static final long ECHOES_TOLD_NANOS = 1_000_000_000L;

  private final String self;
  private final Supplier<ClusterState> state;
  private final Supplier<Leadership> leadership;
  private final Supplier<List<String>> voters;
  private final Consumer<Event> events;
  private final Watch watch;
  private final BeatKeys keys;
  private final VoterTalk talk;
  private final Questions questions;
  private final HeartbeatListener listener;
  private final ReceiveErrors errors;
  private boolean deaf;
  private final Thread watcher;
  private volatile boolean closed;
  private volatile boolean surrendered;

  /**
   * @param addresses this voter's own address in each network
   * @param quorumRound when this leader last sent a round that a majority answered
   * @param voters the names of all voters, this one too
   * @param events where to tell what was found; must not block
   * @param opener the key of an agent's heartbeats in Base64, from what stands in the log; empty if
   *     this voter cannot open it
   */
  public FailureDetector(
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

  FailureDetector(
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
      Questions.Kernels kernels)
      throws IOException {
    this.self = self;
    this.state = state;
    this.leadership = leadership;
    this.voters = voters;
    this.events = events;
    this.watch = new Watch(self, new Here(quorumRound), System.nanoTime());
    this.keys = new BeatKeys(opener);
    this.questions = new Questions(watch, state, kernels, power, events);
    this.talk = new VoterTalk(self, watch, bus);
    this.listener = new HeartbeatListener(addresses, port, new Beats());
    this.errors = new ReceiveErrors(port);
    this.watcher = Thread.ofPlatform().daemon().name("failure-detector").start(this::run);
    this.questions.begin();
  }

  private final class Here implements Watch.Voter {
    private final Supplier<OptionalLong> quorumRound;

    Here(Supplier<OptionalLong> quorumRound) {
      this.quorumRound = quorumRound;
    }

    @Override
    public ClusterState state() {
      return state.get();
    }

    @Override
    public List<String> voters() {
      return voters.get();
    }

    @Override
    public boolean leads() {
      return leadership.get().ready();
    }

    @Override
    public OptionalLong quorumRound() {
      return quorumRound.get();
    }
  }

  private final class Beats implements HeartbeatListener.World {
    @Override
    public Optional<byte[]> key(HostId host, BootId boot, ProcessId process) {
      return keys.key(state.get(), host, boot, process);
    }

    @Override
    public void heard(Heartbeat beat, long nanos) {
      watch.heard(beat, nanos, Instant.now()).ifPresent(events);
    }

    @Override
    public HeartbeatAnswer answer(Heartbeat beat, boolean fresh) {
      var l = leadership.get();
      var granted = fresh ? watch.grant(beat, System.nanoTime()) : Optional.<Watch.Granted>empty();
      return new HeartbeatAnswer(
          self,
          l.term(),
          l.leader(),
          granted.map(g -> g.beat().sequence()).orElse(beat.sequence()),
          granted.map(g -> g.beat().sentNanos()).orElse(beat.sentNanos()),
          granted.map(Watch.Granted::lease),
          surrendered && beat.host().value().equals(self),
          0);
    }
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
    talk.tells(own, sealedWith);
  }

  private void run() {
    long nextDigest = System.nanoTime();
    long nextErrors = nextDigest;
    long nextEchoes = nextDigest;
    while (!closed) {
      try {
        long now = System.nanoTime();
        var s = state.get();
        boolean counted = watch.counts();
        watch.step(s.hosts(), now);
        if (now - nextErrors >= 0) {
          nextErrors = now + ERRORS_NANOS;
          lookAtErrors(now);
        }
        if (counted != watch.counts()) {
          log.info(
              counted
                  ? "hears no quorum of voters: its silences do not count"
                  : "hears a quorum of voters");
        }
        if (now - nextDigest >= 0) {
          nextDigest = now + DIGEST_NANOS;
          talk.tellAges(s, now);
        }
        if (now - nextEchoes >= 0) {
          nextEchoes = now + ECHOES_TOLD_NANOS;
          talk.tellEchoes(s, now);
          if (leadership.get().ready()) {
            talk.look(s, voters.get(), now).forEach(events);
          }
        }
        var found = watch.look(s.hosts(), now, Instant.now());
        found.events().forEach(events);
        found.begun().forEach(questions::askKernel);
        found.devices().forEach(questions::askDevices);
        Thread.sleep(Duration.ofNanos(STEP_NANOS));
      } catch (InterruptedException e) {
        return;
      } catch (RuntimeException e) {
        log.error("the failure detector threw an exception, and goes on", e);
      }
    }
  }

  /** While heartbeats are lost here, what is not heard proves nothing: nobody is fenced for it. */
  private void lookAtErrors(long now) {
    boolean grow = errors.grow(listener.heard());
    if (grow || keys.cannotCheck(state.get())) {
      watch.deaf(now);
    }
    if (deaf != watch.deafAt(now)) {
      deaf = !deaf;
      log.warn(
          deaf
              ? "this voter loses heartbeats: nobody is taken for" + " silent meanwhile"
              : "this voter loses no more heartbeats");
    }
  }

  /** What is known and decided here of who is silent. */
  public Watch watch() {
    return watch;
  }

  /** The voters that this one hears. */
  public Event.Quorum quorum() {
    return watch.quorum(System.nanoTime());
  }

  /** See {@link Watch#signOfLifeSince}. */
  public Optional<String> signOfLifeSince(HostId host, long since) {
    return watch.signOfLifeSince(host, since, System.nanoTime());
  }

  /** How long ago any voter last heard the host. */
  public Optional<Duration> lastHeard(HostId host) {
    return watch.lastHeard(host, System.nanoTime());
  }

  /**
   * What is known of a host that an operator declares dead; asks its kernel and its devices now,
   * side by side.
   */
  public Event.Outlook outlook(Host host) throws InterruptedException {
    return questions.outlook(host);
  }

  @Override
  public void close() {
    closed = true;
    questions.close();
    watcher.interrupt();
    listener.close();
  }
}
