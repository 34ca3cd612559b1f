package dev.haven.core.ha;

import dev.haven.model.BootId;
import dev.haven.model.HostId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.Watchdog;
import java.time.Duration;
import java.util.Optional;

/**
 * What a host's own watchdog is worth: whether it can be relied on that the host runs nothing any
 * more once its leases have ended and the watchdog has had its time. In the hard state, because a
 * leader who relies on it may be a later one.
 *
 * @param boot under which the agent last spoke of its watchdog
 * @param watchdog what it said then; empty if it has none
 * @param seenToReset the identity of the watchdog that once reset this host
 * @param softdogTrusted an operator relies on the kernel's own timer here
 * @param notBefore its agent is known not to have enforced leases under the state of this version:
 *     that it does counts only if it was told so under a later one, as a word that was on its way
 *     for long may be overtaken; empty if that was never so
 * @param leasing how long the leases of this boot last
 */
public record Guard(
    Optional<BootId> boot,
    Optional<Watchdog> watchdog,
    Optional<String> seenToReset,
    boolean softdogTrusted,
    Optional<Long> notBefore,
    Leasing leasing) {
  public static final Guard NONE =
      new Guard(
          Optional.empty(),
          Optional.empty(),
          Optional.empty(),
          false,
          Optional.empty(),
          Leasing.LONG);

  /**
   * How long leases last that are granted, and how long ones the bound counts. It never counts a
   * shorter lease than may be out: from long leases to short ones there is no way but over the one
   * in between.
   *
   * <pre>
   *   LONG ──asks for short──► SHORTENING ──nothing is left of long ones──► SHORT
   *    ▲                            │                                        │
   *    └───────────────── asks for long, or a new boot ──────────────────────┘
   * </pre>
   */
  public enum Leasing {
    LONG(LeaseLength.LONG, LeaseLength.LONG),
    /** Granted are short ones, and long ones may be out. */
    SHORTENING(LeaseLength.SHORT, LeaseLength.LONG),
    SHORT(LeaseLength.SHORT, LeaseLength.SHORT);

    private final LeaseLength granted;
    private final LeaseLength counted;

    Leasing(LeaseLength granted, LeaseLength counted) {
      this.granted = granted;
      this.counted = counted;
    }

    public LeaseLength granted() {
      return granted;
    }

    LeaseLength counted() {
      return counted;
    }

    /** The agent asks for leases of this length. */
    Leasing asked(LeaseLength length) {
      return switch (length) {
        case LONG -> LONG;
        case SHORT -> this == LONG ? SHORTENING : this;
      };
    }
  }

  /** The agent speaks of its watchdog under this boot. */
  Guard heard(BootId now, Optional<Watchdog> said) {
    var seen = said.filter(Watchdog::resetThisHost).map(Watchdog::identity).or(() -> seenToReset);
    var told = said.flatMap(Watchdog::toldAt).orElse(0L);
    boolean enforces =
        said.filter(Watchdog::enforcing).isPresent()
            && (notBefore.isEmpty() || told > notBefore.get());
    var denied =
        said.filter(w -> !w.enforcing()).flatMap(Watchdog::toldAt).isPresent()
            ? Optional.of(Math.max(told, notBefore.orElse(0L)))
            : notBefore;
    var asked = said.flatMap(Watchdog::lease).orElse(LeaseLength.LONG);
    var sameBoot = boot.equals(Optional.of(now)) ? leasing : Leasing.LONG;
    // when it was told is of no more use, and would make each word a new one
    var kept =
        said.map(
            w ->
                new Watchdog(
                    w.kind(),
                    w.identity(),
                    w.timeout(),
                    w.resetThisHost(),
                    enforces,
                    Optional.empty(),
                    w.pills(),
                    w.lease()));
    return new Guard(Optional.of(now), kept, seen, softdogTrusted, denied, sameBoot.asked(asked));
  }

  /** Its agent is not relied on until it says so again, told under a state after this version. */
  Guard notEnforcing(long version) {
    return new Guard(
        boot,
        watchdog.map(w -> w.enforcing(false)),
        seenToReset,
        softdogTrusted,
        Optional.of(version),
        leasing);
  }

  /** Nothing is left of the long leases that were granted under this boot. */
  Guard shortened() {
    return leasing == Leasing.SHORTENING ? with(Leasing.SHORT) : this;
  }

  /** Leases of any length may be out: another side of the cluster may have granted them. */
  Guard lengthened() {
    return with(Leasing.LONG);
  }

  private Guard with(Leasing next) {
    return new Guard(boot, watchdog, seenToReset, softdogTrusted, notBefore, next);
  }

  /** Whether the bound may get shorter than it was by what was known before. */
  boolean follows(Optional<Guard> before) {
    return leasing != Leasing.SHORT
        || before.filter(b -> b.leasing != Leasing.LONG && b.boot.equals(boot)).isPresent();
  }

  Guard trusting(boolean softdog) {
    return new Guard(boot, watchdog, seenToReset, softdog, notBefore, leasing);
  }

  /** Whether the host should enforce its leases: all but that is there to rely on it. */
  public boolean dependable(HostId host) {
    return obstacle(host).isEmpty();
  }

  /** The bound, where it is a proof for what was placed under this boot. */
  public Optional<Duration> bound(HostId host, BootId placedUnder) {
    return noProof(host, placedUnder).isEmpty()
        ? watchdog.map(w -> leasing.counted().bound(w.timeout()))
        : Optional.empty();
  }

  /** When nothing is left of a long lease, counted from when it was granted. */
  public Optional<Duration> longBound() {
    return watchdog.map(w -> LeaseLength.LONG.bound(w.timeout()));
  }

  /** Why the bound is no proof, and the way out; empty if it is one. */
  public Optional<String> noProof(HostId host, BootId placedUnder) {
    var obstacle = obstacle(host);
    if (obstacle.isPresent()) {
      return obstacle;
    }
    if (!boot.equals(Optional.of(placedUnder))) {
      return Optional.of("its watchdog was not armed under this boot");
    }
    return watchdog.filter(Watchdog::enforcing).isPresent()
        ? Optional.empty()
        : Optional.of("its agent does not enforce leases yet");
  }

  /**
   * Why this poison pill proves nothing of what was placed under this boot; empty if it does: its
   * host has read it and ended, or was deaf, so that its watchdog has reset it by now.
   */
  Optional<String> noPill(HostId host, BootId placedUnder, Pill pill) {
    var general = noPill(host, placedUnder);
    if (general.isPresent()) {
      return general;
    }
    var dog = watchdog.orElseThrow();
    var listener = dog.pills().orElseThrow();
    if (!listener.slot().equalsIgnoreCase(pill.slot())) {
      return Optional.of(
          "it was written to slot %s, but the host listens to %s"
              .formatted(pill.slot(), listener.slot()));
    }
    long read = pill.ids().stream().filter(listener.disks()::contains).count();
    if (read * 2 <= listener.configured()) {
      return Optional.of(
          "%d of the %d disks to which the host listens held it, and it takes more than half"
              .formatted(read, listener.configured()));
    }
    var needed = listener.deaf().plus(dog.timeout());
    return pill.waited().compareTo(needed) > 0
        ? Optional.empty()
        : Optional.of(
            "it was waited for during %d s, but the host may be deaf for %d s and its watchdog takes %d s more"
                .formatted(
                    pill.waited().toSeconds(),
                    listener.deaf().toSeconds(),
                    dog.timeout().toSeconds()));
  }

  /** Why no poison pill would prove anything, and the way out. */
  public Optional<String> noPill(HostId host, BootId placedUnder) {
    if (watchdog.flatMap(Watchdog::pills).isEmpty()) {
      return Optional.of(
          "its agent does not listen to an SBD disk; give it watchdog and sbd in its agent.yaml");
    }
    var obstacle = obstacle(host);
    if (obstacle.isPresent()) {
      return obstacle;
    }
    return boot.equals(Optional.of(placedUnder))
        ? Optional.empty()
        : Optional.of("its agent did not listen under this boot");
  }

  private Optional<String> obstacle(HostId host) {
    if (watchdog.isEmpty()) {
      return Optional.of("it has no watchdog");
    }
    var armed = watchdog.get();
    if (!seenToReset.equals(Optional.of(armed.identity()))) {
      return Optional.of(
          "its watchdog (%s) was never seen to reset it; evacuate it, then: haven watchdog test %s"
              .formatted(armed.identity(), host));
    }
    return armed.kind() == Watchdog.Kind.SOFTDOG && !softdogTrusted
        ? Optional.of(
            "its watchdog is the kernel's own timer, which a kernel that hangs may not obey; to rely on it all the same: haven watchdog trust %s"
                .formatted(host))
        : Optional.empty();
  }
}
