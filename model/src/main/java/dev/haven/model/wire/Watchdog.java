package dev.haven.model.wire;

import dev.haven.model.PlainText;
import java.time.Duration;
import java.util.Optional;

/**
 * A host's watchdog, as its agent sees it.
 *
 * @param identity what the driver calls itself; another one has to be seen resetting the host again
 * @param timeout the host is reset so long after the last feeding that a judgement allowed, however
 *     often its agent ends and starts
 * @param resetThisHost whether the last boot of this host was its doing, as the driver says
 * @param enforcing whether the agent pauses guests without a lease, and feeds the watchdog only
 *     while each guest here has one or is proven paused
 * @param toldAt the version of the state at which a leader last said whether to; empty before, and
 *     from agents that do not say it
 * @param lease the length of lease that its agent asks for, by how long pausing all its guests
 *     takes; empty from agents that do not say it
 * @param pills the host obeys poison pills, under this boot; empty if it has no SBD disks, or none
 *     that can be read
 */
public record Watchdog(
    Kind kind,
    String identity,
    Duration timeout,
    boolean resetThisHost,
    boolean enforcing,
    Optional<Long> toldAt,
    Optional<PillWatch> pills,
    Optional<LeaseLength> lease) {
  /** The kernel has 32 characters for it. */
  private static final int IDENTITY_MAX = 100;

  public Watchdog {
    identity = PlainText.brief(identity, IDENTITY_MAX);
  }

  /** Of an agent that asks for no length of lease. */
  public Watchdog(
      Kind kind,
      String identity,
      Duration timeout,
      boolean resetThisHost,
      boolean enforcing,
      Optional<Long> toldAt,
      Optional<PillWatch> pills) {
    this(kind, identity, timeout, resetThisHost, enforcing, toldAt, pills, Optional.empty());
  }

  public Watchdog enforcing(boolean on) {
    return new Watchdog(kind, identity, timeout, resetThisHost, on, toldAt, pills, lease);
  }

  /** How far it can be relied on. */
  public enum Kind {
    /** A device outside the kernel's control. */
    HARDWARE,
    /** The kernel's own timer: a kernel that hangs altogether may not be reset by it. */
    SOFTDOG,
    /** The lab's. */
    LAB
  }
}
