package dev.haven.core.ha;

import dev.haven.core.placement.Placement;
import dev.haven.model.AgentPing;
import dev.haven.model.Definition;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Reply;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import org.pcollections.HashTreePMap;
import org.pcollections.PMap;
import org.pcollections.PVector;
import org.pcollections.TreePMap;
import org.pcollections.TreePSet;
import org.pcollections.TreePVector;

/**
 * The hard state: all that must survive a change of leader. Immutable, the same on every voter at
 * the same place in the log.
 *
 * <p>{@link #apply(Change)} is where the first rule is kept: no change is applied that would let a
 * guest be placed while a host could still run it. What refuses there is a fault of ours and not an
 * event of the world.
 */
public final class ClusterState {
  /** Lines of the audit log that are kept. */
  static final int AUDIT_LINES = 5_000;

  /**
   * Answered requests that are remembered: a client repeats within seconds, not after thousands of
   * others.
   */
  static final int ANSWERS = 2_000;

  /** A generation that an operator forced is a multiple of this. */
  private static final long FORCED = 1_000;

  /** Above all that another side can have given by itself. */
  private static final long EPOCHS_LIFTED = 1_000_000;

  /**
   * The state's version is lifted above all that agents may have been told as well: what an agent
   * was told before a forced start must not look newer than what it is told afterwards. More than
   * any log holds, and 9,000 such starts stay exact in a double.
   */
  private static final long VERSIONS_LIFTED = 1_000_000_000_000L;

  /** Operations that are over and still shown. */
  static final int OPERATIONS = 200;

  public static final ClusterState EMPTY =
      new ClusterState(
          0,
          1,
          Policy.DEFAULT,
          TreePMap.empty(),
          TreePMap.empty(),
          TreePMap.empty(),
          TreePMap.empty(),
          HashTreePMap.empty(),
          TreePVector.empty(),
          TreePVector.empty(),
          1,
          1,
          0,
          Optional.empty(),
          HashTreePMap.empty(),
          TreePSet.empty(),
          TreePMap.empty(),
          HashTreePMap.empty(),
          Groups.NONE);

  private final long version;
  private final long generation;
  private final Policy policy;
  private final TreePMap<HostId, Host> hosts;
  private final TreePMap<GuestId, Guest> guests;
  private final TreePMap<Long, Operation> operations;
  private final TreePMap<String, Alarm> alarms;
  private final PMap<RequestId, Reply> answers;
  private final PVector<RequestId> answerOrder;
  private final PVector<AuditLine> audit;
  private final long nextAudit;
  private final long nextOperation;

  /**
   * The highest epoch of any guest that was removed: one of the same name begins above it, because
   * a host that was off then still refuses the older ones.
   */
  private final long epochFloor;

  private final Optional<Pause> pause;

  /** What each guest's domain XML says of its disks, and what hosts found them to be. */
  private final TreePMap<GuestId, Definition> definitions;

  // derived, so that a decision looks at what changed and not at everything
  private final PMap<HostId, HostLoad> loads;
  private final TreePSet<GuestId> unsettled;
  private final Groups groups;

  /** Who opens what. */
  private final PMap<String, TreePSet<GuestId>> openers;

  /** A line of the audit log with its place. */
  public record AuditLine(long index, Instant at, Note note) {}

  /**
   * What one host holds. {@code reservedMib} counts every guest that could run there, {@code ruled}
   * those with placement rules.
   */
  public record HostLoad(
      TreePSet<GuestId> guests, long reservedMib, int vcpus, int starting, int ruled) {
    static final HostLoad NONE = new HostLoad(TreePSet.empty(), 0, 0, 0, 0);
  }

  private ClusterState(
      long version,
      long generation,
      Policy policy,
      TreePMap<HostId, Host> hosts,
      TreePMap<GuestId, Guest> guests,
      TreePMap<Long, Operation> operations,
      TreePMap<String, Alarm> alarms,
      PMap<RequestId, Reply> answers,
      PVector<RequestId> answerOrder,
      PVector<AuditLine> audit,
      long nextAudit,
      long nextOperation,
      long epochFloor,
      Optional<Pause> pause,
      PMap<HostId, HostLoad> loads,
      TreePSet<GuestId> unsettled,
      TreePMap<GuestId, Definition> definitions,
      PMap<String, TreePSet<GuestId>> openers,
      Groups groups) {
    this.version = version;
    this.generation = generation;
    this.policy = policy;
    this.hosts = hosts;
    this.guests = guests;
    this.operations = operations;
    this.alarms = alarms;
    this.answers = answers;
    this.answerOrder = answerOrder;
    this.audit = audit;
    this.nextAudit = nextAudit;
    this.nextOperation = nextOperation;
    this.epochFloor = epochFloor;
    this.pause = pause;
    this.loads = loads;
    this.unsettled = unsettled;
    this.definitions = definitions;
    this.openers = openers;
    this.groups = groups;
  }

