package dev.haven.model;

/** How libvirt says that a domain is, reduced to what decisions need. */
public enum DomainState {
  RUNNING,
  /** Paused, by its owner or by us; not by the storage. */
  PAUSED,
  /** Paused by this host's agent, because its lease has ended; goes on with the next one. */
  PAUSED_NO_LEASE,
  /** Paused by QEMU because a disk failed. Counts as failed. */
  PAUSED_IO_ERROR,
  /** Paused by QEMU because its storage is full. Never a failover. */
  PAUSED_NO_SPACE,
  /** Arriving in a migration that has not ended; never runs. */
  INCOMING,
  /** Asked to shut down and not yet off. */
  SHUTTING_DOWN,
  /**
   * Off because the guest itself powered off, or was asked to by a person. Said only where libvirt
   * said so, and never while its host goes down: it is taken for its owner's wish.
   */
  OFF_SHUTDOWN,
  /**
   * Off by its host: QEMU was ended by a signal, or the host goes down. Not its owner's wish, and
   * no crash of the guest.
   */
  OFF_BY_HOST,
  /** Off because its process died. */
  OFF_CRASHED,
  /** Off because somebody destroyed it. */
  OFF_DESTROYED,
  /** Off, moved to another host. */
  OFF_MIGRATED,
  /** Off for another reason, or never started. */
  OFF;

  /** Whether it executes instructions now or may do so without anybody's order. */
  public boolean active() {
    return switch (this) {
      case RUNNING,
          PAUSED,
          PAUSED_NO_LEASE,
          PAUSED_IO_ERROR,
          PAUSED_NO_SPACE,
          INCOMING,
          SHUTTING_DOWN ->
          true;
      case OFF_SHUTDOWN, OFF_BY_HOST, OFF_CRASHED, OFF_DESTROYED, OFF_MIGRATED, OFF -> false;
    };
  }

  /** Whether it executes instructions now, as far as libvirt knows. */
  public boolean executes() {
    return this == RUNNING || this == SHUTTING_DOWN;
  }

  /** Whether it is here and executes nothing until somebody lets it go on. */
  public boolean paused() {
    return switch (this) {
      case PAUSED, PAUSED_NO_LEASE, PAUSED_IO_ERROR, PAUSED_NO_SPACE -> true;
      case RUNNING,
          INCOMING,
          SHUTTING_DOWN,
          OFF_SHUTDOWN,
          OFF_BY_HOST,
          OFF_CRASHED,
          OFF_DESTROYED,
          OFF_MIGRATED,
          OFF ->
          false;
    };
  }
}
