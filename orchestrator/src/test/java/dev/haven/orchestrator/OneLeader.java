package dev.haven.orchestrator;

import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.GuestPhase;
import dev.haven.core.ha.HostState;
import dev.haven.core.lead.Cut;
import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.DiskUse;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestDisk;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.Json;
import dev.haven.model.Network;
import dev.haven.model.ProcessId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.api.Views;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import dev.haven.orchestrator.detect.FailureDetector;
import dev.haven.orchestrator.port.HostAgents;
import dev.haven.orchestrator.port.PowerDevices;
import dev.haven.raft.port.ReplicatedLog;
import dev.haven.raft.port.StateMachine;
import dev.haven.raft.port.VoterBus;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * A leader as it ships: loop, state keeper, effects and detector. Its log commits at once, its
 * agents and devices are stand-ins, and the other voters say what a test tells them to.
 */
final class OneLeader implements AutoCloseable {
  /** Nobody has heard the older boot for a minute, and the newcomer has asked for as long. */
  static final Event.Newcomer OLDER_BOOT_IS_SILENT =
      new Event.Newcomer(Duration.ofMinutes(1), Optional.of(Duration.ofMinutes(1)), false);

  static final Function<ClusterState, Views.Tokens> NO_TOKENS =
      _ -> new Views.Tokens(Optional.empty(), List.of(), List.of());

  static final BootId BOOT = new BootId("boot-1");
  static final HostId A = new HostId("a");
  static final HostId B = new HostId("b");
  static final HostId C = new HostId("c");

  /** An order that has left. */
  record SentOrder(HostId to, Order order) {}

  final StateKeeper keeper = new StateKeeper();
  final MemoryLog log = new MemoryLog(keeper);
  final Agents agents = new Agents();
  final Devices devices = new Devices();
  final FailureDetector detector;
  final WorldEffects effects;
  final Loop loop;

  /** What it has told the other voters. */
  final BlockingQueue<String> told = new LinkedBlockingQueue<>(100);

  private volatile BiConsumer<String, byte[]> voters = (_, _) -> {};

  /** All voters, this one too. */
  volatile List<String> voterNames = List.of("v", "w", "y");

  private int request;

  OneLeader() throws IOException {
    this(dev.haven.core.ha.HaPolicy::decide);
  }

  /**
   * @param decider may fail, as a fault of ours would make it
   */
  OneLeader(dev.haven.core.lead.Decider decider) throws IOException {
    var bus =
        new VoterBus() {
          @Override
          public void broadcast(byte[] datagram) {
            told.offer(new String(datagram, java.nio.charset.StandardCharsets.UTF_8));
          }

          @Override
          public void onMessage(BiConsumer<String, byte[]> receiver) {
            voters = receiver;
          }
        };
    effects =
        new WorldEffects(keeper::state, List::of, devices, this::post, e -> loop().ask(e, false));
    loop = new Loop(log, effects, decider);
    detector =
        new FailureDetector(
            "v",
            Map.of(),
            0,
            keeper::state,
            log::leadership,
            log::lastQuorumRound,
            () -> voterNames,
            bus,
            devices,
            this::post,
            (_, agent) -> Optional.of(agent.heartbeatKey()));
    effects.connect(agents, detector);
    agents.answers = (host, frame) -> effects.said(host, BOOT, frame);
    keeper.onApplied(effects::applied);
  }

  private Loop loop() {
    return loop;
  }

  private void post(Event event) {
    if (loop != null) {
      loop.post(event);
    }
  }

  /** It is elected, and three hosts without guests join. */
  static OneLeader withThreeHosts() throws Exception {
    return withThreeHosts(dev.haven.core.ha.HaPolicy::decide);
  }

  static OneLeader withThreeHosts(dev.haven.core.lead.Decider decider) throws Exception {
    var leader = new OneLeader(decider);
    leader.loop.start();
    for (var host : List.of(A, B, C)) {
      leader.command(new Command.AddHost(spec(host)));
      leader.joins(host, BOOT);
    }
    return leader;
  }

