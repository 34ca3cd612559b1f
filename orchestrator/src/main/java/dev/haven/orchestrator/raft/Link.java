package dev.haven.orchestrator.raft;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jgroups.stack.IpAddress;

/**
 * The way to one other voter. While it answers, a message leaves on the caller's own thread;
 * otherwise on the link's thread, which may have to wait for a connection, so that a dead host
 * holds up nobody. What does not fit is dropped: everything that voters say is said again when it
 * matters.
 */
final class Link {
  /** About one second of a busy leader. */
  private static final int MAX_WAITING = 512;

  /** Within this time of its last word a voter is taken to be reading. */
  private static final long FRESH_NANOS = 300_000_000;

  private final String name;
  private final IpAddress address;
  private final Consumer<byte[]> wire;
  private final LinkedBlockingQueue<byte[]> waiting = new LinkedBlockingQueue<>(MAX_WAITING);
  private final ReentrantLock sending = new ReentrantLock();
  private final Thread thread;
  private volatile long lastHeard;
  private volatile boolean closed;

  /**
   * @param wire sends to this address; may block
   * @param now on {@link System#nanoTime()}'s clock
   */
  Link(String name, IpAddress address, Consumer<byte[]> wire, long now) {
    this.name = name;
    this.address = address;
    this.wire = wire;
    lastHeard = now - 10_000_000_000L;
    thread = Thread.ofVirtual().name("haven-raft-to-" + name).start(this::run);
  }

  String name() {
    return name;
  }

  IpAddress address() {
    return address;
  }

  void heard(long now) {
    lastHeard = now;
  }

  long silentNanos(long now) {
    return now - lastHeard;
  }

  void send(byte[] message, long now) {
    if (silentNanos(now) < FRESH_NANOS && waiting.isEmpty() && sending.tryLock()) {
      try {
        wire.accept(message);
      } finally {
        sending.unlock();
      }
    } else {
      var unused = waiting.offer(message);
    }
  }

  /** Sends if that needs no waiting. */
  void sendOrDrop(byte[] message, long now) {
    if (silentNanos(now) < FRESH_NANOS) {
      var unused = waiting.offer(message);
    }
  }

  private void run() {
    try {
      while (!closed) {
        var message = waiting.take();
        sending.lock();
        try {
          wire.accept(message);
        } finally {
          sending.unlock();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Old words to a host that does not listen are worth nothing. */
  void clear() {
    waiting.clear();
  }

  void close() {
    closed = true;
    thread.interrupt();
  }
}
