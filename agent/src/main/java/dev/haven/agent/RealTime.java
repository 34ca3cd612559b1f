package dev.haven.agent;

import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the threads on which a host's life depends (heartbeats, the watchdog's feeding) going while
 * its guests take every processor and all memory. Taken where the kernel gives it: the unit needs
 * {@code LimitRTPRIO=1} and {@code LimitMEMLOCK=infinity}, and root has both.
 */
final class RealTime {
  private interface LibC extends Library {
    LibC C = Native.load("c", LibC.class);

    int sched_setscheduler(int thread, int policy, Pointer parameters);

    int sched_getscheduler(int thread);

    int mlockall(int flags);
  }

  private static final Logger log = LoggerFactory.getLogger(RealTime.class);
  private static final int SCHED_RR = 2;

  /** A thread that this one starts does not inherit it. */
  private static final int SCHED_RESET_ON_FORK = 0x40000000;

  /** The lowest: above every ordinary thread, below the kernel's own. */
  private static final int PRIORITY = 1;

  /** All pages, now and later, but none before it is used. */
  private static final int CURRENT_FUTURE_ONFAULT = 1 | 2 | 4;

  private RealTime() {}

  /**
   * The calling thread comes before all ordinary ones from now on.
   *
   * @return whether the kernel gives it; if not, it goes on as before, and the log says so
   */
  static boolean thread() {
    var parameters = new Memory(4);
    parameters.setInt(0, PRIORITY);
    if (LibC.C.sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, parameters) == 0) {
      return true;
    }
    log.warn(
        "thread {} runs at ordinary priority (error {}): on a host under load it may be late; give the unit LimitRTPRIO=1",
        Thread.currentThread().getName(),
        Native.getLastError());
    return false;
  }

  /** Whether the calling thread has it. */
  static boolean has() {
    return (LibC.C.sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_RR;
  }

  /**
   * What this process has in memory stays there.
   *
   * @return whether the kernel gives it
   */
  static boolean memory() {
    if (LibC.C.mlockall(CURRENT_FUTURE_ONFAULT) == 0) {
      return true;
    }
    log.warn(
        "memory is not locked (error {}): a host that swaps may be late; give the unit LimitMEMLOCK=infinity",
        Native.getLastError());
    return false;
  }
}