  /** How many entries were applied. */
  public long version() {
    return version;
  }

  /** From 1, and higher each time that a voter went on without a quorum. */
  public long generation() {
    return generation;
  }

  public Policy policy() {
    return policy;
  }

  /** Whether fencing is paused. */
  public Optional<Pause> pause() {
    return pause;
  }

  public Collection<Host> hosts() {
    return hosts.values();
  }

  public Collection<Guest> guests() {
    return guests.values();
  }

  public Collection<Operation> operations() {
    return operations.values();
  }

  public Collection<Alarm> alarms() {
    return alarms.values();
  }

  public List<AuditLine> audit() {
    return audit;
  }

  public Optional<Host> host(HostId id) {
    return Optional.ofNullable(hosts.get(id));
  }

  public Optional<Guest> guest(GuestId id) {
    return Optional.ofNullable(guests.get(id));
  }

  public Optional<Alarm> alarm(String id) {
    return Optional.ofNullable(alarms.get(id));
  }

  public Optional<Operation> operation(OperationId id) {
    return id.value().startsWith("op-")
        ? parse(id.value().substring(3)).map(operations::get)
        : Optional.empty();
  }

  public Optional<Reply> answer(RequestId id) {
    return Optional.ofNullable(answers.get(id));
  }

  /** The name that the next operation gets. */
  public OperationId nextOperation() {
    return new OperationId("op-" + nextOperation);
  }

  /** Guests that could run on this host, and what they take. */
  public HostLoad load(HostId host) {
    return loads.getOrDefault(host, HostLoad.NONE);
  }

  /**
   * The guests that this host is given under its present boot: what its lease names. Where several
   * hosts hold a guest, the order to start it on one of them may have left before a void proof gave
   * it back to another: that other one must not let it go on, and is asked for its word.
   */
  public SortedMap<GuestId, Epoch> leased(HostId host) {
    var leased = new TreeMap<GuestId, Epoch>();
    var boot = host(host).flatMap(Host::boot);
    for (var id : load(host).guests()) {
      var guest = need(id);
      var holding = guest.holders().get(host);
      boolean here =
          guest.holders().size() == 1
              || guest.phase() instanceof GuestPhase.Migrating
              || guest.host().equals(Optional.of(host));
      if (holding != null && here && boot.equals(Optional.of(holding.boot()))) {
        leased.put(id, holding.epoch());
      }
    }
    return leased;
  }

  /** Those of the {@link #leased} guests whose guest agent the host's agent is to ask, and how. */
  public SortedMap<GuestId, AgentPing> pings(HostId host) {
    var pings = new TreeMap<GuestId, AgentPing>();
    for (var id : leased(host).keySet()) {
      need(id)
          .spec()
          .health()
          .flatMap(HealthCheck::guestAgent)
          .ifPresent(ping -> pings.put(id, ping));
    }
    return pings;
  }

  /**
   * Whether a host's lease says here what it said before. Looks at what was replaced and not at
   * each guest: it is asked for every host after every entry.
   */
  @SuppressWarnings("ReferenceEquality") // every change of one of its guests makes a new load
  public boolean leasedAsIn(ClusterState before, HostId host) {
    return load(host) == before.load(host)
        && hosts.get(host) == before.hosts.get(host)
        && pause().equals(before.pause());
  }

  /** What the guest's domain XML says of its disks, and what hosts found them to be. */
  public Definition definition(GuestId guest) {
    return definitions.getOrDefault(guest, Definition.NONE);
  }

  /**
   * Another guest that opens what this one opens, where at least one of them may write it.
   *
   * @param what the file, device or image
   */
  public record Rival(GuestId guest, String what) {
    boolean mayRun(ClusterState state) {
      return state.guest(guest).filter(g -> !g.holders().isEmpty()).isPresent();
    }
  }

