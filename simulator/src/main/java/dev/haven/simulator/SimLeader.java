package dev.haven.simulator;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Entry;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Guard;
import dev.haven.core.ha.HaPolicy;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Proof;
import dev.haven.core.ha.Vacancy;
import dev.haven.core.lead.AgentTalk;
import dev.haven.core.lead.Leader;
import dev.haven.core.lead.LeasedLists;
import dev.haven.core.lead.Leases;
import dev.haven.core.lead.ProofTimes;
import dev.haven.core.lead.Unconnected;
import dev.haven.core.lead.VoterClocks;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.ToAgent;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One term of one voter as leader, in simulated time: the queue, the log, the connections and the
 * clock around the classes of the core, which decide all. A voter may go on with it after another
 * was elected, until it notices.
 */
final class SimLeader implements dev.haven.core.lead.World {
  private static final long COMMIT_NANOS = 10_000_000_000L;
  private static final long QUEUE = 50_000;

  /** Of the writes that are slow, those for which the leader does not wait to the end. */
  private static final double STUCK = 0.05;

  /** A hello that is held is judged again after this. */
  private static final long HELD_NANOS = 650_000_000L;

  /** An agent that is not taken in by then tries elsewhere. */
  private static final long HELLO_NANOS = 5_000_000_000L;

  final SimVoter voter;
  final long term;
  boolean active = true;
  long majoritySeen;
  private final World world;
  private final Clock clock;
  private final ArrayDeque<Item> queue = new ArrayDeque<>();
  private boolean busy;

  /** Proposed and not committed, in the order of the log. */
  private final ArrayDeque<Pending> inFlight = new ArrayDeque<>();

  /** The one that is waited for. */
  private @Nullable Pending awaited;

  private final AgentTalk talk;
  private final Unconnected unconnected = new Unconnected();
  private final Map<HostId, Connection> connections = new TreeMap<>();
  private final Leases leases;
  private final Leader leader;

  /** The last tick found nothing to do, and nothing was decided since. */
  private boolean idle;

  /**
   * @param done with the decision; empty if there was none, or nobody knows
   */
  private record Item(Event event, Consumer<Optional<Decision>> done) {}

  /**
   * An entry on its way.
   *
   * @param reached whether it stands in the log of another voter too
   */
  private record Pending(Item item, Leader.Step.Propose step, boolean reached, long since) {}

  /** An agent that is connected; what it could not be sent waits until it can be reached. */
  private static final class Connection {
    final SimAgent agent;
    final BootId boot;
    ToAgent.@Nullable Leased waits;

    Connection(SimAgent agent, BootId boot) {
      this.agent = agent;
      this.boot = boot;
    }

    SimAgent agent() {
      return agent;
    }

    BootId boot() {
      return boot;
    }
  }

  SimLeader(SimVoter voter, long term) {
    this.voter = voter;
    this.term = term;
    this.world = voter.world;
    this.clock = world.clock;
    talk = new AgentTalk(voter.watch, voter::state, new Links());
    talk.elected(term);
    this.majoritySeen = voter.nanos();
    leases = voter.watch.leases();
    voter.watch.elected(voter.nanos());
    leader = new Leader(this, HaPolicy::decide);
    post(leader.elected(term, 1));
    clock.againAfterMillis(1_000, this::tick);
    clock.againAfterMillis(Unconnected.EVERY.toMillis(), this::checkAgents);
  }

  /** It does not lead any more. What is under way is let go; nothing is undone. */
  void end(String why) {
    if (!active) {
      return;
    }
    active = false;
    world.log("leader", voter.name() + " leads no more in term " + term + ": " + why);
    leader.deposed();
    voter.cuts.dropAll();
    queue.clear();
    talk.deposed();
    connections.clear();
    world.floating.addAll(abandon());
    if (voter.leading == this) {
      voter.leading = null;
      voter.watch.deposed();
    }
  }

  /** By the voter's own wall clock. */
  @Override
  public Instant instant() {
    return voter.instant();
  }

