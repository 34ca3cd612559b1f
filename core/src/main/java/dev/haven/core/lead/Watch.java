package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import dev.haven.core.ha.Host;
import dev.haven.core.ha.HostChecks;
import dev.haven.core.ha.HostState;
import dev.haven.core.ha.Newcomers;
import dev.haven.core.ha.VoterClock;
import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.ProcessId;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.Heartbeat;
import dev.haven.model.wire.HeartbeatAnswer;
import dev.haven.model.wire.OtherVersion;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The failure detector of one voter: who is silent, what is known about it, and what the leader is
 * told of it when. It also decides which heartbeats are answered with a lease. Its runner hears the
 * heartbeats, asks kernels and devices, and carries what voters tell each other.
 *
 * <p>Soft state that every voter keeps from its start. All times are {@link System#nanoTime} of
 * this voter; an {@link Instant} is for the event that is told. Safe for several threads.
 */
public final class Watch {
  /** A host heard within this time is alive, whatever a person says. */
  private static final long LATELY_NANOS = 2_000_000_000L;

  /** A host that was heard within this time before a check of its devices is heard. */
  private static final long CHECK_NANOS = 600_000_000L;

  private final Voter voter;
  private final HeardTable table;
  private final VoterClocks clocks = new VoterClocks();
  private final ProofTimes proofTimes;
  private final Leases leases = new Leases();
  private final LeaseDigests digests = new LeaseDigests();
  private final Arrivals arrivals = new Arrivals();
  private final Asking asking = new Asking();
  private final EchoMemory echoes = new EchoMemory();
  private final DeviceMemory devices = new DeviceMemory();
  private final OtherVersions others = new OtherVersions();
  private final Silences silences;
  private final Map<HostId, Long> heardTold = new ConcurrentHashMap<>();

  /** The voter that watches, at this moment. */
  public interface Voter {
    /** What it has applied. */
    ClusterState state();

    /** The names of all voters, this one too. */
    List<String> voters();

    /** Whether it leads and has applied what the leaders before it committed. */
    boolean leads();

    /** When this leader last sent a round of the log that a majority answered. */
    OptionalLong quorumRound();
  }

  /**
   * What a voter tells the others, several times a second.
   *
   * @param counts whether it hears a quorum, so that its silences count
   * @param ages see {@link HeardTable#ages}
   * @param quiet see {@link HeardTable#quiet}
   * @param clock its own, a moment before it is sent; empty if it does not say
   * @param ran for how long it has not stood still, in nanoseconds
   */
  public record Notes(
      boolean counts,
      Map<HostId, Long> ages,
      Map<HostId, Long> quiet,
      Optional<VoterClock> clock,
      long ran) {}

  /**
   * What a look at the hosts has found.
   *
   * @param events for the leader
   * @param begun the kernels of these hosts are to be asked from now on
   * @param devices the power devices of these hosts are to be asked from now on, besides
   */
  public record Findings(List<Event> events, List<Inquiry> begun, List<Inquiry> devices) {}

  /**
   * A lease that a heartbeat is answered with.
   *
   * @param beat the heartbeat that it answers; it may be an earlier one
   * @param lease for which guests, and how long
   */
  public record Granted(Arrivals.Arrival beat, HeartbeatAnswer.Lease lease) {}

  /**
   * @param self this voter's name
   */
  public Watch(String self, Voter voter, long now) {
    this.voter = voter;
    this.table = new HeardTable(self, now);
    this.proofTimes = new ProofTimes(self);
    this.silences = new Silences(voter, table, leases, asking, echoes, devices, others);
  }

  public Leases leases() {
    return leases;
  }

  /** The newcomers that ask to join. */
  public Asking asking() {
    return asking;
  }

  /** Since when a sign of life voids each proof. */
  public ProofTimes proofTimes() {
    return proofTimes;
  }

  /** Of the other voters, as far as they were heard. */
  public VoterClocks clocks() {
    return clocks;
  }

  /** This voter leads from now on. */
  public void elected(long now) {
    leases.elected(now);
    asking.elected(now);
  }

  /** This voter leads no more. */
  public void deposed() {
    leases.deposed();
    silences.end();
  }

  // heartbeats

  /**
   * A heartbeat whose signature and challenge were checked; the same one may come over several
   * networks.
   *
   * @return what the leader is to be told
   */
  public Optional<Event> heard(Heartbeat beat, long now, Instant at) {
    var host = beat.host();
    arrivals.came(host, beat.process(), beat.sequence(), beat.sentNanos(), now);
    if (!table.heard(host, beat.boot(), beat.process(), beat.network(), beat.sequence(), now)
        || !voter.leads()
        || voter.state().host(host).filter(h -> !h.online()).isEmpty()
        || now - heardTold.getOrDefault(host, now - Inquiry.REPEAT_NANOS) < Inquiry.REPEAT_NANOS) {
      return Optional.empty();
    }
    heardTold.put(host, now);
    return Optional.of(new Event.HostHeard(host, beat.boot(), at));
  }

  /**
   * The lease that this heartbeat is answered with, if any: only to a host that is watched, as what
   * is proven off runs nothing, whatever machine beats there. To be asked after {@link #heard}.
   */
  public Optional<Granted> grant(Heartbeat heartbeat, long now) {
    var host = heartbeat.host();
    var round = voter.quorumRound();
    if (!voter.leads() || round.isEmpty()) {
      return Optional.empty();
    }
    var answered = arrivals.before(host, heartbeat.process(), round.getAsLong());
    if (answered.isEmpty()) {
      return Optional.empty();
    }
    var s = voter.state();
    boolean watched =
        s.host(host)
            .filter(h -> h.boot().equals(Optional.of(heartbeat.boot())))
            .filter(h -> h.online() || h.state() instanceof HostState.Suspect)
            .isPresent();
    // the state first: a verdict that is applied between the two is withheld or seen
    return watched
        ? leases
            .grant(host, answered.get().at(), round, now, voter::state)
            .map(
                n -> new Granted(answered.get(), new HeartbeatAnswer.Lease(digests.of(s, host), n)))
        : Optional.empty();
  }

  /** The digest of the guests that leases of this host name now. */
  public long guests(HostId host) {
    return digests.of(voter.state(), host);
  }

  /** The host's agent said hello. */
  public void greeted(HostId host, ProcessId process, long now) {
    table.greeted(host, process, now);
    echoes.joins(host);
  }

  /**
   * An agent with the host's certificate said hello, and one of the two does not understand the
   * other. It is no sign of life that voids a proof: only while the kernel answers besides, the
   * host is not fenced for its silent agent.
   *
   * @param version the agent's
   */
  public void spokeOtherwise(HostId host, BootId boot, int version, long now) {
    voter.state().host(host).ifPresent(h -> others.spoke(h, boot, version, now));
  }

  /** The version that the host's agent last spoke so; empty if it did not. */
  public Optional<OtherVersion> otherVersion(HostId host, long now) {
    return others.of(host, _ -> true, now);
  }

  /** What is known of a hello; for how long its agent has asked is counted over connections. */
  public Event.Newcomer newcomer(FromAgent.Hello hello, long now) {
    var s = voter.state();
    var host = s.host(hello.host());
    if (host.isPresent() && Newcomers.stranger(host.get(), hello)) {
      return Event.Newcomer.UNKNOWN; // it is not taken in, however long it asks
    }
    var witnesses = Newcomers.witnesses(s, voter.voters());
    return new Event.Newcomer(
        asking.asks(hello.host(), hello.boot(), now),
        table.unheard(hello.host(), witnesses, now).map(Duration::ofNanos),
        heardSince(hello.host(), now - LATELY_NANOS, now).isPresent());
  }

  // what voters tell each other

  /**
   * To be called often, on every voter: notes which voters it hears and which agents are seated.
   */
  public void step(Collection<Host> hosts, long now) {
    table.runs(now);
    table.watchQuorum(voter.voters(), now);
    for (var host : hosts) {
      host.agent().ifPresent(a -> table.seated(host.id(), a.process(), now));
    }
  }

  /** This voter loses heartbeats itself: what it does not hear proves nothing. */
  public void deaf(long now) {
    table.deaf(now);
  }

  /** Whether it lost heartbeats a moment ago. */
  public boolean deafAt(long now) {
    return table.deafAt(now);
  }

  /** Whether this voter hears a quorum, so that its silences count. */
  public boolean counts() {
    return table.counts();
  }

  /** What this voter tells the others of these hosts. */
  public Notes notes(List<HostId> known, long now) {
    return new Notes(
        table.counts(),
        table.ages(known, now),
        table.quiet(known, now),
        Optional.of(proofTimes.clock(now)),
        now - table.runsSince());
  }

  /** What another voter told. */
  public void noted(String other, Notes notes, long now) {
    table.digest(other, notes.counts(), notes.ages(), notes.ran(), now);
    table.quiet(other, notes.quiet(), now);
    notes.clock().ifPresent(clock -> clocks.arrived(other, clock, now));
  }

  /** The voters that this one hears. */
  public Event.Quorum quorum(long now) {
    return silences.quorum(now);
  }

  // echoes of hosts that are heard

  /**
   * Whose kernel to ask for an echo now. On every voter each host that is online is asked about
   * once a minute, one after the other, so that its silence can be judged when it comes.
   */
  public Optional<Host> toAsk(Collection<Host> hosts, long now) {
    var online =
        hosts.stream().filter(h -> h.online() && !silences.inquires(h.id())).map(Host::id).toList();
    return echoes.next(online, now).flatMap(voter.state()::host);
  }

  /**
   * That host's kernel was asked.
   *
   * @param asked when the question was sent
   * @param answers whether it was answered on any address in time
   * @return what the leader is to be told
   */
  public Optional<Event> echo(HostId host, long asked, boolean answers, long now, Instant at) {
    if (answers) {
      echoes.answered(host, asked);
    } else {
      echoes.unanswered(host, asked);
    }
    if (!voter.leads()) {
      return Optional.empty();
    }
    boolean told = HostChecks.toldMute(voter.state(), host);
    return (told ? echoes.known(host, now) : echoes.mute(host, now))
        ? Optional.of(new Event.EchoChecked(host, told, at))
        : Optional.empty();
  }

  /** Which kernels answered lately, for the other voters; see {@link EchoMemory#seconds}. */
  public List<Map<String, Long>> echoes(Collection<Host> hosts, long now) {
    echoes.retain(hosts.stream().map(Host::id).toList());
    return echoes.seconds(now);
  }

  /** What another voter says of them. */
  public void echoed(Map<HostId, Long> seconds, long now) {
    echoes.said(seconds, now);
  }

  // power devices

  /**
   * Whether the host was heard when a device of it was checked. Only who beats after a device said
   * off shows that the device lied: the power may just have failed.
   *
   * @param read when the device had answered
   */
  public boolean heardAtCheck(HostId host, boolean off, long read, long now) {
    return heardSince(host, off ? read : now - CHECK_NANOS, now).isPresent();
  }

  /** A power device was checked: a loss of power shows only against what it said before. */
  public void checked(Event.DeviceChecked e, long now) {
    voter.state().host(e.host()).ifPresent(host -> devices.checked(host, e, now));
  }

  /** What each device said at its last check, for the other voters. */
  public List<Map<String, Long>> devices(long now) {
    return devices.seconds(now);
  }

  /** What another voter says of them. */
  public void devicesSaid(Map<String, Long> seconds, long now) {
    devices.said(seconds, now);
  }

  // silences

  /**
   * Who is silent, and what is known about it; to be called often. A voter that does not lead asks
   * kernels alone, so that it knows them if it leads a moment later.
   *
   * @param hosts to be looked at
   */
  public Findings look(Collection<Host> hosts, long now, Instant at) {
    return silences.look(hosts, now, at);
  }

  /** Whether what an event tells was true when it was posted and is no longer. */
  public boolean outdated(Event event, long now) {
    return event instanceof Event.HostSilent e
        && table.over(e.host(), e.silence().lasted(), voter.voters(), now);
  }

  /**
   * Between two hosts without a third voter the bound is no proof: each could grant itself leases
   * by going on alone.
   */
  public boolean twoAlone() {
    return silences.twoAlone();
  }

  /** What is left of a silent host's bound; empty where it is no proof. */
  public Optional<Duration> boundLeft(Host host, long now) {
    return silences.boundLeft(host, now);
  }

  // signs of life

  /**
   * A sign of life later than a time: a heartbeat at any voter, or an answer of the kernel.
   *
   * @return what it was, for people; empty if there was none
   */
  public Optional<String> signOfLifeSince(HostId host, long since, long now) {
    return silences.signOfLifeSince(host, since, now);
  }

  /** The same, by the host's agent alone: its heartbeats are signed. */
  public Optional<String> heardSince(HostId host, long since, long now) {
    return silences.heardSince(host, since, now);
  }

  /** How long ago any voter last heard the host. */
  public Optional<Duration> lastHeard(HostId host, long now) {
    return table.lastSign(host, now).map(at -> Duration.ofNanos(Math.max(0, now - at)));
  }

  /**
   * What is known of a host that an operator declares dead, once its kernel and its devices were
   * asked. To be called last: its cable may have been put back meanwhile.
   *
   * @param began when they were asked
   */
  public Event.Outlook outlook(
      HostId host, Event.Echo kernel, Event.Power power, long began, long now) {
    return new Event.Outlook(
        heardSince(host, began - LATELY_NANOS, now).isPresent(),
        kernel,
        power,
        leases.leaseLeft(host, began));
  }
}
