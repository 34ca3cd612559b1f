package dev.haven.model.api;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Locale;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What a line of the audit log says, as data. Its words are made from it where it is shown; times
 * of a line are by the leader's wall clock, for people.
 */
public sealed interface Fact {
  /** The host, guest, operation or person that it is about, or {@code cluster}. */
  String subject();

  /** Of which kind it is. */
  default Kind kind() {
    return switch (this) {
      case CommandAccepted _ -> Kind.COMMAND;
      case AlarmRaised _, EntriesWell _ -> Kind.ALARM;
      case FenceTimed _ -> Kind.TIMES;
      case HostFellSilent _,
          HostWeighed _,
          HostProven _,
          HostBooted _,
          HostSwitchedOn _,
          HostGoesDown _,
          WatchdogHasReset _,
          DevicesProven _,
          StartFailed _,
          StartUnclear _,
          GuestGone _,
          GuestShutDownByHost _,
          GuestUnhealthy _,
          GuestMayRunThere _ ->
          Kind.EVIDENCE;
      case FenceDecided _,
          FenceRepeated _,
          FencingTrialBegun _,
          HostProvenOff _,
          HostMayComeBack _,
          ProofOutdated _,
          HostAccepted _,
          GuestPlaced _,
          GuestQuestioned _,
          GuestStoppedForRoom _,
          StuckGuestFreed _,
          MigrationDecided _ ->
          Kind.DECISION;
      case LeaderElected _,
          GenerationBegun _,
          EntryTakenUp _,
          FencingResumed _,
          HostOnline _,
          LeasesEnforced _,
          GuestRuns _,
          GuestOff _,
          MigrationBegun _,
          MigrationArrived _,
          MigrationFailed _,
          OperationEnded _ ->
          Kind.PHASE;
    };
  }

  /** The first word of a line. */
  enum Kind {
    DECISION,
    EVIDENCE,
    COMMAND,
    ALARM,
    PHASE,
    /** Names and instants of the steps of a fence. */
    TIMES,
    /** A newer voter says something else. */
    @JsonEnumDefaultValue
    UNKNOWN;

    /** As lines show it. */
    @JsonValue
    public String word() {
      return name().toLowerCase(Locale.ROOT);
    }

    @Override
    public String toString() {
      return word();
    }
  }

  /** About one host. */
  sealed interface OfHost extends Fact {
    HostId host();

    @Override
    default String subject() {
      return host().value();
    }
  }

  /** About one guest. */
  sealed interface OfGuest extends Fact {
    GuestId guest();

    @Override
    default String subject() {
      return guest().value();
    }
  }

  /** About the whole cluster. */
  sealed interface OfCluster extends Fact {
    @Override
    default String subject() {
      return "cluster";
    }
  }

  /**
   * Somebody asked for something, and it is done or has begun.
   *
   * @param command its name, as programs send it
   * @param changed whether it found anything to do
   * @param host that it is about, or the target of a guest's move; empty if there is none
   * @param until when what it began ends by itself
   * @param operation that it began
   * @param message the answer
   */
  record CommandAccepted(
      String by,
      String command,
      boolean changed,
      Optional<HostId> host,
      Optional<GuestId> guest,
      Optional<Instant> until,
      Optional<OperationId> operation,
      String message)
      implements Fact {
    @Override
    public String subject() {
      return by;
    }
  }

  /**
   * An alarm was raised, or says something else from now on.
   *
   * @param alarm its id
   * @param trouble what it is about
   * @param detail why, as its cause says it; empty where the message says all
   */
  record AlarmRaised(
      String alarm,
      boolean critical,
      String subject,
      Alarm.Kind trouble,
      Optional<String> detail,
      String message)
      implements Fact {}

  /** No entry of the log was broken for this long: that alarm is over. */
  record EntriesWell(Duration since) implements OfCluster {}

  record LeaderElected(long term) implements OfCluster {}

  record GenerationBegun(long generation) implements OfCluster {}