  private boolean works() {
    return active && voter.runs();
  }

  private void later(double millis, Runnable what) {
    clock.afterMillis(
        millis,
        () -> {
          if (active && voter.up && voter.machine.power && !voter.runs()) {
            later(50, what); // a stopped process goes on where it was
          } else if (works()) {
            what.run();
          }
        });
  }

  private void tick() {
    if (!active) {
      return;
    }
    if (voter.runs()) {
      giveUp();
      leader.tick();
      pump();
    }
    clock.againAfterMillis(1_000, this::tick);
  }

  private void checkAgents() {
    if (!active) {
      return;
    }
    if (voter.runs()) {
      unconnected
          .look(voter.state, connections::containsKey, voter.watch, voter.nanos(), instant())
          .forEach(this::post);
    }
    clock.againAfterMillis(Unconnected.EVERY.toMillis(), this::checkAgents);
  }

  void post(Event event) {
    ask(event, _ -> {});
  }

  void ask(Event event, Consumer<Optional<Decision>> done) {
    if (active && queue.size() < QUEUE) {
      queue.add(new Item(event, done));
      pump();
    }
  }

  void pump() {
    while (works() && !busy) {
      var next = leader.next();
      if (next.isPresent()) {
        handle(new Item(next.get(), _ -> {}));
      } else if (queue.isEmpty()) {
        return;
      } else {
        handle(queue.poll());
      }
    }
  }

  private void handle(Item item) {
    world.steps++;
    proceed(item, leader.take(item.event()));
  }

  private void proceed(Item item, Leader.Step step) {
    switch (step) {
      case Leader.Step.Propose p -> propose(item, p);
      case Leader.Step.Done d -> {
        noteIdle(item, d.decision());
        item.done().accept(Optional.of(d.decision()));
      }
      case Leader.Step.NotDecided _ -> item.done().accept(Optional.empty());
    }
  }

  private void noteIdle(Item item, Decision decision) {
    boolean nothing = decision.changes().isEmpty() && decision.actions().isEmpty();
    idle = nothing && (idle || item.event() instanceof Event.Tick);
  }

  private void propose(Item item, Leader.Step.Propose p) {
    noteIdle(item, p.decision());
    if (world.disksFull) {
      proceed(item, leader.refused(p, "no space is left"));
      return;
    }
    var decision = p.decision();
    boolean reached = world.voters.stream().anyMatch(v -> v != voter && voter.reaches(v));
    var pending = new Pending(item, p, reached, voter.nanos());
    busy = true;
    awaited = pending;
    inFlight.add(pending);
    boolean verdict =
        decision.changes().stream()
            .anyMatch(
                c ->
                    c instanceof Change.HostStateChanged h
                        && h.state() instanceof HostState.Fenced);
    decision.changes().forEach(this::moment);
    later(writes(verdict), () -> commit(pending));
  }

  /** How long a quorum takes to write an entry, in milliseconds. */
  private double writes(boolean verdict) {
    if (!world.sometimes(verdict ? world.chaos.slowVerdict() : world.chaos.slowCommit())) {
      return clock.between(1, 8);
    }
    return world.sometimes(STUCK) ? clock.between(8_000, 25_000) : clock.between(8, 2_500);
  }

  private void moment(Change change) {
    if (change instanceof Change.HostStateChanged c) {
      switch (c.state()) {
        case HostState.Fencing _ -> world.moment(Moment.FENCING_PROPOSED, c.host().value());
        case HostState.Fenced f ->
            world.moment(
                f.proof() instanceof Proof.BoundRunOut
                    ? Moment.BOUND_PROPOSED
                    : Moment.PROOF_PROPOSED,
                c.host().value());
        case HostState.Expected _, HostState.Online _, HostState.Suspect _ -> {}
      }
    }
  }

