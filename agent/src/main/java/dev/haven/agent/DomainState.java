package dev.haven.agent;

import java.util.Locale;

/** What libvirt says a domain does, and why. */
public record DomainState(Run run, Why why) {

  /** libvirt's virDomainState. */
  public enum Run {
    UNKNOWN,
    /** On a processor, or waiting for one or for a device. */
    RUNNING,
    PAUSED,
    /** Asked to shut down and on its way. */
    SHUTTING_DOWN,
    SHUT_OFF,
    /** Its kernel panicked and it was kept for a look. */
    CRASHED,
    /** Asleep by its own wish; wakes up on its own. */
    SLEEPING
  }

  /**
   * libvirt's reasons, those of all states in one list; UNKNOWN where libvirt gives none or one we
   * do not know.
   */
  public enum Why {
    UNKNOWN,
    BOOTED,
    MIGRATED,
    RESTORED,
    FROM_SNAPSHOT,
    UNPAUSED,
    MIGRATION_CANCELED,
    SAVE_CANCELED,
    WOKEN,
    CRASHED,
    POSTCOPY,
    POSTCOPY_FAILED,
    USER,
    MIGRATION,
    SAVE,
    DUMP,
    IO_ERROR,
    WATCHDOG,
    SHUTTING_DOWN,
    SNAPSHOT,
    STARTING_UP,
    API_ERROR,
    SHUTDOWN,
    DESTROYED,
    SAVED,
    FAILED,
    DAEMON,
    PANICKED
  }

  /**
   * No copy of the guest exists here; {@code CRASHED} does not count, its process is still there.
   */
  public boolean shutOff() {
    return run == Run.SHUT_OFF;
  }

  /** libvirt's own pair, such as "paused (io_error)". */
  @Override
  public String toString() {
    return run.name().toLowerCase(Locale.ROOT) + " (" + why.name().toLowerCase(Locale.ROOT) + ")";
  }
}
