package dev.haven.model.api;

import com.fasterxml.jackson.annotation.JsonEnumDefaultValue;
import com.fasterxml.jackson.annotation.JsonValue;
import dev.haven.model.AddedLater;
import dev.haven.model.Capacity;
import dev.haven.model.FencingDevice;
import dev.haven.model.GuestHealth;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.JoinToken;
import dev.haven.model.KnownKey;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** What the orchestrator shows: the answers to {@code GET /v1/…}. */
public final class Views {
  private Views() {}

  /**
   * {@code GET /v1/status}.
   *
   * @param cluster the cluster's name; {@code haven} if its voters were given none
   * @param version the state version of this answer; grows with each entry of the log
   * @param term the Raft term of the voter that answered
   * @param leader the leading voter's name; empty while there is none
   * @param operations those under way, and those that ended recently
   * @param redundancy sentences about what another failure would cost; empty when the cluster is
   *     truly redundant
   * @param alone how a cluster of two voters stands, or one that went on without a quorum; empty
   *     for any other
   */
  public record Status(
      String cluster,
      long version,
      long term,
      Optional<String> leader,
      List<Voter> voters,
      List<Host> hosts,
      List<Guest> guests,
      List<Operation> operations,
      List<Alarm> alarms,
      List<String> redundancy,
      Optional<String> alone) {}

  /**
   * @param address host:port of its log, for the other voters
   * @param api host:port of its HTTPS, for clients and agents, where it was admitted with one
   * @param reachable whether the leader hears it
   * @param lag log entries behind the leader, 0 or more; -1 when not known
   * @param detail for people; may be empty
   */
  public record Voter(
      String name,
      String address,
      Optional<String> api,
      boolean leader,
      boolean reachable,
      long lag,
      String detail) {}

  /**
   * @param waiting what is waited for, why and until when; empty if nothing is
   * @param lastHeard how long ago a majority of voters heard it; empty if never
   * @param capacity as its agent said last
   * @param memoryUsedMib what its guests reserve of it, in MiB, with QEMU's own share
   * @param vcpusUsed virtual processors of its guests together
   * @param guests how many it has, or is to have
   * @param device how its fencing devices do, in a sentence
   * @param boot the id of its kernel's life under which its agent joined; empty before
   * @param agentVersion of the program, such as {@code 0.1.0}; empty before its agent joined
   * @param bound after how long its own watchdog proves that it runs nothing, such as {@code 38 s},
   *     or why it proves nothing, for people
   * @param spec as it was described, secrets hidden
   */
  public record Host(
      HostId id,
      State state,
      boolean cordoned,
      Optional<String> waiting,
      Optional<Duration> lastHeard,
      Capacity capacity,
      long memoryUsedMib,
      int vcpusUsed,
      int guests,
      String device,
      Optional<String> boot,
      Optional<String> agentVersion,
      Optional<String> bound,
      HostSpec spec) {
    /** What the cluster takes the host for. */
    public enum State {
      /** It was added, and its agent has not joined yet. */
      EXPECTED,
      ONLINE,
      /** It is silent. */
      SUSPECT,
      /** Its power is being cut. */
      FENCING,
      /** It is proven off. */
      FENCED,
      /** A newer voter says something else. */
      @JsonEnumDefaultValue
      UNKNOWN;

      @JsonValue
      public String word() {
        return name().toLowerCase(Locale.ROOT);
      }

      @Override
      public String toString() {
        return word();
      }
    }
  }

  /**
   * @param wanted whether its owner wants it to run
   * @param host that runs it or is to; empty if none
   * @param movingTo the target of its migration; empty if it has none
   * @param epoch the highest that was ever given for a guest of its name; 0 if none was
   * @param detail why, or what comes next; may be empty
   * @param memoryMib its own memory in MiB
   * @param priority larger starts first, -1000 to 1000
   */
  public record Guest(
      GuestId id,
      State state,
      boolean wanted,
      Optional<HostId> host,
      Optional<HostId> movingTo,
      long epoch,
      String detail,
      long memoryMib,
      int vcpus,
      int priority) {
    /** Whether it runs, or is stopped, as its owner wants it. */
    public boolean settled() {
      return state == (wanted ? State.RUNNING : State.STOPPED);
    }

    /** What the guest does, as far as the cluster knows. */
    public enum State {
      STOPPED,
      WAITING,
      STARTING,
      RUNNING,
      STOPPING,
      /** It is being ended, and starts again. */
      RESTARTING,
      MIGRATING,
      FAILED,
      /** Its host is silent; it may well be running. Also whatever a newer voter says. */
      @JsonEnumDefaultValue
      UNKNOWN;

      @JsonValue
      public String word() {
        return name().toLowerCase(Locale.ROOT);
      }

      @Override
      public String toString() {
        return word();
      }
    }
  }

  /**
   * {@code GET /v1/guests/NAME}.
   *
   * @param holders hosts that could run it as far as is proven
   * @param health as its host's agent said last; empty if it said nothing of it, and from voters
   *     that do not know it
   */
  public record GuestDetail(
      Guest guest, GuestSpec spec, List<HostId> holders, Optional<GuestHealth> health) {
    public GuestDetail(Guest guest, GuestSpec spec, List<HostId> holders) {
      this(guest, spec, holders, Optional.empty());
    }
  }

