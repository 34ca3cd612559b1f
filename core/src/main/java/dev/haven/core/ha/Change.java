package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Capacity;
import dev.haven.model.Definition;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.JoinToken;
import dev.haven.model.KnownKey;
import dev.haven.model.Policy;
import dev.haven.model.RequestId;
import dev.haven.model.api.Alarm;
import dev.haven.model.api.Reply;
import java.time.Instant;
import java.util.Optional;

/**
 * What is different from now on, in the hard state. Applied alike by every voter; see {@link
 * ClusterState#apply}.
 */
public sealed interface Change {
  /** Of one host: kept by {@link HostTable}. */
  sealed interface OfHost extends Change {}

  /** Of one guest: kept by {@link GuestTable}. */
  sealed interface OfGuest extends Change {}

  /** Of one guest, and not of who holds it. */
  sealed interface OfGuestItself extends OfGuest {}

  /** Of one operation: kept by {@link OperationTable}. */
  sealed interface OfOperation extends Change {}

  /** Of the cluster as a whole. */
  sealed interface OfCluster extends Change {}

  /** Of who may become a part of the cluster: kept by {@link Trust}. */
  sealed interface OfTrust extends Change {}

  /** A new host, or a new description of one. */
  record HostDescribed(HostSpec spec) implements OfHost {}

  record HostRemoved(HostId host) implements OfHost {}

  record HostCordoned(HostId host, boolean cordoned) implements OfHost {}

  /**
   * Its agent joined.
   *
   * @param systemUuid that its machine is known by from now on; empty if it has none
   */
  record AgentSeated(
      HostId host, BootId boot, Host.Agent agent, Capacity capacity, Optional<String> systemUuid)
      implements OfHost {
    /** Of a machine without a UUID. */
    public AgentSeated(HostId host, BootId boot, Host.Agent agent, Capacity capacity) {
      this(host, boot, agent, capacity, Optional.empty());
    }
  }

  /** An operator says which machine a host is; empty if it has no UUID of its own. */
  record HostIdentified(HostId host, Optional<String> systemUuid) implements OfHost {}

  /** What its watchdog is worth from now on. */
  record HostGuarded(HostId host, Guard guard) implements OfHost {}

  /** This level of its fencing devices was seen to cut this host's power. From 1. */
  record FencingTested(HostId host, int level) implements OfHost {}

  /** Its agent says how it goes down; empty if it stays up after all. */
  record HostGoesDown(HostId host, Optional<Host.Shutdown> shutdown) implements OfHost {}

  record HostStateChanged(HostId host, HostState state) implements OfHost {}

  /**
   * A new guest, or a new description of one.
   *
   * @param wanted counts for a new one only
   * @param definition what its domain XML says of its disks
   */
  record GuestDescribed(GuestSpec spec, boolean wanted, Optional<Definition> definition)
      implements OfGuestItself {
    /** Its definition is read here: no host has looked at its disks. */
    public GuestDescribed(GuestSpec spec, boolean wanted) {
      this(spec, wanted, Optional.of(Definition.ofAny(spec.domainXml())));
    }
  }

  /** Hosts have looked at the guest's disks. */
  record DisksResolved(GuestId guest, Definition definition) implements OfGuestItself {}

  /** Refused while a host holds it. */
  record GuestRemoved(GuestId guest) implements OfGuestItself {}

  record GuestWanted(GuestId guest, boolean wanted) implements OfGuestItself {}

  /** A host is given the guest under a new epoch. Refused unless nobody holds it. */
  record GuestPlaced(GuestId guest, Holding holding) implements OfGuest {}

  /**
   * The intent to migrate. From now on both hosts hold the guest. Refused unless only the source
   * does.
   */
  record MigrationBegun(GuestId guest) implements OfGuest {}

  /** A host cannot run the guest any more. Refused unless the proof covers its holding. */
  record HolderCleared(GuestId guest, HostId host, Proof proof) implements OfGuest {}

  /** A proof turned out to be contradicted before the order that rests on it left. */
  record HolderRestored(GuestId guest, Holding holding) implements OfGuest {}

  /**
   * Refused if the phase names a host that does not hold the guest, or says that none does while
   * one does.
   */
  record PhaseChanged(GuestId guest, GuestPhase phase) implements OfGuestItself {}

  /** A start failed on this host. */
  record StartFailed(GuestId guest, HostId host) implements OfGuestItself {}

  /** It is tried last on this host until it runs well: its storage failed there. */
  record HostShunned(GuestId guest, HostId host) implements OfGuestItself {}

  /** It runs well: past failures no longer count. */
  record FailuresForgotten(GuestId guest) implements OfGuestItself {}

  /** An I/O error paused it there. */
  record StorageFailed(GuestId guest, HostId host, Instant at) implements OfGuestItself {}

  /** An operator moves it to this host. */
  record GuestMovedByHand(GuestId guest, HostId to) implements OfGuestItself {}

  /** It ended by itself while its host was well. */
  record GuestCrashed(GuestId guest, HostId host, Instant at) implements OfGuestItself {}

  /** Its owner starts it: how it ended before no longer counts. */
  record CrashesForgotten(GuestId guest) implements OfGuestItself {}

  record OperationBegun(Operation operation) implements OfOperation {}

  record OperationChanged(Operation operation) implements OfOperation {}

  /**
   * A voter went on without a quorum. Where an operator said so, another side may have gone on as
   * well: epochs begin above all that it can have given.
   */
  record GenerationBegun(long generation) implements OfCluster {}

  /** Nobody is fenced from now on, and no host's leases are relied on. */
  record Paused(Pause pause) implements OfCluster {}

  /** A host has said that it does not enforce leases any more. */
  record PauseHeard(HostId host) implements OfCluster {}

  record Resumed() implements OfCluster {}

  record PolicyChanged(Policy policy) implements OfCluster {}

  record AlarmRaised(Alarm alarm) implements OfCluster {
    public AlarmRaised {
      alarm.known();
    }
  }

  record AlarmCleared(String id) implements OfCluster {}

  /** The key with which newcomers' certificates are signed, sealed with the voters' own key. */
  record AuthorityTaken(String sealed) implements OfTrust {}

  record TokenCreated(JoinToken token) implements OfTrust {}

  /** Refused if it was used before. */
  record TokenUsed(String id, JoinToken.Use use) implements OfTrust {}

  /** From now on, it lets nobody in. */
  record KeyRevoked(KnownKey key) implements OfTrust {}

  /** It is revoked, or ended. */
  record TokenForgotten(String id) implements OfTrust {}

  /** So that the same request sent again is answered, not done again. */
  record RequestAnswered(RequestId request, Instant at, Reply reply) implements OfCluster {}
}