  /** Its addresses are reserved, so nothing answers there. */
  static HostSpec spec(HostId id) {
    return new HostSpec(
        id,
        Optional.empty(),
        "qemu+tcp://" + id + "/system",
        List.of(
            new Network(
                "control",
                "240.0.0." + (id.value().charAt(0) - 'a' + 1),
                List.of(Network.Role.CONTROL))),
        List.of(List.of(new FencingDevice("bmc-" + id, "ipmi", Map.of()))),
        Map.of(),
        Optional.empty(),
        1024,
        4);
  }

  /** Decided, committed, and done what follows. */
  Decision happens(Event event) throws Exception {
    var decision = loop.ask(event, false).get(60, TimeUnit.SECONDS);
    allIsDone();
    return decision;
  }

  /** What the effects have told the loop meanwhile is decided too. */
  void allIsDone() throws Exception {
    for (int i = 0; i < 4; i++) {
      loop.ask(new Event.Tick(Instant.now()), true).get(60, TimeUnit.SECONDS);
    }
  }

  Decision command(Command command) throws Exception {
    return happens(
        new Event.CommandReceived(
            new RequestId("r" + request++), "admin", command, Event.Outlook.NONE, Instant.now()));
  }

  void joins(HostId host, BootId boot) throws Exception {
    joins(host, boot, new Capacity(65_536, 64, "test"));
  }

  /** Its agent says hello again, with these machine types. */
  void offers(HostId host, String... machines) throws Exception {
    joins(host, BOOT, new Capacity(65_536, 64, "test", Optional.of(List.of(machines))));
  }

  private void joins(HostId host, BootId boot, Capacity capacity) throws Exception {
    happens(
        new Event.AgentJoined(
            new FromAgent.Hello(
                1,
                host,
                boot,
                new ProcessId(host + "-" + boot),
                "a2V5",
                Optional.empty(),
                capacity,
                "1",
                0,
                Optional.empty(),
                true,
                List.of()),
            OLDER_BOOT_IS_SILENT,
            Instant.now()));
  }

  /** Guests that run on host a while the others take none. */
  void guestsOnA(int count) throws Exception {
    command(new Command.Cordon(B));
    command(new Command.Cordon(C));
    for (int i = 0; i < count; i++) {
      var id = new GuestId("g" + i);
      command(
          new Command.CreateGuest(
              new GuestSpec(
                  id,
                  "uuid-" + i,
                  512,
                  1,
                  0,
                  "<domain/>",
                  Map.of(),
                  List.of(),
                  GuestSpec.Restart.ANYWHERE,
                  3),
              true));
      var starting = (GuestPhase.Starting) state().guest(id).orElseThrow().phase();
      answers(
          A, new Order.StartGuest(id, starting.epoch(), "<domain/>"), new Answer.Done("started"));
    }
    agents.sent.clear();
  }

  void answers(HostId host, Order order, Answer answer) throws Exception {
    happens(new Event.OrderAnswered(host, BOOT, order, answer, Instant.now()));
  }

  /**
   * Its power is being cut, because nothing of it answers; the failure detector did not see that.
   */
  void isBeingFenced(HostId host) throws Exception {
    committed(
        new Change.HostStateChanged(
            host,
            new HostState.Fencing(1, HostState.Cause.UNREACHABLE, Instant.now(), "no answer")));
  }

  /** These changes are committed as they are. */
  void committed(Change... changes) throws Exception {
    StateKeeper.Result result;
    do { // the loop may commit something at the same time
      var entry =
          new Entry(Entry.FORMAT, state().version(), Instant.now(), List.of(changes), List.of());
      result = result(log.propose(Json.bytes(entry), 1));
    } while (result.answer() == StateKeeper.Answer.STALE);
    if (result.answer() != StateKeeper.Answer.APPLIED) {
      throw new AssertionError(result.detail());
    }
  }

