package dev.haven.orchestrator.vigil;

import java.io.IOException;
import java.net.InetAddress;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

/**
 * Asks a host's kernel, not its processes, for a sign of life: an ICMP echo on each of its
 * addresses.
 */
final class Echo {
  private Echo() {}

  /** Whether any address answered within the time. An error counts as silence. */
  static boolean answers(List<String> addresses, int timeoutMillis) throws InterruptedException {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
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