  /** The guests with which this one shares a disk that one of them writes; each once. */
  public List<Rival> rivals(GuestId guest) {
    return rivals(guest, definition(guest));
  }

  /** The same if the guest were defined so. */
  List<Rival> rivals(GuestId guest, Definition definition) {
    var found = new TreeMap<GuestId, Rival>();
    for (var use : definition.uses()) {
      for (var other : openers.getOrDefault(use.what(), TreePSet.empty())) {
        if (!other.equals(guest) && definition(other).uses().stream().anyMatch(use::excludes)) {
          found.putIfAbsent(other, new Rival(other, use.what()));
        }
      }
    }
    return List.copyOf(found.values());
  }

  /** Guests that are neither running nor stopped: something is to be done about each. */
  public Collection<GuestId> unsettled() {
    return unsettled;
  }

  /** The guests that must have one host with this one, and it: see {@link Groups#of}. */
  public SortedSet<GuestId> group(GuestSpec guest) {
    return groups.of(this, guest);
  }

  /** Whether any guest has a rule at all. */
  boolean ruled() {
    return groups.ruled() > 0;
  }

  /** Whether any guest must stay together with others. */
  boolean grouped() {
    return !groups.seekers().isEmpty();
  }

  /** What came of an entry. */
  public sealed interface Outcome {
    ClusterState state();

    record Applied(ClusterState state) implements Outcome {}

    /** It was decided on another state. Decide again. */
    record Stale(ClusterState state, long base) implements Outcome {}

    /** It breaks a rule: a fault of ours. Nothing of it was applied. */
    record Broken(ClusterState state, String rule) implements Outcome {}
  }

  /** Applies an entry whole or not at all; the same on every voter. */
  public Outcome apply(Entry entry) {
    if (entry.base() != version) {
      return new Outcome.Stale(this, entry.base());
    }
    try {
      var next = this;
      for (var change : entry.changes()) {
        next = next.apply(change);
      }
      return new Outcome.Applied(next.noted(entry.at(), entry.notes()));
    } catch (IllegalStateException e) {
      return new Outcome.Broken(this, String.valueOf(e.getMessage()));
    } catch (RuntimeException e) { // a fault of ours, and the same on every voter
      return new Outcome.Broken(this, e.getClass().getSimpleName() + ": " + e.getMessage());
    }
  }

  /**
   * An entry could not be read or applied: that is recorded, the same on every voter, and nothing
   * else is different. When that was is not known here: the next tick dates the alarm.
   *
   * @param index of the entry in the log
   */
  public ClusterState withBrokenEntry(long index) {
    var alarm =
        new Alarm(
            BROKEN_ENTRY,
            Alarm.Level.CRITICAL,
            "cluster",
            "an entry of the log (%d) could not be applied and changed nothing. That is a fault of Haven's: please report it, with the log of the leader"
                .formatted(index),
            Instant.EPOCH);
    return copy().alarms(alarms.plus(BROKEN_ENTRY, alarm)).version(version + 1).build();
  }

  static final String BROKEN_ENTRY = "broken-entry";

  private ClusterState noted(Instant at, List<Note> notes) {
    var lines = audit;
    long index = nextAudit;
    for (var note : notes) {
      lines = lines.plus(new AuditLine(index++, at, note));
    }
    while (lines.size() > AUDIT_LINES) {
      lines = lines.minus(0);
    }
    return copy().audit(lines, index).version(version + 1).build();
  }