  /** Another voter tells its digest. */
  void saysAsVoter(String voter, String digest) {
    voters.accept(voter, digest.getBytes());
  }

  /** Another voter has just heard the host. */
  void anotherVoterHears(HostId host) {
    voters.accept("w", ("{\"counts\":true,\"ages\":{\"" + host + "\":0}}").getBytes());
  }

  /** Both other voters say that they hear the host. */
  void otherVotersHear(HostId host) {
    for (var voter : List.of("w", "y")) {
      voters.accept(
          voter, ("{\"counts\":true,\"ages\":{\"" + host + "\":0},\"quietMillis\":{}}").getBytes());
    }
  }

  /** Another voter last heard the host so long ago. */
  void hostWasHeard(HostId host, java.time.Duration ago) {
    voters.accept(
        "w", ("{\"counts\":true,\"ages\":{\"" + host + "\":" + ago.toNanos() + "}}").getBytes());
  }

  ClusterState state() {
    return keeper.state();
  }

  List<GuestId> startsSentTo(HostId host) {
    return agents.sent.stream()
        .filter(s -> s.to().equals(host))
        .flatMap(
            s -> s.order() instanceof Order.StartGuest o ? Stream.of(o.guest()) : Stream.empty())
        .toList();
  }

  @Override
  public void close() {
    loop.close();
    detector.close();
  }

  /** Commits at once, alone. */
  static final class MemoryLog implements ReplicatedLog {
    private final StateKeeper keeper;
    private long index;
    volatile long term = 1;

    /** The next entry is applied, but whoever proposed it does not hear so. */
    volatile boolean losesTheNextAnswer;

    /** The other one of two, and when it was heard. */
    volatile Optional<Alone.Other> other = Optional.empty();

    /** Whom this voter takes for the leader. */
    volatile String leader = "v";

    volatile List<Member> voters = List.of();

    final List<VoterAddress> added = new CopyOnWriteArrayList<>();

    MemoryLog(StateKeeper keeper) {
      this.keeper = keeper;
    }

    @Override
    public synchronized CompletableFuture<byte[]> propose(byte[] command, long requiredTerm) {
      var answer = keeper.apply(++index, requiredTerm, command);
      if (losesTheNextAnswer) {
        losesTheNextAnswer = false;
        return CompletableFuture.failedFuture(new OutcomeUnknown("no quorum has answered"));
      }
      return CompletableFuture.completedFuture(answer);
    }

    @Override
    public Leadership leadership() {
      return new Leadership(term, Optional.of(leader), leader.equals("v"), leader.equals("v"));
    }

    @Override
    public OptionalLong lastQuorumRound() {
      return OptionalLong.empty();
    }

    @Override
    public Alone alone() {
      return new Alone() {
        @Override
        public long generation() {
          return 1;
        }

        @Override
        public List<String> absent() {
          return List.of();
        }

        @Override
        public Optional<Other> other() {
          return other;
        }

        @Override
        public CompletableFuture<Void> intend(String name) {
          return CompletableFuture.completedFuture(null);
        }

        @Override
        public CompletableFuture<Void> goOnAlone(String other, long unheardSince) {
          throw new UnsupportedOperationException();
        }

        @Override
        public CompletableFuture<Void> preview(StateMachine into) {
          throw new UnsupportedOperationException();
        }

        @Override
        public CompletableFuture<Void> force() {
          throw new UnsupportedOperationException();
        }
      };
    }

    @Override
    public CompletableFuture<Long> barrier() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void onLeadership(Consumer<Leadership> listener) {}