  /**
   * {@code GET /v1/operations/NAME}.
   *
   * @param subject the guest or host
   * @param detail what is going on, or how it ended
   * @param done steps that are done, of {@code total}
   * @param bytesDone of {@code bytesTotal}, for a migration under way; both 0 if unknown
   * @param rate bytes per second, of the migration; 0 if unknown
   * @param ended empty while it is under way
   * @param by who asked for it
   */
  public record Operation(
      OperationId id,
      Kind kind,
      String subject,
      State state,
      String detail,
      int done,
      int total,
      long bytesDone,
      long bytesTotal,
      long rate,
      Instant began,
      Optional<Instant> ended,
      String by) {
    public boolean over() {
      return ended.isPresent();
    }

    /** What the operation does. */
    public enum Kind {
      MIGRATE,
      MIGRATE_GROUP,
      MAKE_ROOM,
      RELOCATE,
      EVACUATE,
      START,
      STOP,
      FENCE,
      /** A host is emptied and fenced for a guest that libvirt there cannot end. */
      FREE,
      FENCE_TEST,
      /** A newer voter says something else. */
      @JsonEnumDefaultValue
      UNKNOWN;

      @JsonValue
      public String word() {
        return name().toLowerCase(Locale.ROOT).replace('_', ' ');
      }

      @Override
      public String toString() {
        return word();
      }
    }

    /** How far it is. */
    public enum State {
      RUNNING,
      DONE,
      FAILED,
      CANCELLED,
      /** A newer voter says something else. */
      @JsonEnumDefaultValue
      UNKNOWN;

      @JsonValue
      public String word() {
        return name().toLowerCase(Locale.ROOT);
      }

      @Override
      public String toString() {
        return word();
      }
    }
  }

  /**
   * A line of the audit log, {@code GET /v1/events?since=N} and, as server-sent events, {@code GET
   * /v1/events/stream?since=N}.
   *
   * @param index grows by at least one from line to line
   * @param at by the leader's wall clock
   * @param subject the host, guest or operation it is about
   * @param fact the same as data; empty where only the words are known
   */
  public record Event(
      long index, Instant at, Fact.Kind kind, String subject, String message, Optional<Fact> fact) {
    /** A line of which nothing but its words is known. */
    public Event(long index, Instant at, Fact.Kind kind, String subject, String message) {
      this(index, at, kind, subject, message, Optional.empty());
    }
  }

  /**
   * {@code GET /v1/guests/NAME/explain}: every host, best first, with the reasons for or against.
   */
  public record Explanation(GuestId guest, String summary, List<Candidate> hosts) {}

  /**
   * One host for that guest.
   *
   * @param fits whether the guest could start or arrive there
   * @param score larger is better; compares hosts of one answer only
   * @param reasons for people: against it if it does not fit, else what the score is made of
   */
  public record Candidate(HostId host, boolean fits, double score, List<String> reasons) {}

  /**
   * {@code GET /v1/export}: what a simulation of this cluster needs, at one moment.
   *
   * @param voters by name
   * @param policy the cluster's numbers by name, times as in ISO 8601
   */
  public record Export(
      List<String> voters,
      Map<String, String> policy,
      List<Host> hosts,
      List<GuestDetail> guests) {}

  /**
   * {@code GET /v1/tokens}.
   *
   * @param authority fingerprint of the cluster's certificate authority; empty if nobody can join
   * @param doors {@code address:port} of each voter for newcomers; empty if nobody can join
   */
  public record Tokens(Optional<String> authority, List<String> doors, List<Token> tokens) {
    public Tokens {
      doors = List.copyOf(doors);
      tokens = List.copyOf(tokens);
    }
  }

  /** {@code GET /v1/keys}. */
  public record Keys(List<KnownKey> keys) {
    public Keys {
      keys = List.copyOf(keys);
    }
  }

  /**
   * A token, without what it is worth.
   *
   * @param name that the newcomer must have; empty if it may choose
   * @param usedBy the name of who used it
   */
  public record Token(
      String id,
      JoinToken.Role role,
      Optional<String> name,
      Instant until,
      boolean ended,
      Optional<String> usedBy) {}

  /**
   * Any answer with an HTTP status of 400 or more.
   *
   * @param message what is wrong, where, and the way out
   */
  public record Problem(String message) {}

  /**
   * {@code GET /v1/hosts/NAME/devices}.
   *
   * @param detail what the last check found, in a sentence
   * @param checkedAgo when that was; empty before the first check
   * @param behaviour how a fence by it goes, in a clause: whether it carries out every order, and
   *     after how many seconds a host that is off already counts as off; empty before the first
   *     check
   */
  public record Device(
      FencingDevice device,
      State state,
      String detail,
      Optional<Duration> checkedAgo,
      @AddedLater String behaviour) {
    /** What the last check found. */
    public enum State {
      OK,
      PROBLEM,
      UNCHECKED,
      /** It answers, but nothing shows that it is this host's. */
      UNTESTED,
      /** A newer voter says something else. */
      @JsonEnumDefaultValue
      UNKNOWN;

      @JsonValue
      public String word() {
        return name().toLowerCase(Locale.ROOT);
      }

      @Override
      public String toString() {
        return word();
      }
    }
  }
}
