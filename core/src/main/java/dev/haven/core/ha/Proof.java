package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.HostId;
import dev.haven.model.api.Fact;
import java.time.Duration;
import java.time.Instant;
import java.util.List;

/**
 * Why a host cannot use a guest, or whatever else is exclusive, now or later, as far as it was
 * given under {@link #boot}. Silence is no proof; a call that timed out is none either. {@link #at}
 * is for people; every comparison of times was made by a monotonic clock before the proof was
 * written down.
 */
public sealed interface Proof {
  HostId host();

  BootId boot();

  Instant at();

  /** One clause for people: {@code power read back off twice from ipmi}. */
  String evidence();

  /** What it rests on. */
  default Fact.Evidence kind() {
    return switch (this) {
      case PowerReadOff _ -> Fact.Evidence.POWER_READ_OFF;
      case PoisonPill _ -> Fact.Evidence.POISON_PILL;
      case NewerBoot _ -> Fact.Evidence.NEWER_BOOT;
      case AgentsWord _ -> Fact.Evidence.AGENTS_WORD;
      case BoundRunOut _ -> Fact.Evidence.BOUND_RUN_OUT;
      case StorageRevoked _ -> Fact.Evidence.STORAGE_REVOKED;
      case OperatorsWord _ -> Fact.Evidence.OPERATORS_WORD;
    };
  }

  /**
   * Whether it says that the host can run nothing, so that any later sign of life under that boot
   * voids it. An agent's word, a newer boot and revoked storage hold although the host lives.
   */
  default boolean voidedByLife() {
    return switch (this) {
      case PowerReadOff _, PoisonPill _, BoundRunOut _, OperatorsWord _ -> true;
      case AgentsWord _, NewerBoot _, StorageRevoked _ -> false;
    };
  }

  /** Whether it takes this holding away. */
  default boolean covers(Exclusive what, Holding holding) {
    return host().equals(holding.host()) && boot().equals(holding.boot());
  }

  /**
   * Every power device of one level said off, twice, after our own order to switch off; the
   * readings began after the host's last sign of life.
   *
   * @param readings each device's own words
   */
  record PowerReadOff(HostId host, BootId boot, List<String> readings, Instant at)
      implements Proof {
    public PowerReadOff {
      readings = List.copyOf(readings);
      if (readings.isEmpty()) {
        throw new IllegalArgumentException("host " + host + ": power read off by no device");
      }
    }

    @Override
    public String evidence() {
      return "power read back off: " + String.join("; ", readings);
    }
  }

  /**
   * A message that ends the host stood on a majority of its SBD disks until its wait was over,
   * while its watcher was known to be armed under this boot.
   *
   * @param disks that held it
   * @param waited the disks' {@code msgwait}
   * @param armed what was known of the watcher, in words; see {@link Guard#noPill}
   */
  record PoisonPill(
      HostId host, BootId boot, List<String> disks, Duration waited, String armed, Instant at)
      implements Proof {
    public PoisonPill {
      disks = List.copyOf(disks);
      if (disks.isEmpty() || armed.isBlank() || !waited.isPositive()) {
        throw new IllegalArgumentException(
            "host %s: poisoned on %s, waited %s, armed '%s'".formatted(host, disks, waited, armed));
      }
    }

    @Override
    public String evidence() {
      return "poison pill on %s for %d s, and %s"
          .formatted(String.join(", ", disks), waited.toSeconds(), armed);
    }
  }

  /** The host itself is back under another boot id: what ran before is gone. */
  record NewerBoot(HostId host, BootId boot, BootId newer, Instant at) implements Proof {
    public NewerBoot {
      if (boot.equals(newer)) {
        throw new IllegalArgumentException(
            "host " + host + ": boot " + boot + " is not newer than itself");
      }
    }

    @Override
    public String evidence() {
      return "booted again (" + newer + ")";
    }
  }

  /**
   * The agent, asked after the decision: libvirt says off, no job is left, and epochs up to {@code
   * refused} will be refused.
   */
  record AgentsWord(
      HostId host, BootId boot, Exclusive exclusive, Epoch refused, String said, Instant at)
      implements Proof {
    @Override
    public boolean covers(Exclusive what, Holding holding) {
      return Proof.super.covers(what, holding)
          && exclusive.equals(what)
          && holding.epoch().compareTo(refused) <= 0;
    }

    @Override
    public String evidence() {
      return "its agent says: " + said;
    }
  }

  /**
   * The host's leases have ended, and its watchdog has had its time: it has paused its guests or
   * was reset. Counts only where {@link Guard#bound} said so for this boot.
   *
   * @param bound how long nothing was granted and nothing seen of it
   * @param watchdog that it rests on
   */
  record BoundRunOut(HostId host, BootId boot, Duration bound, String watchdog, Instant at)
      implements Proof {
    @Override
    public String evidence() {
      return "unheard and without a lease for %d s, which its watchdog (%s) does not let it survive"
          .formatted(bound.toSeconds(), watchdog);
    }
  }

  /**
   * No writable disk of the guest takes writes from the host any more. The copy there may still
   * run, so this says nothing of what it sends to a network, and nothing of another guest. Nothing
   * makes one yet: it waits for the first storage driver that can cut a host off. What it covers
   * and what voids it is decided, and tested, before a driver can rely on it.
   *
   * @param epoch the latest that was cut off
   * @param revoked what each disk's storage said; a guest without a writable disk has no such proof
   */
  record StorageRevoked(
      HostId host, BootId boot, Exclusive exclusive, Epoch epoch, List<String> revoked, Instant at)
      implements Proof {
    public StorageRevoked {
      revoked = List.copyOf(revoked);
      if (revoked.isEmpty()) {
        throw new IllegalArgumentException(
            "%s on host %s: no disk was revoked".formatted(exclusive, host));
      }
    }

    @Override
    public boolean covers(Exclusive what, Holding holding) {
      return Proof.super.covers(what, holding)
          && exclusive.equals(what)
          && holding.epoch().compareTo(epoch) <= 0;
    }

    @Override
    public String evidence() {
      return "its disks take no writes from there: " + String.join("; ", revoked);
    }
  }

  /** An operator typed that the host is off and stays off. */
  record OperatorsWord(HostId host, BootId boot, String operator, boolean overridden, Instant at)
      implements Proof {
    @Override
    public String evidence() {
      return "the word of " + operator + (overridden ? ", against other signs" : "");
    }
  }
}