  /**
   * @throws IllegalStateException if the change breaks a rule; the message names both sides
   */
  public ClusterState apply(Change change) {
    return switch (change) {
      case Change.HostDescribed c -> describe(c);
      case Change.HostRemoved c -> {
        must(
            load(c.host()).guests().isEmpty(),
            "host %s is removed but holds %s",
            c.host(),
            load(c.host()).guests());
        yield copy().hosts(hosts.minus(c.host())).build();
      }
      case Change.HostCordoned c -> put(need(c.host()).cordoned(c.cordoned()));
      case Change.AgentSeated c ->
          put(need(c.host()).seated(c.boot(), c.agent(), c.capacity(), c.systemUuid()));
      case Change.HostIdentified c -> put(need(c.host()).identified(c.systemUuid()));
      case Change.GenerationBegun c -> begin(c.generation());
      case Change.Paused c -> {
        // no agent is relied on until it says anew, after the pause, that it enforces its leases
        var next = copy().pause(Optional.of(c.pause())).build();
        for (var host : hosts.values()) {
          next = next.put(host.with(host.guard().orElse(Guard.NONE).notEnforcing(version)));
        }
        yield next;
      }
      case Change.PauseHeard c -> copy().pause(pause.map(p -> p.heard(c.host()))).build();
      case Change.Resumed _ -> copy().pause(Optional.empty()).build();
      case Change.HostGoesDown c -> put(need(c.host()).goingDown(c.shutdown()));
      case Change.PolicyChanged c -> with(c.policy());
      case Change.HostGuarded c -> put(need(c.host()).with(c.guard()));
      case Change.FencingTested c -> {
        var host = need(c.host());
        yield put(host.seenToCut(host.spec().fencing().get(c.level() - 1)));
      }
      case Change.HostStateChanged c -> put(need(c.host()).with(c.state()));
      case Change.GuestDescribed c -> {
        var known = guests.get(c.spec().id());
        var next =
            put(
                known == null
                    ? Guest.of(c.spec(), c.wanted(), new Epoch(epochFloor))
                    : known.with(c.spec()));
        yield c.definition().map(d -> next.define(c.spec().id(), d)).orElse(next);
      }
      case Change.DisksResolved c -> define(need(c.guest()).id(), c.definition());
      case Change.GuestRemoved c -> {
        var g = need(c.guest());
        must(g.holders().isEmpty(), "guest %s is removed but held by %s", g.id(), g.holders());
        yield define(g.id(), Definition.NONE)
            .copy()
            .guests(guests.minus(g.id()))
            .groups(groups.without(g.spec()))
            .unsettled(unsettled.minus(g.id()))
            .epochFloor(Math.max(epochFloor, g.epoch().value()))
            .build();
      }
      case Change.GuestWanted c -> put(need(c.guest()).wanted(c.wanted()));
      case Change.GuestPlaced c -> place(c);
      case Change.MigrationBegun c -> beginMigration(c);
      case Change.HolderCleared c -> clear(c);
      case Change.HolderRestored c -> {
        var g = need(c.guest());
        // nothing rests on the proof any more
        var left =
            g.cleared().stream()
                .filter(
                    lost ->
                        !lost.proof().host().equals(c.host())
                            || !lost.holding().boot().equals(c.holding().boot()))
                .toList();
        yield put(g.heldBy(c.host(), c.holding()).with(left));
      }
      case Change.PhaseChanged c -> changePhase(c);
      case Change.StartFailed c -> put(need(c.guest()).failedOn(c.host()));
      case Change.HostShunned c -> put(need(c.guest()).shunning(c.host()));
      case Change.StorageFailed c -> put(need(c.guest()).ioErrorOn(c.host(), c.at()));
      case Change.FailuresForgotten c -> put(need(c.guest()).withoutFailures());
      case Change.GuestMovedByHand c -> put(need(c.guest()).movedByHand(c.to()));
      case Change.GuestCrashed c -> put(need(c.guest()).crashedOn(c.host(), c.at()));
      case Change.CrashesForgotten c -> put(need(c.guest()).withCrashes(Optional.empty()));
      case Change.OperationBegun c -> {
        must(
            c.operation().id().equals(nextOperation()),
            "operation %s begins, not %s",
            c.operation().id(),
            nextOperation());
        if (c.operation().kind() instanceof Operation.Kind.MoveGroup k) {
          GroupMoves.underWay(this, k.from().keySet())
              .ifPresent(
                  other -> {
                    throw new IllegalStateException(
                        "operation %s moves guests that operation %s moves already"
                            .formatted(c.operation().id(), other.id()));
                  });
        }
        var all = operations.plus(nextOperation, c.operation());
        yield copy().operations(trimmed(all)).nextOperation(nextOperation + 1).build();
      }
      case Change.OperationChanged c -> {
        long number = parse(c.operation().id().value().substring(3)).orElseThrow();
        must(operations.containsKey(number), "operation %s does not exist", c.operation().id());
        yield copy().operations(operations.plus(number, c.operation())).build();
      }
      case Change.OperationForgotten c ->
          copy()
              .operations(operations.minus(parse(c.operation().value().substring(3)).orElseThrow()))
              .build();
      case Change.AlarmRaised c -> copy().alarms(alarms.plus(c.alarm().id(), c.alarm())).build();
      case Change.AlarmCleared c -> copy().alarms(alarms.minus(c.id())).build();
      case Change.RequestAnswered c -> {
        var order = answerOrder.plus(c.request());
        var all = answers.plus(c.request(), c.reply());
        while (order.size() > ANSWERS) {
          all = all.minus(order.get(0));
          order = order.minus(0);
        }
        yield copy().answers(all, order).build();
      }
    };
  }