    @Override
    public CompletableFuture<Void> addVoter(VoterAddress voter) {
      added.add(voter);
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public CompletableFuture<Void> removeVoter(String name) {
      voters = voters.stream().filter(v -> !v.name().equals(name)).toList();
      return CompletableFuture.completedFuture(null);
    }

    @Override
    public Members members() {
      return new Members(voters, List.of());
    }

    @Override
    public VoterBus bus() {
      throw new UnsupportedOperationException();
    }

    @Override
    public Status status() {
      throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
  }

  /** All are connected; what they are sent is kept. */
  static final class Agents implements HostAgents {
    final List<SentOrder> sent = new CopyOnWriteArrayList<>();

    /** By which each is connected. */
    final Map<HostId, String> keys = new ConcurrentHashMap<>();

    @Override
    public Optional<String> keyOf(HostId host) {
      return Optional.ofNullable(keys.get(host));
    }

    final List<HostId> welcomed = new CopyOnWriteArrayList<>();
    final Map<HostId, String> turnedAway = new ConcurrentHashMap<>();

    /** What a disk is on every host; one that is not named here cannot be looked at. */
    final Map<String, DiskUse> behind = new ConcurrentHashMap<>();

    /** Answers about disks are kept in {@link #looks} until a test gives them. */
    volatile boolean looksSlowly;

    final List<Runnable> looks = new CopyOnWriteArrayList<>();

    private volatile BiConsumer<HostId, FromAgent> answers = (_, _) -> {};

    @Override
    public boolean lookAtDisks(HostId host, long question, List<GuestDisk> disks) {
      var seen =
          disks.stream()
              .map(d -> d.use().what())
              .filter(behind::containsKey)
              .map(what -> new FromAgent.DiskSeen(what, List.of(behind.get(what))))
              .toList();
      Runnable answer =
          () -> answers.accept(host, new FromAgent.DisksSeen(FromAgent.VERSION, question, seen));
      if (looksSlowly) {
        looks.add(answer);
      } else {
        answer.run();
      }
      return true;
    }

    @Override
    public boolean send(
        HostId host, BootId boot, long order, long term, long generation, Order what) {
      sent.add(new SentOrder(host, what));
      return true;
    }

    @Override
    public void leased(HostId host, BootId boot, ToAgent.Leased leased) {}

    @Override
    public void testWatchdog(HostId host, BootId boot, long term) {}

    @Override
    public boolean connected(HostId host) {
      return true;
    }

    @Override
    public void welcome(HostId host, long term, long generation) {
      welcomed.add(host);
    }

    @Override
    public void voters(HostId host, List<ToAgent.Voter> voters) {}

    @Override
    public void reject(HostId host, String reason) {
      turnedAway.put(host, reason);
    }

    @Override
    public void dismissAll() {}
  }

  /** They say on, and an order to switch off is never answered. */
  static final class Devices implements PowerDevices {
    final List<HostId> cut = new CopyOnWriteArrayList<>();

    /** Hosts whose devices are being checked, and how many checks may end. */
    final BlockingQueue<HostId> checked = new LinkedBlockingQueue<>();

    final Semaphore goOn = new Semaphore(0);

    @Override
    public List<String> mistakes(HostSpec spec) {
      return List.of();
    }

    @Override
    public Look look(HostId host, HostSpec spec, java.time.Duration within) {
      return new Look(Event.Power.ON, "its device says on");
    }

    @Override
    public Cut cut(
        HostId host, HostSpec spec, Map<String, String> others, java.time.Duration within)
        throws InterruptedException {
      cut.add(host);
      Thread.sleep(within);
      return new Cut.Failed("no answer");
    }

    @Override
    public String on(
        HostId host, HostSpec spec, Map<String, String> others, java.time.Duration within) {
      return "";
    }

    @Override
    public List<Health> check(
        HostId host, HostSpec spec, Map<String, String> others, java.time.Duration within)
        throws InterruptedException {
      checked.add(host);
      goOn.acquire();
      return new ArrayList<>();
    }
  }

  /** The answer to a proposal, as the loop reads it. */
  static StateKeeper.Result result(CompletableFuture<byte[]> proposed)
      throws ExecutionException, InterruptedException, TimeoutException {
    return Json.read(proposed.get(60, TimeUnit.SECONDS), StateKeeper.Result.class);
  }
}