  /** Nobody knows whether an entry was applied; what would follow from it is done again. */
  record EntryTakenUp() implements OfCluster {}

  /** Hosts are fenced again. */
  record FencingResumed(String why) implements OfCluster {}

  /** What a kernel says to an echo. */
  enum Kernel {
    ANSWERS,
    SILENT,
    UNKNOWN
  }

  /** What power devices say. */
  enum Power {
    /** Every device of one level says off. */
    OFF,
    ON,
    UNREACHABLE,
    UNKNOWN,
    NO_DEVICE
  }

  /**
   * What is known of a silent host.
   *
   * @param networks over which nothing came
   * @param words the same for people
   */
  record Signs(int networks, Kernel kernel, Power power, String words) {}

  /** A majority of voters has not heard it for a time. */
  record HostFellSilent(HostId host, Duration lasted, Signs signs) implements OfHost {}

  /** More is known of its silence. */
  record HostWeighed(HostId host, Signs signs) implements OfHost {}

  /** Why a host is fenced. */
  enum Verdict {
    /** Its devices say that the power is gone. */
    POWER_LOSS("its power is gone"),
    /** The kernel answers, the agent did not come back. */
    AGENT_GONE("its agent did not come back"),
    /** Nothing answers. */
    UNREACHABLE("nothing of it answers"),
    /** It is heard, and empty but for a guest that is to run elsewhere and cannot be ended. */
    STUCK("libvirt there cannot end a guest"),
    OPERATOR("an operator said so"),
    /** It is empty, and its devices are tried. */
    TEST("its fencing is tested");

    private final String words;

    Verdict(String words) {
      this.words = words;
    }

    /** For people. */
    public String words() {
      return words;
    }
  }

  /**
   * Its power is cut.
   *
   * @param by the person who ordered it; empty if nobody did
   */
  record FenceDecided(HostId host, Verdict verdict, Optional<String> by) implements OfHost {}

  record FenceRepeated(HostId host, int attempt, String why) implements OfHost {}

  /**
   * @param level of its fencing devices, from 1
   */
  record FencingTrialBegun(HostId host, int level, String by) implements OfHost {}

  /** What a proof rests on. */
  enum Evidence {
    POWER_READ_OFF,
    POISON_PILL,
    NEWER_BOOT,
    AGENTS_WORD,
    BOUND_RUN_OUT,
    STORAGE_REVOKED,
    OPERATORS_WORD
  }

  /**
   * It can run nothing that it was given under this boot.
   *
   * @param words what was read or said, for people
   */
  record HostProven(HostId host, BootId boot, Evidence evidence, String words) implements OfHost {}

  /**
   * When each step of its fence was done.
   *
   * @param times by name, such as {@code off-sent}
   */
  record FenceTimed(HostId host, SortedMap<String, Instant> times) implements OfHost {
    public FenceTimed {
      times = Collections.unmodifiableSortedMap(new TreeMap<>(times));
    }
  }

  /** Its guests may start elsewhere. */
  record HostProvenOff(HostId host) implements OfHost {}

  /** Its proof is older than what the leader remembers, so it is proven off once more. */
  record ProofOutdated(HostId host) implements OfHost {}

  /** It fell silent with many others, and is not fenced before this time has gone by. */
  record HostMayComeBack(HostId host, Duration within) implements OfHost {}

  /** Somebody has switched it on while it was being fenced. */
  record HostSwitchedOn(HostId host) implements OfHost {}

  /** It is here under a newer boot. */
  record HostBooted(HostId host, BootId boot) implements OfHost {}

  record HostOnline(HostId host, String how) implements OfHost {}

  /** How a host goes down. */
  enum Shutdown {
    REBOOT("reboot"),
    POWER_OFF("power-off");

    private final String how;

    Shutdown(String how) {
      this.how = how;
    }

    /** For people. */
    public String words() {
      return "going down (planned: %s)".formatted(how);
    }
  }