  private void commit(Pending pending) {
    if (world.term != term) {
      end("its log was refused");
    } else if (inFlight.peek() == pending && world.majority(voter)) {
      inFlight.remove();
      var p = pending.step();
      var outcome = world.apply(p.entry(), pending.item().event());
      heard(
          pending,
          switch (outcome) {
            case ClusterState.Outcome.Applied _ -> () -> leader.applied(p);
            case ClusterState.Outcome.Stale _ -> () -> leader.stale(p);
            case ClusterState.Outcome.Broken b -> () -> leader.broken(p, b.rule());
          });
    } else {
      later(50, () -> commit(pending));
    }
  }

  /** What the log says of an entry counts while somebody waits for it. */
  private void heard(Pending pending, Supplier<Leader.Step> said) {
    if (awaited == pending) {
      awaited = null;
      busy = false;
      proceed(pending.item(), said.get());
      pump();
    }
  }

  /** The log has not answered for too long; it may yet. */
  private void giveUp() {
    var pending = awaited;
    if (pending != null && voter.nanos() - pending.since() >= COMMIT_NANOS) {
      heard(pending, () -> leader.unknown(pending.step(), "no quorum has answered"));
    }
  }

  @Override
  public ClusterState state() {
    return voter.state;
  }

  @Override
  public long nanos() {
    return voter.nanos();
  }

  @Override
  public Leases leases() {
    return leases;
  }

  @Override
  public ProofTimes proofTimes() {
    return voter.proofTimes;
  }

  @Override
  public VoterClocks clocks() {
    return voter.clocks;
  }

  @Override
  public boolean outdated(Event event) {
    return voter.watch.outdated(event, voter.nanos());
  }

  @Override
  public void proposing(List<Change> changes) {
    world.calm.judged(changes);
  }

  @Override
  public void failed(Event event, RuntimeException fault) {
    world.violation("no decision on " + event + ": " + fault + " at " + fault.getStackTrace()[0]);
  }

  @Override
  public void start(Action action, long inTerm) {
    switch (action) {
      case Action.Send a -> talk.send(a, inTerm, voter.nanos());
      case Action.Start a -> {
        bringUpToDate(a.vacancy());
        talk.start(a, inTerm, voter.nanos(), instant());
      }
      case Action.Resume a -> {
        bringUpToDate(a.vacancy());
        talk.resume(a, inTerm, voter.nanos(), instant());
      }
      case Action.FenceHost a -> voter.cuts.fence(a);
      case Action.DropFence a -> voter.cuts.drop(a.host());
      case Action.TestWatchdog a -> {
        var to = connections.get(a.host());
        if (to != null && voter.machine.reaches(to.agent().host.machine, Machine.CONTROL)) {
          clock.afterMillis(world.delayMillis(), () -> to.agent().testWatchdog());
        }
      }
      case Action.PowerOn a -> voter.cuts.powerOn(a.host());
    }
  }

  private void bringUpToDate(Vacancy vacancy) {
    vacancy.proofs().forEach(p -> world.calm.bringUpToDate(world.host(p.host())));
  }

  /** The connections of agents, and what this leader hears of them. */
  private final class Links implements AgentTalk.Links {
    @Override
    public boolean send(HostId host, BootId boot, long number, long inTerm, Order order) {
      return SimLeader.this.send(host, boot, number, order);
    }

    @Override
    public void tell(LeasedLists.Telling telling) {
      SimLeader.this.tell(telling);
    }

    @Override
    public void found(Event event) {
      post(event);
    }
  }