  private ClusterState define(GuestId guest, Definition definition) {
    var next = openers;
    for (var use : definition(guest).uses()) {
      var left = next.getOrDefault(use.what(), TreePSet.empty()).minus(guest);
      next = left.isEmpty() ? next.minus(use.what()) : next.plus(use.what(), left);
    }
    for (var use : definition.uses()) {
      next =
          next.plus(
              use.what(), next.getOrDefault(use.what(), TreePSet.<GuestId>empty()).plus(guest));
    }
    return copy()
        .definitions(
            definition.equals(Definition.NONE)
                ? definitions.minus(guest)
                : definitions.plus(guest, definition),
            next)
        .build();
  }

  private ClusterState begin(long next) {
    must(next > generation, "generation %s begins after %s", next, generation);
    var state = copy().generation(next).build();
    if (next / FORCED == generation / FORCED) {
      return state;
    }
    for (var guest : guests.values()) {
      // a move that is only being checked would go on under an epoch that is too low now: it is
      // dropped. One that is under way keeps its two epochs, which stand in what holds it
      var stays =
          guest.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.CHECKING
              ? guest.with(m.back())
              : guest;
      state = state.put(stays.lifted(EPOCHS_LIFTED));
    }
    return state
        .copy()
        .epochFloor(epochFloor + EPOCHS_LIFTED)
        .version(version + VERSIONS_LIFTED)
        .build();
  }

  private ClusterState describe(Change.HostDescribed c) {
    var known = hosts.get(c.spec().id());
    return put(known == null ? Host.of(c.spec()) : known.with(c.spec()));
  }

  private ClusterState place(Change.GuestPlaced c) {
    var g = need(c.guest());
    must(
        g.holders().isEmpty(),
        "guest %s is placed on %s but held by %s",
        g.id(),
        c.host(),
        g.holders());
    must(g.wanted(), "guest %s is placed on %s but not wanted", g.id(), c.host());
    must(
        c.epoch().equals(g.epoch().next()),
        "guest %s is placed under epoch %s after %s",
        g.id(),
        c.epoch(),
        g.epoch());
    var voided = VoidedProofs.of(this, g);
    must(
        voided.isEmpty(),
        "guest %s is placed on %s but a proof that it rests on is void, its host lives: %s",
        g.id(),
        c.host(),
        voided);
    mustRun(c.host(), c.boot());
    var rival = rivals(g.id()).stream().filter(r -> r.mayRun(this)).findFirst();
    must(
        rival.isEmpty(),
        "guest %s is placed on %s but shares a disk: %s",
        g.id(),
        c.host(),
        rival.orElse(null));
    return put(
        g.heldBy(c.host(), new Holding(c.boot(), c.epoch()))
            .with(new GuestPhase.Starting(c.host(), c.boot(), c.epoch()))
            .withCrashes(g.crashes().map(Crashes::placed)));
  }

  private ClusterState beginMigration(Change.MigrationBegun c) {
    var g = need(c.guest());
    if (!(g.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.CHECKING)) {
      throw new IllegalStateException(
          "guest %s begins to migrate in phase %s".formatted(g.id(), g.phase()));
    }
    must(
        g.holders().keySet().equals(java.util.Set.of(m.source())),
        "guest %s begins to migrate from %s but is held by %s",
        g.id(),
        m.source(),
        g.holders());
    must(!m.source().equals(m.target()), "guest %s migrates from %s to itself", g.id(), m.source());
    must(
        m.targetEpoch().equals(g.epoch().next()),
        "guest %s migrates under epoch %s after %s",
        g.id(),
        m.targetEpoch(),
        g.epoch());
    mustRun(m.target(), m.targetBoot());
    return put(
        g.heldBy(m.target(), new Holding(m.targetBoot(), m.targetEpoch()))
            .with(m.at(GuestPhase.Step.MOVING, m.why()))
            .with(List.<Cleared>of()));
  }

