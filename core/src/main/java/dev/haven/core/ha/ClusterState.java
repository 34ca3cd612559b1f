package dev.haven.core.ha;

import dev.haven.model.AddedLater;
import dev.haven.model.AgentPing;
import dev.haven.model.Definition;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.Formats;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HealthCheck;
import dev.haven.model.HostId;
import dev.haven.model.JoinToken;
import dev.haven.model.KnownKey;
import dev.haven.model.OperationId;
import dev.haven.model.Policy;
import dev.haven.model.RequestId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.AuditLine;
import dev.haven.model.api.Reply;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import org.pcollections.TreePMap;

/**
 * The hard state: all that must survive a change of leader. Immutable, the same on every voter at
 * the same place in the log.
 *
 * <p>{@link #apply(Change)} is where the first rule is kept: no change is applied that would let a
 * guest be placed while a host could still run it. What refuses there is a fault of ours and not an
 * event of the world.
 */
public final class ClusterState {
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

  static final String BROKEN_ENTRY = "broken-entry";

  public static final ClusterState EMPTY =
      new ClusterState(
          0,
          1,
          new Common(Policy.DEFAULT, Optional.empty(), Trust.EMPTY),
          HostTable.EMPTY,
          GuestTable.EMPTY,
          OperationTable.EMPTY,
          TreePMap.empty(),
          AnsweredRequests.EMPTY,
          AuditLog.EMPTY);

  private final long version;
  private final long generation;
  private final Common common;
  private final HostTable hosts;
  private final GuestTable guests;
  private final OperationTable operations;
  private final TreePMap<String, Alarm> alarms;
  private final AnsweredRequests answers;
  private final AuditLog journal;

  /** What holds for the whole cluster. */
  private record Common(Policy policy, Optional<Pause> pause, Trust trust) {}

  private ClusterState(
      long version,
      long generation,
      Common common,
      HostTable hosts,
      GuestTable guests,
      OperationTable operations,
      TreePMap<String, Alarm> alarms,
      AnsweredRequests answers,
      AuditLog journal) {
    this.version = version;
    this.generation = generation;
    this.common = common;
    this.hosts = hosts;
    this.guests = guests;
    this.operations = operations;
    this.alarms = alarms;
    this.answers = answers;
    this.journal = journal;
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
    return common.policy();
  }

  /** Whether fencing is paused. */
  public Optional<Pause> pause() {
    return common.pause();
  }

  public Collection<Host> hosts() {
    return hosts.all();
  }

  public Collection<Guest> guests() {
    return guests.all();
  }

  public Collection<Operation> operations() {
    return operations.all();
  }

  public Collection<Alarm> alarms() {
    return alarms.values();
  }

  /** The sealed key with which newcomers' certificates are signed. */
  public Optional<String> authority() {
    return common.trust().authority();
  }

  /** Certified by a token, or revoked. */
  public Collection<KnownKey> keys() {
    return common.trust().keys().values();
  }

  /** Whether that key lets nobody in. */
  public boolean revoked(String key) {
    var known = common.trust().keys().get(key);
    return known != null && known.revoked().isPresent();
  }

  public Collection<JoinToken> tokens() {
    return common.trust().tokens();
  }

  public List<AuditLine> audit() {
    return journal.lines();
  }

  public Optional<Host> host(HostId id) {
    return Optional.ofNullable(hosts.get(id));
  }

  public Optional<Guest> guest(GuestId id) {
    return guests.guest(id);
  }

  public Optional<Alarm> alarm(String id) {
    return Optional.ofNullable(alarms.get(id));
  }

  public Optional<Operation> operation(OperationId id) {
    return operations.operation(id);
  }

  public Optional<Reply> answer(RequestId id) {
    return answers.to(id);
  }

  /** The name that the next operation gets. */
  public OperationId nextOperation() {
    return operations.nextId();
  }

  /** Guests that could run on this host, and what they take. */
  public HostLoad load(HostId host) {
    return guests.load(host);
  }

