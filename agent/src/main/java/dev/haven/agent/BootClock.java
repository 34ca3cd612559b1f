package dev.haven.agent;

import com.sun.jna.Library;
import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;

/**
 * The kernel's CLOCK_BOOTTIME: it neither jumps nor stops in suspend, as {@link System#nanoTime}
 * does. One for each thread.
 */
final class BootClock {
  private interface LibC extends Library {
    LibC C = Native.load("c", LibC.class);

    int clock_gettime(int clock, Pointer timespec);
  }

  private static final int CLOCK_BOOTTIME = 7;
  private final Memory timespec = new Memory(16);

  /** Nanoseconds since the host booted, suspend included. */
  long nanos() {
    if (LibC.C.clock_gettime(CLOCK_BOOTTIME, timespec) != 0) {
      throw new IllegalStateException("this kernel has no CLOCK_BOOTTIME");
    }
    return timespec.getLong(0) * 1_000_000_000L + timespec.getLong(8);
  }
}
