package dev.haven.orchestrator.detect;

import java.io.IOException;
import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;

/**
 * Asks a host's kernel, not its processes, for a sign of life: an ICMP echo on each of its
 * addresses.
 */
public final class Echo {
  /**
   * Of the system's own kind: the JDK waits for an echo in native code and keeps the carrier of a
   * virtual thread all the while. Two silent addresses took both of a small machine's carriers, and
   * the voter stood still.
   */
  private static final ThreadFactory THREADS = Thread.ofPlatform().daemon().name("echo").factory();

  private Echo() {}

  /** Whether any address answered within the time. An error counts as silence. */
  public static boolean answers(List<String> addresses, int timeoutMillis)
      throws InterruptedException {
    try (var threads = Executors.newThreadPerTaskExecutor(THREADS)) {
      var results =
          threads.invokeAll(
              addresses.stream()
                  .<Callable<Boolean>>map(a -> () -> reachable(a, timeoutMillis))
                  .toList());
      return results.stream()
          .anyMatch(r -> r.state() == java.util.concurrent.Future.State.SUCCESS && r.resultNow());
    }
  }

  private static boolean reachable(String address, int timeoutMillis) {
    try {
      return InetAddress.getByName(address).isReachable(timeoutMillis);
    } catch (IOException unreachable) {
      return false;
    }
  }
}