  private ClusterState clear(Change.HolderCleared c) {
    var g = need(c.guest());
    var holding = g.holders().get(c.host());
    if (holding == null) {
      throw new IllegalStateException(
          "guest %s is cleared from %s, which does not hold it".formatted(g.id(), c.host()));
    }
    must(
        c.proof().covers(c.host(), g.id(), holding),
        "guest %s is cleared from %s (%s) by a proof that does not cover it: %s",
        g.id(),
        c.host(),
        holding,
        c.proof());
    var cleared = new ArrayList<>(g.cleared());
    cleared.add(new Cleared(c.proof(), holding));
    return put(g.notHeldBy(c.host()).with(cleared));
  }

  private ClusterState changePhase(Change.PhaseChanged c) {
    var g = need(c.guest());
    switch (c.phase()) {
      case GuestPhase.Stopped _, GuestPhase.Waiting _, GuestPhase.Failed _ ->
          must(
              g.holders().isEmpty(),
              "guest %s becomes %s but is held by %s",
              g.id(),
              c.phase(),
              g.holders());
      case GuestPhase.Starting p ->
          throw new IllegalStateException(
              "guest %s starts without being placed: %s".formatted(g.id(), p));
      case GuestPhase.Running p -> {
        mustHold(g, p.host(), p.epoch());
        must(
            g.holders().size() == 1,
            "guest %s counts as running on %s but is held by %s",
            g.id(),
            p.host(),
            g.holders());
      }
      case GuestPhase.Stopping p -> mustHold(g, p.host(), p.epoch());
      case GuestPhase.Vacating p -> mustHold(g, p.host(), p.epoch());
      case GuestPhase.Migrating p -> {
        switch (p.step()) {
          case CHECKING, UNDOING -> mustHold(g, p.source(), p.sourceEpoch());
          case STAYING -> {
            mustHold(g, p.source(), p.sourceEpoch());
            must(
                !g.holders().containsKey(p.target()),
                "guest %s stays on %s but %s holds it",
                g.id(),
                p.source(),
                p.target());
          }
          case MOVING ->
              must(
                  g.phase() instanceof GuestPhase.Migrating,
                  "guest %s moves without an intent",
                  g.id());
          case ARRIVED -> {
            mustHold(g, p.target(), p.targetEpoch());
            must(
                !g.holders().containsKey(p.source()),
                "guest %s has arrived on %s but %s holds it",
                g.id(),
                p.target(),
                p.source());
          }
        }
      }
    }
    return put(
        c.phase() instanceof GuestPhase.Running
            ? g.with(c.phase()).with(List.<Cleared>of())
            : g.with(c.phase()));
  }

  private void mustHold(Guest g, HostId host, Epoch epoch) {
    var holding = g.holders().get(host);
    must(
        holding != null && holding.epoch().equals(epoch),
        "guest %s is on %s under epoch %s but held by %s",
        g.id(),
        host,
        epoch,
        g.holders());
  }

  private void mustRun(HostId host, dev.haven.model.BootId boot) {
    var h = need(host);
    must(
        h.online() && h.boot().equals(Optional.of(boot)),
        "host %s is given a guest under boot %s but is %s under %s",
        host,
        boot,
        h.state(),
        h.boot());
  }

  private Host need(HostId id) {
    return host(id).orElseThrow(() -> new IllegalStateException("host " + id + " does not exist"));
  }

  private Guest need(GuestId id) {
    return guest(id)
        .orElseThrow(() -> new IllegalStateException("guest " + id + " does not exist"));
  }

  private static void must(
      boolean rule, String broken, @org.jspecify.annotations.Nullable Object... values) {
    if (!rule) {
      throw new IllegalStateException(broken.formatted(values));
    }
  }

  private ClusterState put(Host host) {
    return copy().hosts(hosts.plus(host.id(), host)).build();
  }

  private ClusterState put(Guest guest) {
    var old = guests.get(guest.id());
    var next = loads;
    if (old != null) {
      next = weigh(next, old, -1);
    }
    next = weigh(next, guest, 1);
    var settled =
        switch (guest.phase()) {
          case GuestPhase.Running _, GuestPhase.Stopped _, GuestPhase.Failed _ -> true;
          default -> false;
        };
    return copy()
        .guests(guests.plus(guest.id(), guest))
        .groups(grouped(old, guest))
        .loads(next)
        .unsettled(settled ? unsettled.minus(guest.id()) : unsettled.plus(guest.id()))
        .build();
  }

