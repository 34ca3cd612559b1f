package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Definition;
import dev.haven.model.DomainReport;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.RequestId;
import dev.haven.model.api.Command;
import dev.haven.model.wire.Answer;
import dev.haven.model.wire.FromAgent;
import dev.haven.model.wire.GoingDown;
import dev.haven.model.wire.Order;
import dev.haven.model.wire.OtherVersion;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SortedMap;

/**
 * What happened. Brings time, chance and all soft state with it; {@link #at} is the leader's wall
 * clock, for people only.
 */
public sealed interface Event {
  Instant at();

  /**
   * This voter leads, and its own no-op of the term is applied. All that is under way is taken up
   * again.
   *
   * @param generation of the log: higher than the state's when a voter went on without a quorum
   * @param quorum the voters that it hears
   */
  record LeaderElected(long term, long generation, Quorum quorum, Instant at) implements Event {}

  /** A host's agent said hello. */
  record AgentJoined(FromAgent.Hello hello, Newcomer newcomer, Instant at) implements Event {}

  /** A hello is held, as {@link Newcomers} says; comes again each second. */
  record HelloHeld(FromAgent.Hello hello, Newcomer newcomer, Instant at) implements Event {}

  /**
   * What is known of a hello under another boot than the host's last.
   *
   * @param held for how long its agent has been asking
   * @param olderUnheard for how long no voter has heard the older boot, by the word of a majority
   *     of the voters on other machines; empty if too few of them can say
   * @param olderHeard whether a voter has heard the older boot within the last 2 s; a voter that
   *     has only just begun has not, though it cannot say that the older boot is silent
   */
  record Newcomer(Duration held, Optional<Duration> olderUnheard, boolean olderHeard) {
    /** It has only just asked. */
    public static final Newcomer UNKNOWN = new Newcomer(Duration.ZERO, Optional.empty(), false);
  }

  /** A host that is not {@code Online} beats, under this boot. */
  record HostHeard(HostId host, BootId boot, Instant at) implements Event {}

  /**
   * A majority of voters has not heard the host on any network. Comes again while it lasts, as
   * evidence arrives.
   */
  record HostSilent(HostId host, BootId boot, Silence silence, Instant at) implements Event {}

  /**
   * The power was read back off as {@link Proof.PowerReadOff} demands.
   *
   * @param times of what led to it, by name, for the flight record
   * @param unidentified names of those of the level's devices that nothing shows to be this host's
   * @param contradiction a sign of life since the readings began: a heartbeat at any voter, an
   *     answer of its kernel. Empty if there was none
   */
  record FencingConfirmed(
      HostId host,
      BootId boot,
      int attempt,
      Proof.PowerReadOff proof,
      List<String> unidentified,
      String contradiction,
      SortedMap<String, Instant> times,
      Instant at)
      implements Event {}

  /**
   * A poison pill lay in the host's mailbox until its wait was over.
   *
   * @param contradiction a sign of life since then; empty if there was none
   */
  record HostPoisoned(
      HostId host,
      BootId boot,
      int attempt,
      Pill pill,
      String contradiction,
      SortedMap<String, Instant> times,
      Instant at)
      implements Event {}

  /**
   * Nothing was granted to a silent host, and nothing of it was seen, for as long as its bound is.
   *
   * @param bound that it rests on
   * @param contradiction a sign of life within it; empty if there was none
   */
  record BoundRanOut(HostId host, BootId boot, Duration bound, String contradiction, Instant at)
      implements Event {}

  /** Nothing is left of the long leases that this host was granted before its short ones. */
  record LeasesShortened(HostId host, BootId boot, Instant at) implements Event {}

  /** A host's agent speaks of its watchdog; empty if it has none. */
  record WatchdogReported(HostId host, BootId boot, Optional<Watchdog> watchdog, Instant at)
      implements Event {}

  /**
   * One of two voters has fenced the other's host without a quorum, and is the only voter now.
   *
   * @param wasOff whether its power read off before
   * @param times as in {@link FencingConfirmed}
   * @param contradiction as in {@link FencingConfirmed}
   */
  record FencedAlone(
      HostId host,
      BootId boot,
      boolean wasOff,
      Proof.PowerReadOff proof,
      String contradiction,
      SortedMap<String, Instant> times,
      Instant at)
      implements Event {}

  /**
   * It may still run.
   *
   * @param saidOff the level whose devices had all said off after our order, and none on since;
   *     empty if there was none
   * @param quorum the voters as they are heard now: another one may be off since it was decided
   */
  record FencingFailed(
      HostId host,
      BootId boot,
      int attempt,
      String reason,
      OptionalInt saidOff,
      Quorum quorum,
      Instant at)
      implements Event {
    /** No device said off, and no voter runs on any host. */
    public FencingFailed(HostId host, BootId boot, int attempt, String reason, Instant at) {
      this(host, boot, attempt, reason, OptionalInt.empty(), Quorum.NONE, at);
    }
  }