  /**
   * The guests that this host is given under its present boot: what its lease names. Where several
   * hosts hold a guest, the order to start it on one of them may have left before a void proof gave
   * it back to another: that other one must not let it go on, and is asked for its word.
   */
  public SortedMap<Exclusive, Epoch> leased(HostId host) {
    var leased = new TreeMap<Exclusive, Epoch>();
    var boot = host(host).flatMap(Host::boot);
    for (var id : load(host).guests()) {
      var guest = guests.need(id);
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
    for (var what : leased(host).keySet()) {
      if (what instanceof GuestId id) {
        guests
            .need(id)
            .spec()
            .health()
            .flatMap(HealthCheck::guestAgent)
            .ifPresent(ping -> pings.put(id, ping));
      }
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
    return guests.definition(guest);
  }

  /** The guests with which this one shares a disk that one of them writes; each once. */
  public List<Rival> rivals(GuestId guest) {
    return rivals(guest, definition(guest));
  }

  /** The same if the guest were defined so. */
  List<Rival> rivals(GuestId guest, Definition definition) {
    return guests.rivals(guest, definition);
  }

  /** Whether a proof was voided: its host is known to live under the very boot that it names. */
  boolean voids(Proof proof) {
    return VoidedProofs.voided(hosts, proof);
  }

  /** The first of a guest's proofs that is voided; empty if all of them stand. */
  Optional<Proof> voided(Guest guest) {
    return VoidedProofs.of(hosts, guest);
  }

  /** The move of a group with one of these guests that has not ended. There is one at a time. */
  Optional<Operation> groupMove(Collection<GuestId> moved) {
    return operations.moving(moved);
  }

  /** Guests that are neither running nor stopped: something is to be done about each. */
  public Collection<GuestId> unsettled() {
    return guests.unsettled();
  }

  /** The guests that must have one host with this one, and it: see {@link Groups#of}. */
  public SortedSet<GuestId> group(GuestSpec guest) {
    return guests.groups().of(guests::guest, guest);
  }

  /** Whether any guest has a rule at all. */
  boolean ruled() {
    return guests.groups().ruled() > 0;
  }

  /** Whether any guest must stay together with others. */
  boolean grouped() {
    return !guests.groups().seekers().isEmpty();
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
      return new Outcome.Applied(next.with(next.journal.with(entry.at(), entry.facts())).next());
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
            Alarm.Kind.BROKEN_ENTRY,
            Alarm.Level.CRITICAL,
            "cluster",
            "an entry of the log (%d) could not be applied and changed nothing. That is a fault of Haven's: please report it, with the log of the leader"
                .formatted(index),
            Instant.EPOCH);
    return with(alarms.plus(BROKEN_ENTRY, alarm)).next();
  }

  /**
   * @throws IllegalStateException if the change breaks a rule; the message names both sides
   */
  public ClusterState apply(Change change) {
    return switch (change) {
      case Change.OfHost c -> applyToHost(c);
      case Change.OfGuest c -> with(guests.apply(c, hosts));
      case Change.OfOperation c -> with(operations.apply(c));
      case Change.OfTrust c -> with(common.trust().apply(c));
      case Change.OfCluster c -> applyToCluster(c);
    };
  }

  private ClusterState applyToHost(Change.OfHost change) {
    if (change instanceof Change.HostRemoved c) {
      var load = load(c.host()).guests();
      Must.hold(load.isEmpty(), "host %s is removed but holds %s", c.host(), load);
    }
    return with(hosts.apply(change));
  }

  private ClusterState applyToCluster(Change.OfCluster change) {
    return switch (change) {
      case Change.GenerationBegun c -> begin(c.generation());
      case Change.Paused c -> with(Optional.of(c.pause())).with(hosts.notEnforcing(version));
      case Change.PauseHeard c -> with(pause().map(p -> p.heard(c.host())));
      case Change.Resumed _ -> with(Optional.<Pause>empty());
      case Change.PolicyChanged c -> with(c.policy());
      case Change.AlarmRaised c -> with(alarms.plus(c.alarm().id(), c.alarm()));
      case Change.AlarmCleared c -> with(alarms.minus(c.id()));
      case Change.RequestAnswered c -> with(answers.with(c.request(), c.reply()));
    };
  }

  private ClusterState begin(long next) {
    Must.hold(next > generation, "generation %s begins after %s", next, generation);
    boolean forced = next / FORCED != generation / FORCED;
    return new ClusterState(
        forced ? version + VERSIONS_LIFTED : version,
        next,
        common,
        hosts.lengthened(),
        forced ? guests.lifted(EPOCHS_LIFTED) : guests,
        operations,
        alarms,
        answers,
        journal);
  }

  /** Same state under another policy. */
  public ClusterState with(Policy other) {
    return with(new Common(other, common.pause, common.trust));
  }

  private ClusterState with(Optional<Pause> next) {
    return with(new Common(common.policy, next, common.trust));
  }

  private ClusterState with(Trust next) {
    return with(new Common(common.policy, common.pause, next));
  }

  private ClusterState with(Common next) {
    return new ClusterState(
        version, generation, next, hosts, guests, operations, alarms, answers, journal);
  }

  private ClusterState with(HostTable next) {
    return new ClusterState(
        version, generation, common, next, guests, operations, alarms, answers, journal);
  }

  private ClusterState with(GuestTable next) {
    return new ClusterState(
        version, generation, common, hosts, next, operations, alarms, answers, journal);
  }

  private ClusterState with(OperationTable next) {
    return new ClusterState(
        version, generation, common, hosts, guests, next, alarms, answers, journal);
  }

  private ClusterState with(TreePMap<String, Alarm> next) {
    return new ClusterState(
        version, generation, common, hosts, guests, operations, next, answers, journal);
  }

  private ClusterState with(AnsweredRequests next) {
    return new ClusterState(
        version, generation, common, hosts, guests, operations, alarms, next, journal);
  }

  private ClusterState with(AuditLog next) {
    return new ClusterState(
        version, generation, common, hosts, guests, operations, alarms, answers, next);
  }

  /** One more entry was applied. */
  private ClusterState next() {
    return new ClusterState(
        version + 1, generation, common, hosts, guests, operations, alarms, answers, journal);
  }

  /**
   * What is written into a snapshot; {@code format} is raised with each change of what fields mean,
   * and no other format is read.
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
      Optional<List<Defined>> definitions,
      Optional<String> authority,
      @AddedLater List<JoinToken> tokens,
      @AddedLater List<KnownKey> keys) {
    public static final int FORMAT = 3;

    public record Defined(GuestId guest, Definition definition) {}

    public record Answered(RequestId request, Reply reply) {}
  }

  public Snapshot snapshot() {
    return new Snapshot(
        Snapshot.FORMAT,
        version,
        generation,
        common.policy,
        List.copyOf(hosts.all()),
        List.copyOf(guests.all()),
        List.copyOf(operations.all()),
        List.copyOf(alarms.values()),
        answers.requests().stream().map(r -> new Snapshot.Answered(r, answers.need(r))).toList(),
        List.copyOf(journal.lines()),
        journal.next(),
        operations.nextNumber(),
        Optional.of(guests.epochFloor()),
        common.pause,
        Optional.of(
            guests.definitions().entrySet().stream()
                .map(e -> new Snapshot.Defined(e.getKey(), e.getValue()))
                .toList()),
        common.trust().authority(),
        List.copyOf(common.trust().tokens()),
        List.copyOf(keys()));
  }

  /**
   * @throws IllegalArgumentException if an older or newer Haven wrote it
   */
  public static ClusterState of(Snapshot s) {
    Formats.otherThan(Snapshot.FORMAT, s.format(), "the snapshot of the state")
        .ifPresent(
            why -> {
              throw new IllegalArgumentException(why);
            });
    var hosts = HostTable.EMPTY;
    for (var host : s.hosts()) {
      hosts = hosts.with(host);
    }
    var guests = GuestTable.EMPTY;
    for (var guest : s.guests()) {
      guests = guests.with(guest);
    }
    for (var defined : s.definitions().orElse(List.of())) {
      guests = guests.define(defined.guest(), defined.definition());
    }
    TreePMap<String, Alarm> alarms = TreePMap.empty();
    for (var a : s.alarms()) {
      alarms = alarms.plus(a.id(), a.known());
    }
    var answers = AnsweredRequests.EMPTY;
    for (var a : s.answers()) {
      answers = answers.with(a.request(), a.reply());
    }
    return new ClusterState(
        s.version(),
        s.generation(),
        new Common(s.policy(), s.pause(), Trust.of(s.authority(), s.tokens(), s.keys())),
        hosts,
        guests.above(s.epochFloor().orElse(0L)),
        OperationTable.of(s.operations(), s.nextOperation()),
        alarms,
        answers,
        AuditLog.of(s.audit(), s.nextAudit()));
  }
}