  @SuppressWarnings("ReferenceEquality") // a new description is a new object; the rest keeps it
  private Groups grouped(@org.jspecify.annotations.Nullable Guest old, Guest guest) {
    if (old != null && old.spec() == guest.spec()) {
      return groups;
    }
    return (old == null ? groups : groups.without(old.spec())).with(guest.spec());
  }

  /** The hosts that it counts on. */
  static java.util.Set<HostId> places(Guest guest) {
    if (guest.phase() instanceof GuestPhase.Migrating m && m.step() == GuestPhase.Step.CHECKING) {
      var hosts = new java.util.TreeSet<>(guest.holders().keySet());
      hosts.add(m.target()); // its place is kept while the target is asked
      return hosts;
    }
    return guest.holders().keySet();
  }

  private static PMap<HostId, HostLoad> weigh(PMap<HostId, HostLoad> loads, Guest guest, int sign) {
    var next = loads;
    long memory = sign * Placement.reservedMib(guest.spec());
    var starting =
        guest.phase() instanceof GuestPhase.Starting s
            ? Optional.of(s.host())
            : Optional.<HostId>empty();
    for (var host : places(guest)) {
      var load = next.getOrDefault(host, HostLoad.NONE);
      next =
          next.plus(
              host,
              new HostLoad(
                  sign > 0 ? load.guests().plus(guest.id()) : load.guests().minus(guest.id()),
                  load.reservedMib() + memory,
                  load.vcpus() + sign * guest.spec().vcpus(),
                  load.starting() + (starting.equals(Optional.of(host)) ? sign : 0),
                  load.ruled() + (guest.spec().rules().isEmpty() ? 0 : sign)));
    }
    return next;
  }

  private static TreePMap<Long, Operation> trimmed(TreePMap<Long, Operation> all) {
    if (all.size() <= OPERATIONS) {
      return all;
    }
    for (var e : all.entrySet()) {
      // one fence an hour for guests that cannot be ended: when the last was must be known
      boolean counted = e.getValue().kind() instanceof Operation.Kind.FenceStuck;
      if (!e.getValue().running() && !counted) {
        return all.minus(e.getKey());
      }
    }
    return all;
  }