  /**
   * Before another order to switch off was sent: the devices that had said off say on, and it was
   * not we who switched it on.
   */
  record HostSwitchedOn(HostId host, BootId boot, int attempt, Instant at) implements Event {}

  /**
   * The host showed a sign of life under a boot that was proven off, before the order that rests on
   * the proof left.
   */
  record ProofContradicted(HostId host, BootId boot, String sign, Instant at) implements Event {}

  /**
   * An order rests on a proof of which this leader cannot say since when it holds, so it cannot
   * check it. The order has not left.
   */
  record ProofUnchecked(HostId host, BootId boot, Instant at) implements Event {}

  /**
   * What a host's libvirt has.
   *
   * @param goingDown that the host is being shut down, as its agent says; empty if it is not
   */
  record DomainsReported(
      HostId host,
      BootId boot,
      boolean libvirtUp,
      List<DomainReport> domains,
      Optional<GoingDown> goingDown,
      Instant at)
      implements Event {
    public DomainsReported {
      domains = List.copyOf(domains);
    }

    /** Of a host that stays up. */
    public DomainsReported(
        HostId host, BootId boot, boolean libvirtUp, List<DomainReport> domains, Instant at) {
      this(host, boot, libvirtUp, domains, Optional.empty(), at);
    }
  }

  record OrderAnswered(HostId host, BootId boot, Order order, Answer answer, Instant at)
      implements Event {}

  /**
   * A person's command.
   *
   * @param by the name in their certificate
   * @param outlook what is known of the host that it names, if it names one
   * @param quorum the voters when it came: a command that cuts power must leave a majority
   * @param definition of the guest that it describes, with what hosts found its disks to be; empty
   *     if it describes none, or nobody has looked
   */
  record CommandReceived(
      RequestId request,
      String by,
      Command command,
      Outlook outlook,
      Quorum quorum,
      Optional<Definition> definition,
      Instant at)
      implements Event {
    /** Nobody has looked at any disk, and no voter runs on any host. */
    public CommandReceived(
        RequestId request, String by, Command command, Outlook outlook, Instant at) {
      this(request, by, command, outlook, Quorum.NONE, Optional.empty(), at);
    }
  }

  /** Hosts have looked at a guest's disks: not all of them had before. */
  record DisksResolved(GuestId guest, Definition definition, Instant at) implements Event {}

  /**
   * @param problem empty if the device is well
   * @param unidentified it could cut the host's power, but nothing shows that it is this host's
   * @param off whether it says off
   * @param heard whether the host was heard at that time
   */
  record DeviceChecked(
      HostId host,
      String device,
      String problem,
      boolean critical,
      boolean unidentified,
      boolean off,
      boolean heard,
      Instant at)
      implements Event {}

  /**
   * A host that is heard was asked for an echo for a while.
   *
   * @param answers whether its kernel has answered any voter; false only if none had an answer for
   *     minutes
   */
  record EchoChecked(HostId host, boolean answers, Instant at) implements Event {}

  /**
   * A host is looked at for its agent's connection.
   *
   * @param connected whether the leader has it, or it is not heard; false only where it has been
   *     missing for long
   * @param other that its agent speaks another version, under whichever boot; empty if it does not
   */
  record AgentChecked(HostId host, boolean connected, Optional<OtherVersion> other, Instant at)
      implements Event {
    /** Of an agent that speaks this voter's version, or is not heard at all. */
    public AgentChecked(HostId host, boolean connected, Instant at) {
      this(host, connected, Optional.empty(), at);
    }
  }

  /**
   * Every second: what waits is looked at again.
   *
   * @param lasting the guests that have been in one phase for long, other than off; a running one
   *     only while its host says that it is paused and was never let run
   * @param quorum the voters: what is fenced now must leave a majority
   */
  record Tick(List<Lasting> lasting, Quorum quorum, Instant at) implements Event {
    public Tick {
      lasting = List.copyOf(lasting);
    }

    /** No voter runs on any host. */
    public Tick(List<Lasting> lasting, Instant at) {
      this(lasting, Quorum.NONE, at);
    }

    public Tick(Instant at) {
      this(List.of(), at);
    }
  }

  /**
   * What a voter says of itself, or what others can tell by it.
   *
   * @param what ails it, for people; empty if nothing of that kind does
   */
  record VoterStands(String voter, Trouble trouble, Optional<String> what, Instant at)
      implements Event {}

