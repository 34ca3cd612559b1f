package dev.haven.agent.libvirt;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Watches a busy guest's console grow and notes its longest silence: the guest's pause as it sees
 * it itself.
 */
final class Console implements AutoCloseable {
  private final Thread thread;
  private volatile boolean done;
  private volatile long longest;

  private Console(Path directory, String name) {
    thread = Thread.ofPlatform().daemon().start(() -> watch(directory, name));
  }

  static Console watching(Path directory, String name) {
    return new Console(directory, name);
  }

  static long size(Path directory, String name) {
    return GuestXml.console(directory, name).toFile().length();
  }

  private void watch(Path directory, String name) {
    var size = size(directory, name);
    var grewAt = System.nanoTime();
    boolean last;
    do {
      last = done; // looks once more after it, for the silence that has just ended
      var now = size(directory, name);
      var at = System.nanoTime();
      if (now > size) {
        longest = Math.max(longest, at - grewAt);
        size = now;
        grewAt = at;
      }
      try {
        TimeUnit.MICROSECONDS.sleep(500);
      } catch (InterruptedException e) {
        return;
      }
    } while (!last);
  }

  /** Waits until it grows again, then tells the longest silence. */
  Duration longestSilence(Path directory, String name) {
    var size = size(directory, name);
    PrivateHost.await("the guest goes on", () -> size(directory, name) > size);
    close();
    return Duration.ofNanos(longest);
  }

  @Override
  public void close() {
    done = true;
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