  private boolean send(HostId host, BootId boot, long number, Order order) {
    var connection = connections.get(host);
    if (connection == null || !connection.boot().equals(boot)) {
      return false;
    }
    var to = connection.agent();
    if (voter.machine.reaches(to.host.machine, Machine.CONTROL)) {
      switch (order) {
        case Order.StartGuest _ -> world.moment(Moment.START_SENT, host.value());
        case Order.ResumeGuest _ -> world.moment(Moment.RESUME_SENT, host.value());
        case Order.MigrateOut _ -> world.moment(Moment.MIGRATION_SENT, host.value());
        case Order.StopGuest _,
            Order.ConfirmGone _,
            Order.Precheck _,
            Order.AbortMigration _,
            Order.PauseGuest _,
            Order.ForgetGuest _ -> {}
      }
      // from here on it arrives, even if the connection breaks meanwhile; late, or twice, too
      double stalls = to.host.stallMillis(to.host.stalledIn);
      clock.afterMillis(world.delayMillis() + stalls, () -> to.take(number, term, order));
      if (world.sometimes(world.chaos.twice())) {
        clock.afterMillis(
            clock.between(0, world.chaos.twiceMillis()), () -> to.take(number, term, order));
      }
    }
    return true;
  }

  /** Whether nothing is under way and ticks find nothing to do. */
  boolean idle() {
    return idle && !busy && queue.isEmpty() && works();
  }

  // leases

  /** A heartbeat has come: it is answered with a lease, if this leader may. */
  void grant(SimAgent agent, Heartbeat beat) {
    var granted = voter.watch.grant(beat, voter.nanos());
    if (!voter.machine.sends(agent.host.machine)) {
      return;
    }
    deliver(agent.host.id);
    double delay = world.delayMillis(); // the answer goes out, with a lease or without
    granted.ifPresent(
        g -> clock.afterMillis(delay, () -> agent.granted(term, g.beat().sequence(), g.lease())));
  }

  /**
   * The heartbeats of a calm host were answered, the last one then. That it was answered stands,
   * even where this leader has been deposed since.
   */
  void granted(SimAgent agent, long at) {
    var id = agent.host.id;
    long own = voter.own(at);
    var length =
        leases
            .grant(id, own - 1, OptionalLong.of(own), own, voter::state)
            .orElseGet(
                () ->
                    voter
                        .state()
                        .host(id)
                        .flatMap(Host::guard)
                        .orElse(Guard.NONE)
                        .leasing()
                        .granted());
    agent.answered(at, term, new HeartbeatAnswer.Lease(voter.watch.guests(id), length));
  }

  void applied(ClusterState before, ClusterState after) {
    talk.applied(before, after);
  }

  private void tell(LeasedLists.Telling t) {
    var to = connections.get(t.host());
    if (to != null && to.boot().equals(t.boot())) {
      to.waits = t.list();
      deliver(t.host());
    }
  }

  /** What waits on the host's connection arrives, if the host can be reached. */
  private void deliver(HostId id) {
    var to = connections.get(id);
    if (to == null || to.waits == null) {
      return;
    }
    var host = to.agent().host;
    var list = to.waits;
    if (voter.machine.reaches(host.machine, Machine.CONTROL)) {
      to.waits = null;
      clock.afterMillis(
          world.delayMillis() + host.stallMillis(host.stalledIn), () -> to.agent().take(list));
    }
  }

  // agents

  void hello(SimAgent agent) {
    var hello = agent.host.hello(agent.process);
    world.moment(Moment.HELLO_SENT, agent.host.id.value());
    if (world.chaos.any()) {
      agent.helloUntil = clock.nanos() + HELLO_NANOS;
      clock.afterMillis(world.delayMillis(), () -> answered(agent, hello));
    } else {
      hello(agent, hello);
    }
  }

  /** A hello counts once its agent has answered a question that was asked after it. */
  private void answered(SimAgent agent, FromAgent.Hello hello) {
    if (agent.host.agent == agent
        && agent.host.agentRuns()
        && agent.host.machine.reaches(voter.machine, Machine.CONTROL)) {
      hello(agent, hello);
    } else {
      agent.helloUntil = 0;
    }
  }