  /** What ails a voter. */
  enum Trouble {
    /** Its secrets.key is not that of the others. */
    SECRETS_KEY,
    /** It is told of a generation that it does not follow. */
    GENERATION
  }

  /** The last decision left something for an entry of its own. */
  record GoOn(Instant at) implements Event {}

  /**
   * Nobody knows whether an entry that this leader proposed is in the log. Its own entry stands
   * behind that one: what the other began is taken up, and what it ended is let go.
   *
   * @param quorum the voters that it hears
   */
  record OutcomeWasUnknown(Quorum quorum, Instant at) implements Event {}

  /**
   * A decision failed, by a fault of ours: nothing is decided about its subject for a while, and
   * everything else goes on.
   *
   * @param subject the guest or host, or the kind of event where no guest of it is to blame
   * @param what went wrong; empty if it works again
   * @param times so often
   */
  record DecisionFailed(String subject, String what, int times, Instant at) implements Event {}

  /**
   * A guest has not come further for a while.
   *
   * @param since by the leader's monotonic clock, from when this leader first saw it so
   * @param lastAnswer of an agent about it since then, with its host; empty if there was none
   * @param tried whether that was libvirt's: it was asked to, and could not or did not say
   */
  record Lasting(GuestId guest, Duration since, String lastAnswer, boolean tried) {}

  /**
   * A silence and what was found out about it, side by side.
   *
   * @param lasted by the voter of the majority that heard it last
   * @param networks over which the host used to beat
   * @param kernel whether its kernel answers an echo on any network
   * @param power what its power devices say
   * @param kernelKnown whether its kernel answered an echo of any voter within the last minutes:
   *     where it never does, that it is mute means nothing
   * @param boots whether a machine asks to join as this host under a newer boot, and is held
   * @param quorum the voters that this leader hears
   * @param lossShown whether everything shows a loss of power. No voter of the majority stood
   *     still. The kernel, which had answered this voter within the last minute, left a question
   *     unanswered. Every device of a level says off, and said on at its last check
   * @param mute for how long neither a heartbeat nor an echo came: an old silence counts from the
   *     leader's election at the earliest
   * @param other that its agent speaks under this very boot, in another version; empty if it does
   *     not, or that is not known
   */
  record Silence(
      Duration lasted,
      int networks,
      Echo kernel,
      Power power,
      boolean kernelKnown,
      String evidence,
      boolean boots,
      Quorum quorum,
      boolean lossShown,
      Duration mute,
      Optional<OtherVersion> other) {
    /** Of a host whose kernel is known to answer; nobody asks to join, and no voter runs there. */
    public Silence(Duration lasted, int networks, Echo kernel, Power power, String evidence) {
      this(
          lasted,
          networks,
          kernel,
          power,
          true,
          evidence,
          false,
          Quorum.NONE,
          false,
          lasted,
          Optional.empty());
    }
  }

  /**
   * The voters, as a leader sees them.
   *
   * @param voters the names of all of them, the leader's own too
   * @param heard those that it hears, itself included
   */
  record Quorum(Set<String> voters, Set<String> heard) {
    /** No voter is known. */
    public static final Quorum NONE = new Quorum(Set.of(), Set.of());

    public Quorum {
      voters = Set.copyOf(voters);
      heard = Set.copyOf(heard);
    }

    /**
     * Whether the proof could not be committed if this host's power is cut as well: its voter is
     * heard, and without it and those of the hosts that are being cut no majority is left. Never so
     * of two voters: there the one that is left goes on alone, by the proof itself.
     *
     * @param beingCut the hosts whose power is being cut
     */
    public boolean needs(HostId host, Set<HostId> beingCut) {
      long left =
          heard.stream()
              .filter(v -> !v.equals(host.value()) && !beingCut.contains(new HostId(v)))
              .count();
      return voters.size() > 2
          && voters.contains(host.value())
          && heard.contains(host.value())
          && left * 2 <= voters.size();
    }
  }

  enum Echo {
    ANSWERS,
    SILENT,
    UNKNOWN
  }

  enum Power {
    /** Every device of one level says off. */
    ALL_OFF,
    ON,
    /** No level answers in full. */
    UNREACHABLE,
    /** Not read yet. */
    UNKNOWN,
    /** The host has no device. */
    NO_DEVICE
  }

  /**
   * Signs that a host is not off.
   *
   * @param leaseLeft so long it may still hold the last lease that any leader can have granted it
   */
  record Outlook(boolean heard, Echo kernel, Power power, Duration leaseLeft) {
    public static final Outlook NONE =
        new Outlook(false, Echo.UNKNOWN, Power.UNKNOWN, Duration.ZERO);
  }
}
