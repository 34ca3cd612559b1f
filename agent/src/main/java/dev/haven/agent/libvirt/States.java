package dev.haven.agent.libvirt;

import dev.haven.agent.guest.DomainEvent.Change;
import dev.haven.agent.guest.DomainEvent.WatchdogAction;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;

/** libvirt's numbers (include/libvirt/libvirt-domain.h, 9.0) as words. */
final class States {
  private static final Why[] RUNNING = {
    Why.UNKNOWN, Why.BOOTED, Why.MIGRATED, Why.RESTORED, Why.FROM_SNAPSHOT, Why.UNPAUSED,
    Why.MIGRATION_CANCELED, Why.SAVE_CANCELED, Why.WOKEN, Why.CRASHED, Why.POSTCOPY,
        Why.POSTCOPY_FAILED
  };
  private static final Why[] PAUSED = {
    Why.UNKNOWN,
    Why.USER,
    Why.MIGRATION,
    Why.SAVE,
    Why.DUMP,
    Why.IO_ERROR,
    Why.WATCHDOG,
    Why.FROM_SNAPSHOT,
    Why.SHUTTING_DOWN,
    Why.SNAPSHOT,
    Why.CRASHED,
    Why.STARTING_UP,
    Why.POSTCOPY,
    Why.POSTCOPY_FAILED,
    Why.API_ERROR
  };
  private static final Why[] SHUTTING_DOWN = {Why.UNKNOWN, Why.USER};
  private static final Why[] SHUT_OFF = {
    Why.UNKNOWN,
    Why.SHUTDOWN,
    Why.DESTROYED,
    Why.CRASHED,
    Why.MIGRATED,
    Why.SAVED,
    Why.FAILED,
    Why.FROM_SNAPSHOT,
    Why.DAEMON
  };
  private static final Why[] CRASHED = {Why.UNKNOWN, Why.PANICKED};
  private static final Why[] NONE = {Why.UNKNOWN};

  // the details of lifecycle events
  private static final Why[] STARTED = {
    Why.BOOTED, Why.MIGRATED, Why.RESTORED, Why.FROM_SNAPSHOT, Why.WOKEN
  };
  private static final Why[] SUSPENDED = {
    Why.USER,
    Why.MIGRATION,
    Why.IO_ERROR,
    Why.WATCHDOG,
    Why.RESTORED,
    Why.FROM_SNAPSHOT,
    Why.API_ERROR,
    Why.POSTCOPY,
    Why.POSTCOPY_FAILED
  };
  private static final Why[] RESUMED = {
    Why.UNPAUSED, Why.MIGRATED, Why.FROM_SNAPSHOT, Why.POSTCOPY, Why.POSTCOPY_FAILED
  };
  private static final Why[] STOPPED = {
    Why.SHUTDOWN, Why.DESTROYED, Why.CRASHED, Why.MIGRATED, Why.SAVED, Why.FAILED, Why.FROM_SNAPSHOT
  };

  /** Finished (nobody says by whom), by the guest, by a signal to its QEMU. */
  private static final Why[] ENDING = {Why.UNKNOWN, Why.SHUTDOWN, Why.BY_HOST};

  private static final Why[] PANICKED = {Why.PANICKED};

  private static final WatchdogAction[] WATCHDOG = {
    WatchdogAction.NONE,
    WatchdogAction.PAUSE,
    WatchdogAction.RESET,
    WatchdogAction.POWEROFF,
    WatchdogAction.SHUTDOWN,
    WatchdogAction.DUMP,
    WatchdogAction.INJECT_NMI
  };

  private static final Change[] CHANGES = {
    Change.DEFINED,
    Change.UNDEFINED,
    Change.STARTED,
    Change.SUSPENDED,
    Change.RESUMED,
    Change.STOPPED,
    Change.SHUTDOWN,
    Change.SLEEPING,
    Change.CRASHED
  };

  private States() {}

  static LibvirtState state(int state, int reason) {
    return switch (state) {
      case 1, 2 -> new LibvirtState(Run.RUNNING, pick(RUNNING, reason));
      case 3 -> new LibvirtState(Run.PAUSED, pick(PAUSED, reason));
      case 4 -> new LibvirtState(Run.SHUTTING_DOWN, pick(SHUTTING_DOWN, reason));
      case 5 -> new LibvirtState(Run.SHUT_OFF, pick(SHUT_OFF, reason));
      case 6 -> new LibvirtState(Run.CRASHED, pick(CRASHED, reason));
      case 7 -> new LibvirtState(Run.SLEEPING, Why.UNKNOWN);
      default -> new LibvirtState(Run.UNKNOWN, Why.UNKNOWN);
    };
  }

  /** Whether this is a lifecycle event that we know; a newer libvirt may have more. */
  static boolean known(int event) {
    return event >= 0 && event < CHANGES.length;
  }

  static Change change(int event) {
    return CHANGES[event];
  }

  static WatchdogAction watchdog(int action) {
    return action >= 0 && action < WATCHDOG.length ? WATCHDOG[action] : WatchdogAction.UNKNOWN;
  }

  static Why why(int event, int detail) {
    return pick(
        switch (change(event)) {
          case DEFINED, UNDEFINED, SLEEPING -> NONE;
          case SHUTDOWN -> ENDING;
          case STARTED -> STARTED;
          case SUSPENDED -> SUSPENDED;
          case RESUMED -> RESUMED;
          case STOPPED -> STOPPED;
          case CRASHED -> PANICKED;
        },
        detail);
  }

  private static Why pick(Why[] table, int index) {
    return index >= 0 && index < table.length ? table[index] : Why.UNKNOWN;
  }
}
