package dev.haven.model.api;

import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.HostId;
import dev.haven.model.HostSpec;
import dev.haven.model.JoinToken;
import dev.haven.model.KnownKey;
import dev.haven.model.OperationId;
import java.time.Duration;
import java.util.Optional;

/**
 * What a person asks of the cluster. {@code POST /v1/commands} takes one in a {@link
 * CommandRequest}.
 */
public sealed interface Command {
  /** Takes a host into the cluster, or changes how it is described. */
  record AddHost(HostSpec host) implements Command {}

  /** Forgets a host; refused while a guest of the cluster may run there. */
  record RemoveHost(HostId host) implements Command {}

  /**
   * The machine with this SMBIOS UUID is the host from now on, after an exchange of its board. What
   * is held because of its UUID may join.
   *
   * @param uuid as the alarm names it; {@link dev.haven.model.SystemUuid#NONE} for a machine that
   *     has none of its own
   */
  record AcceptHost(HostId host, String uuid) implements Command {}

  /** Lets no new guest onto this host until {@link Uncordon}; those that run there stay. */
  record Cordon(HostId host) implements Command {}

  /** Lets guests onto this host again. Those that left do not come back by themselves. */
  record Uncordon(HostId host) implements Command {}

  /** Cordons the host and moves its guests off. An operation. */
  record Evacuate(HostId host) implements Command {}

  /**
   * Cuts the host's power, for good; its guests start elsewhere once it is proven off. An
   * operation.
   */
  record Fence(HostId host) implements Command {}

  /**
   * An operator's word that the host is off and stays off.
   *
   * @param sentence must be {@link #sentence}; and {@link #override} too where the cluster has
   *     reasons to doubt it
   */
  record ConfirmDead(HostId host, String sentence, Optional<String> override) implements Command {
    public static String sentence(HostId host) {
      return "host " + host + " is off and stays off";
    }

    public static String override(HostId host) {
      return "host " + host + " answers, and I still say that it is off";
    }
  }

  /** Says what a guest is to be. */
  sealed interface DescribesGuest extends Command {
    GuestSpec guest();

    /** The same of another description. */
    Command of(GuestSpec other);
  }

  /** Takes a guest into the cluster; it starts at once if {@code start}. */
  record CreateGuest(GuestSpec guest, boolean start) implements DescribesGuest {
    @Override
    public CreateGuest of(GuestSpec other) {
      return new CreateGuest(other, start);
    }
  }

  /** Changes a guest's description: at once for placement, at its next start for libvirt. */
  record EditGuest(GuestSpec guest) implements DescribesGuest {
    @Override
    public EditGuest of(GuestSpec other) {
      return new EditGuest(other);
    }
  }

  /** Starts it, and keeps it running from now on. An operation. */
  record StartGuest(GuestId guest) implements Command {}

  /**
   * Asks it to shut down and keeps it stopped. An operation.
   *
   * @param grace how long it may take before its power is cut; zero cuts it at once
   */
  record StopGuest(GuestId guest, Duration grace) implements Command {}

  /** Forgets a stopped guest. Its disks stay. */
  record RemoveGuest(GuestId guest) implements Command {}

  /**
   * Moves it while it runs; to the best host if none is named. An operation.
   *
   * @param withGroup whether it takes along the guests with which it must stay together; if not, or
   *     if it is not said, a move that would part them is refused
   */
  record Migrate(GuestId guest, Optional<HostId> to, Optional<Boolean> withGroup)
      implements Command {
    public Migrate(GuestId guest, Optional<HostId> to) {
      this(guest, to, Optional.empty());
    }

    public Migrate(GuestId guest, Optional<HostId> to, boolean withGroup) {
      this(guest, to, Optional.of(withGroup));
    }
  }

  /**
   * Stops it and starts it on another host; on the best one if none is named. An operation. If that
   * host cannot take it any more once it is off, it starts where it fits.
   *
   * @param grace as in {@link StopGuest}
   * @param withGroup as in {@link Migrate}
   */
  record Relocate(GuestId guest, Optional<HostId> to, Duration grace, Optional<Boolean> withGroup)
      implements Command {
    public Relocate(GuestId guest, Optional<HostId> to, Duration grace) {
      this(guest, to, grace, Optional.empty());
    }

    public Relocate(GuestId guest, Optional<HostId> to, Duration grace, boolean withGroup) {
      this(guest, to, grace, Optional.of(withGroup));
    }
  }

  /**
   * Fences nobody, and relies on no host's leases, until {@code Resume} or the time is over: for
   * work on the network or the power.
   *
   * @param reason one line for people, at most 500 characters
   * @param within 1 s to 30 days; empty until {@code Resume}
   */
  record Pause(String reason, Optional<Duration> within) implements Command {
    private static final Duration SHORTEST = Duration.ofSeconds(1);
    private static final Duration LONGEST = Duration.ofDays(30);

    /**
     * @throws IllegalArgumentException for any other time
     */
    public Pause {
      if (within.filter(t -> t.compareTo(SHORTEST) < 0 || t.compareTo(LONGEST) > 0).isPresent()) {
        throw new IllegalArgumentException(
            "pause: a time of %s is not between 1 s and 30 days; leave it out to pause until haven resume"
                .formatted(within.get()));
      }
    }
  }

  /** Ends {@link Pause}: silent hosts are fenced again. */
  record Resume() implements Command {}

  /** Lets the watchdog of an empty, cordoned host reset it, so that it is seen to do so. */
  record TestWatchdog(HostId host) implements Command {}

  /** Whether the kernel's own timer counts as a watchdog on this host. */
  record TrustSoftdog(HostId host, boolean trusted) implements Command {}

  /**
   * Cuts the power of an empty, cordoned host by one level of its fencing devices, reads it back
   * off, switches it on again and waits until it has booted again: these devices are this host's.
   * An operation.
   *
   * @param level counted from 1
   */
  record TestFencing(HostId host, int level) implements Command {}

  /** Ends an operation where that is safe; what is done stays done. */
  record CancelOperation(OperationId operation) implements Command {}

  /**
   * Lets one machine join. The secret stays with who made it.
   *
   * @param hash as in {@link JoinToken}
   * @param name that the machine must have; empty if it may choose
   * @param within for how long, 1 min to 7 days
   */
  record CreateToken(String hash, JoinToken.Role role, Optional<String> name, Duration within)
      implements Command {}

  /** A token lets nobody join any more. A machine that joined by it stays. */
  record RevokeToken(String id) implements Command {}

  /**
   * A key lets nobody in any more, whatever certificate it comes with.
   *
   * @param replaced whether its holder works with another key: the leader says so itself
   */
  record RevokeKey(KnownKey key, boolean replaced) implements Command {}

  /** What a voter asks of the log by itself. From outside it is refused. */
  sealed interface OfVoter extends Command {}

  /**
   * Takes the key of the cluster's certificate authority into the log.
   *
   * @param key sealed; only voters can open it
   */
  record TakeAuthority(String key) implements OfVoter {}

  /**
   * A newcomer uses its token, which nobody can use after it.
   *
   * @param key SHA-256 of the newcomer's public key
   * @param host how the cluster describes it, if it is to be a host
   */
  record UseToken(
      String hash, JoinToken.Role role, String name, String key, Optional<HostSpec> host)
      implements OfVoter {}

  /**
   * Changes one setting of the whole cluster.
   *
   * @param setting its name, such as {@code stuck-destroy}
   * @param value as a person writes it; what cannot be read is refused with the values that can
   */
  record SetPolicy(String setting, String value) implements Command {}
}