  private static Optional<Long> parse(String digits) {
    try {
      return Optional.of(Long.parseLong(digits));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  /**
   * What is written into a snapshot. Its fields only ever grow; {@code format} is raised when an
   * old reader must not read it.
   */
  public record Snapshot(
      int format,
      long version,
      long generation,
      Policy policy,
      List<Host> hosts,
      List<Guest> guests,
      List<Operation> operations,
      List<Alarm> alarms,
      List<Answered> answers,
      List<AuditLine> audit,
      long nextAudit,
      long nextOperation,
      Optional<Long> epochFloor,
      Optional<Pause> pause,
      Optional<List<Defined>> definitions) {
    public static final int FORMAT = 1;

    public record Defined(GuestId guest, Definition definition) {}

    public record Answered(RequestId request, Reply reply) {}
  }

  public Snapshot snapshot() {
    return new Snapshot(
        Snapshot.FORMAT,
        version,
        generation,
        policy,
        List.copyOf(hosts.values()),
        List.copyOf(guests.values()),
        List.copyOf(operations.values()),
        List.copyOf(alarms.values()),
        answerOrder.stream()
            .map(r -> new Snapshot.Answered(r, java.util.Objects.requireNonNull(answers.get(r))))
            .toList(),
        List.copyOf(audit),
        nextAudit,
        nextOperation,
        Optional.of(epochFloor),
        pause,
        Optional.of(
            definitions.entrySet().stream()
                .map(e -> new Snapshot.Defined(e.getKey(), e.getValue()))
                .toList()));
  }

  /**
   * @throws IllegalArgumentException if a newer Haven wrote it
   */
  public static ClusterState of(Snapshot s) {
    if (s.format() > Snapshot.FORMAT) {
      throw new IllegalArgumentException(
          "snapshot of format %d; this Haven reads up to %d: upgrade it"
              .formatted(s.format(), Snapshot.FORMAT));
    }
    var state = EMPTY;
    for (var host : s.hosts()) {
      state = state.put(host);
    }
    for (var guest : s.guests()) {
      state = state.put(guest);
    }
    for (var defined : s.definitions().orElse(List.of())) {
      state = state.define(defined.guest(), defined.definition());
    }
    TreePMap<Long, Operation> operations = TreePMap.empty();
    for (var o : s.operations()) {
      operations = operations.plus(parse(o.id().value().substring(3)).orElseThrow(), o);
    }
    TreePMap<String, Alarm> alarms = TreePMap.empty();
    for (var a : s.alarms()) {
      alarms = alarms.plus(a.id(), a);
    }
    PMap<RequestId, Reply> answers = HashTreePMap.empty();
    PVector<RequestId> order = TreePVector.empty();
    for (var a : s.answers()) {
      answers = answers.plus(a.request(), a.reply());
      order = order.plus(a.request());
    }
    return state
        .copy()
        .operations(operations)
        .nextOperation(s.nextOperation())
        .epochFloor(s.epochFloor().orElse(0L))
        .pause(s.pause())
        .alarms(alarms)
        .answers(answers, order)
        .audit(TreePVector.from(s.audit()), s.nextAudit())
        .version(s.version())
        .generation(s.generation())
        .policy(s.policy())
        .build();
  }

  private Copy copy() {
    return new Copy(this);
  }

  /** Same state under another policy. */
  public ClusterState with(Policy other) {
    return copy().policy(other).build();
  }

  /** A state that differs in few fields from another. */
  private static final class Copy {
    private long version;
    private long generation;
    private Policy policy;
    private TreePMap<HostId, Host> hosts;
    private TreePMap<GuestId, Guest> guests;
    private TreePMap<Long, Operation> operations;
    private TreePMap<String, Alarm> alarms;
    private PMap<RequestId, Reply> answers;
    private PVector<RequestId> answerOrder;
    private PVector<AuditLine> audit;
    private long nextAudit;
    private long nextOperation;
    private long epochFloor;
    private Optional<Pause> pause;
    private PMap<HostId, HostLoad> loads;
    private TreePSet<GuestId> unsettled;
    private TreePMap<GuestId, Definition> definitions;
    private PMap<String, TreePSet<GuestId>> openers;
    private Groups groups;

    Copy(ClusterState s) {
      version = s.version;
      generation = s.generation;
      policy = s.policy;
      hosts = s.hosts;
      guests = s.guests;
      operations = s.operations;
      alarms = s.alarms;
      answers = s.answers;
      answerOrder = s.answerOrder;
      audit = s.audit;
      nextAudit = s.nextAudit;
      nextOperation = s.nextOperation;
      epochFloor = s.epochFloor;
      pause = s.pause;
      loads = s.loads;
      unsettled = s.unsettled;
      definitions = s.definitions;
      openers = s.openers;
      groups = s.groups;
    }

    Copy version(long v) {
      version = v;
      return this;
    }

    Copy generation(long v) {
      generation = v;
      return this;
    }

    Copy policy(Policy v) {
      policy = v;
      return this;
    }

    Copy hosts(TreePMap<HostId, Host> v) {
      hosts = v;
      return this;
    }

    Copy guests(TreePMap<GuestId, Guest> v) {
      guests = v;
      return this;
    }

    Copy operations(TreePMap<Long, Operation> v) {
      operations = v;
      return this;
    }

    Copy alarms(TreePMap<String, Alarm> v) {
      alarms = v;
      return this;
    }

    Copy answers(PMap<RequestId, Reply> v, PVector<RequestId> order) {
      answers = v;
      answerOrder = order;
      return this;
    }

    Copy audit(PVector<AuditLine> v, long next) {
      audit = v;
      nextAudit = next;
      return this;
    }

    Copy nextOperation(long v) {
      nextOperation = v;
      return this;
    }

    Copy pause(Optional<Pause> v) {
      pause = v;
      return this;
    }

    Copy epochFloor(long v) {
      epochFloor = v;
      return this;
    }

    Copy loads(PMap<HostId, HostLoad> v) {
      loads = v;
      return this;
    }

    Copy unsettled(TreePSet<GuestId> v) {
      unsettled = v;
      return this;
    }

    Copy definitions(
        TreePMap<GuestId, Definition> v, PMap<String, TreePSet<GuestId>> whoOpensWhat) {
      definitions = v;
      openers = whoOpensWhat;
      return this;
    }

    Copy groups(Groups v) {
      groups = v;
      return this;
    }

    ClusterState build() {
      return new ClusterState(
          version,
          generation,
          policy,
          hosts,
          guests,
          operations,
          alarms,
          answers,
          answerOrder,
          audit,
          nextAudit,
          nextOperation,
          epochFloor,
          pause,
          loads,
          unsettled,
          definitions,
          openers,
          groups);
    }
  }
}