  private void hello(SimAgent agent, FromAgent.Hello hello) {
    agent.helloUntil = 0;
    if (!works()) {
      return;
    }
    if (held(hello)) {
      agent.helloUntil = clock.nanos() + 2 * HELD_NANOS;
      later(
          HELD_NANOS / 1e6,
          () -> {
            if (agent.leader == this && !connected(agent)) {
              answered(agent, hello);
            }
          });
      return;
    }
    left(agent.host.id); // its older connection, if any
    connections.put(agent.host.id, new Connection(agent, hello.boot()));
    world.calm.bringUpToDate(agent.host);
    ask(
        talk.greets(hello, voter.nanos(), instant()),
        decision -> {
          boolean takenIn = decision.isPresent() && talk.decided(hello);
          if (!takenIn && connected(agent)) {
            turnedAway(hello.host());
          }
        });
  }

  /** Whether a hello has to wait, as it may come from another machine than the host. */
  boolean held(FromAgent.Hello hello) {
    world.calm.bringUpToDate(world.host(hello.host()));
    return talk.held(hello, voter.nanos(), instant()).isPresent();
  }

  /** A hello of somebody who has no connection. */
  void decideOn(FromAgent.Hello hello) {
    world.calm.bringUpToDate(world.host(hello.host()));
    post(talk.joins(hello, voter.nanos(), instant()));
  }

  boolean connected(SimAgent agent) {
    var connection = connections.get(agent.host.id);
    return active && connection != null && connection.agent() == agent;
  }

  void said(SimAgent agent, BootId boot, FromAgent frame) {
    if (works() && connected(agent)) {
      talk.said(agent.host.id, boot, frame, instant());
    }
  }

  /** Its connection is closed; it tries again. */
  private void turnedAway(HostId host) {
    connections.remove(host);
    left(host);
  }

  private void left(HostId host) {
    talk.left(host);
  }

  /** Connections over which nothing came for too long are closed. */
  void dropDeadConnections() {
    connections
        .values()
        .removeIf(
            c -> {
              boolean dead =
                  c.agent().host.agent != c.agent()
                      || !c.agent().host.boot().equals(c.boot())
                      || (!voter.machine.reaches(c.agent().host.machine, Machine.CONTROL)
                          && c.agent().lostSince >= 0
                          && clock.nanos() - c.agent().lostSince > 3_000_000_000L);
              if (dead) {
                left(c.agent().host.id);
              }
              return dead;
            });
  }

  // failure detector

  /** Who is silent, and what is known about it. */
  void look() {
    if (!works()) {
      return;
    }
    voter.questions.look(voter.nanos()).forEach(this::post);
  }

  @Override
  public Event.Quorum quorum() {
    return voter.watch.quorum(voter.nanos());
  }

  /** A fence has ended, or was found not to be wanted. */
  void found(Event event) {
    if (event instanceof Event.FencingConfirmed e
        && world.sometimes(2 * world.chaos.lingers())) { // it waits in the queue meanwhile
      world.moment(Moment.PROOF_LINGERS, e.host().value());
      later(clock.between(0, world.chaos.lingersMillis()), () -> post(event));
    } else {
      post(event);
    }
  }

  /** So long the host may hold a lease, as this leader counts. */
  Duration leaseLeft(HostId id) {
    return leases.leaseLeft(id, voter.nanos());
  }

  /** How long ago any leader may last have granted a lease to the host, as this one counts. */
  long sinceGrant(HostId id) {
    return leases.sinceGrant(id, voter.nanos());
  }

  /**
   * What is known of a host that a person declares dead: its devices are asked now. Nothing comes
   * if this voter stops leading meanwhile.
   */
  void outlook(HostId id, Consumer<Event.Outlook> then) {
    var known = voter.state.host(id);
    if (known.isEmpty() || !world.hosts.containsKey(id)) {
      then.accept(Event.Outlook.NONE);
      return;
    }
    world.calm.bringUpToDate(world.host(id));
    voter.questions.outlook(
        known.get(),
        outlook -> {
          if (works()) {
            then.accept(outlook);
          }
        });
  }

  /** What it has proposed and not heard of; it may yet be in the next leader's log. */
  List<Entry> abandon() {
    var entries = inFlight.stream().filter(Pending::reached).map(p -> p.step().entry()).toList();
    inFlight.clear();
    awaited = null;
    return entries;
  }
}