  /**
   * Its agent says that it goes down.
   *
   * @param how empty if it stays up after all
   */
  record HostGoesDown(HostId host, Optional<Shutdown> how) implements OfHost {}

  /**
   * An operator says which machine it is.
   *
   * @param before what was on record; empty if nothing was
   */
  record HostAccepted(HostId host, String uuid, String by, Optional<String> before)
      implements OfHost {}

  /** Cut off and unreachable, it can run nothing after the bound. */
  record LeasesEnforced(HostId host, Duration bound) implements OfHost {}

  record WatchdogHasReset(HostId host) implements OfHost {}

  /**
   * A test has shown that these of its devices cut its power.
   *
   * @param level of its fencing devices, from 1
   */
  record DevicesProven(HostId host, int level) implements OfHost {}

  /** It is ordered to start there. */
  record GuestPlaced(GuestId guest, HostId host, Epoch epoch) implements OfGuest {}

  /**
   * It runs.
   *
   * @param moved why and how it came there by a migration; empty after a start
   */
  record GuestRuns(GuestId guest, HostId host, Epoch epoch, Optional<String> moved)
      implements OfGuest {}

  /**
   * It is off: nobody holds it.
   *
   * @param host that held it last; empty if none did
   * @param by what proved that; empty if nothing had to
   */
  record GuestOff(GuestId guest, Optional<HostId> host, Optional<Evidence> by, String why)
      implements OfGuest {}

  /** How a guest came to an end on its host. */
  enum End {
    CRASHED,
    POWERED_OFF,
    DESTROYED_BY_HAND,
    IO_ERROR,
    UNHEALTHY,
    ITS_HOST,
    /** Only a report says so, of an earlier turn of it. */
    UNCLEAR
  }

  /** Its agent is asked whether it is gone. */
  record GuestQuestioned(GuestId guest, HostId host, Epoch epoch, End end, String why)
      implements OfGuest {}

  record StartFailed(GuestId guest, HostId host, String why) implements OfGuest {}

  /** It may run there or not. */
  record StartUnclear(GuestId guest, HostId host, String why) implements OfGuest {}

  /** It has ended there while its host was well. */
  record GuestGone(GuestId guest, HostId host, String detail) implements OfGuest {}

  record GuestShutDownByHost(GuestId guest, HostId host, String detail) implements OfGuest {}

  record GuestUnhealthy(GuestId guest, HostId host, String detail) implements OfGuest {}

  /** A proof was void: the host holds it again. */
  record GuestMayRunThere(GuestId guest, HostId host, Epoch epoch) implements OfGuest {}

  /**
   * @param forGuest the more important one that needs the room
   */
  record GuestStoppedForRoom(GuestId guest, HostId host, GuestId forGuest) implements OfGuest {}

  /**
   * Its host is emptied of the others and then fenced, as libvirt there cannot end it.
   *
   * @param others on that host
   */
  record StuckGuestFreed(GuestId guest, HostId host, int others, OperationId operation)
      implements OfGuest {}

  record MigrationDecided(GuestId guest, HostId from, HostId to, String why) implements OfGuest {}

  /** The target can take it; from now on both hosts hold it. */
  record MigrationBegun(GuestId guest, HostId to) implements OfGuest {}

  /**
   * It is on its target, paused, and gone from its source.
   *
   * @param total how long the move took
   * @param pause how long the guest stood still for it until now; empty if libvirt does not say
   */
  record MigrationArrived(
      GuestId guest, HostId from, HostId to, Duration total, Optional<Duration> pause)
      implements OfGuest {}

  /** It stays where it was. */
  record MigrationFailed(GuestId guest, HostId at, String why) implements OfGuest {}

  /** How an operation ended. */
  enum Result {
    DONE,
    FAILED,
    CANCELLED
  }

  record OperationEnded(OperationId operation, Result result, String detail) implements Fact {
    @Override
    public String subject() {
      return operation.value();
    }
  }
}
