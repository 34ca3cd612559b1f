package dev.haven.agent.guest;

import dev.haven.agent.guest.LibvirtState.Why;
import java.time.Duration;
import java.time.Instant;

/**
 * What libvirt tells by itself. Events can be lost (libvirtd restarts, a full queue): {@link
 * Hypervisor#domains} is the truth.
 */
public sealed interface DomainEvent {

  /** When this process heard it. */
  Instant at();

  /** A domain changed its state: {@code why} is FAILED or CRASHED when its process died. */
  record Changed(Instant at, String domain, Change change, Why why) implements DomainEvent {}

  /**
   * A disk failed under the guest.
   *
   * @param disk libvirt's alias of the device, such as virtio-disk0
   * @param paused the guest was paused for it; otherwise the guest sees the error or nobody does
   * @param full no space left, as opposed to a failing disk
   */
  record IoError(Instant at, String domain, String disk, String path, boolean paused, boolean full)
      implements DomainEvent {}

  /**
   * The guest stopped feeding its watchdog.
   *
   * @param id libvirt's number of this turn of the domain
   */
  record WatchdogFired(Instant at, String domain, int id, WatchdogAction action)
      implements DomainEvent {}

  /** The guest rebooted itself. */
  record Rebooted(Instant at, String domain) implements DomainEvent {}

  /**
   * A job such as an outgoing migration ended.
   *
   * @param downtime as libvirt measured it; zero if it did not say
   */
  record JobCompleted(
      Instant at,
      String domain,
      boolean success,
      Duration total,
      Duration downtime,
      long transferred)
      implements DomainEvent {}

  /** So many events did not fit the queue: ask {@link Hypervisor#domains}. */
  record Missed(Instant at, int events) implements DomainEvent {}

  /** What QEMU did when a watchdog fired; libvirt's virDomainEventWatchdogAction. */
  enum WatchdogAction {
    NONE,
    PAUSE,
    RESET,
    POWEROFF,
    SHUTDOWN,
    DUMP,
    INJECT_NMI,
    UNKNOWN
  }

  /** libvirt's virDomainEventType. */
  enum Change {
    DEFINED,
    UNDEFINED,
    STARTED,
    SUSPENDED,
    RESUMED,
    STOPPED,
    /** The guest has finished its own shutdown; STOPPED follows. */
    SHUTDOWN,
    SLEEPING,
    CRASHED
  }
}
