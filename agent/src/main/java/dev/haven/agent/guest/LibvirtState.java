package dev.haven.agent.guest;

import dev.haven.model.DomainState;
import java.util.Locale;

/**
 * What libvirt says a domain does, and why: its own words, where {@link DomainState} has what
 * decisions need.
 */
public record LibvirtState(Run run, Why why) {

  /** libvirt's virLibvirtState. */
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
    /** Off by a shutdown of which libvirt did not say that the guest wished it. */
    BY_HOST,
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

  /**
   * The same, reduced to what decisions need.
   *
   * @param full a disk of it has met full storage
   */
  public DomainState shared(boolean full) {
    return switch (run) {
      case RUNNING, SLEEPING -> DomainState.RUNNING;
      // libvirt gave no state: taken for running, the only safe reading
      case UNKNOWN -> DomainState.RUNNING;
      case SHUTTING_DOWN -> DomainState.SHUTTING_DOWN;
      case PAUSED ->
          switch (why) {
            case IO_ERROR -> full ? DomainState.PAUSED_NO_SPACE : DomainState.PAUSED_IO_ERROR;
            case MIGRATION, STARTING_UP -> DomainState.INCOMING;
            default -> DomainState.PAUSED;
          };
      // its process is still there and holds its disks, but it will execute nothing more
      case CRASHED -> DomainState.PAUSED;
      case SHUT_OFF ->
          switch (why) {
            case SHUTDOWN -> DomainState.OFF_SHUTDOWN;
            case BY_HOST -> DomainState.OFF_BY_HOST;
            case CRASHED, FAILED -> DomainState.OFF_CRASHED;
            case DESTROYED -> DomainState.OFF_DESTROYED;
            case MIGRATED -> DomainState.OFF_MIGRATED;
            default -> DomainState.OFF;
          };
    };
  }

  /** libvirt's own pair, such as "paused (io_error)". */
  @Override
  public String toString() {
    return run.name().toLowerCase(Locale.ROOT) + " (" + why.name().toLowerCase(Locale.ROOT) + ")";
  }
}
