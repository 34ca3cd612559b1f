package dev.haven.orchestrator.raft;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The way to one other voter. While it answers, a message leaves on the caller's own thread;
 * otherwise on the link's thread, so that a dead host holds up nobody. What does not fit is
 * dropped: everything that voters say is said again when it matters.
 *
 * <p>A third thread dials: where there is no connection, and where the one there is may be dead. A
 * connection is given up only for another that works, so late answers close none.
 */
final class Link {
  /** About one second of a busy leader. */
  private static final int MAX_WAITING = 512;

  /** Within this time of its last word a voter is taken to be reading. */
  private static final long FRESH_NANOS = 300_000_000;

  private static final int AGAIN_MIN_MILLIS = 50;
  private static final int AGAIN_MAX_MILLIS = 500;

  private final String name;
  private final InetSocketAddress address;
  private final Transport transport;
  private final LinkedBlockingQueue<byte[]> waiting = new LinkedBlockingQueue<>(MAX_WAITING);
  private final ReentrantLock sending = new ReentrantLock();
  private final Thread sender;
  private final Thread dialler;
  private final Object news = new Object();
  private Transport.@Nullable Outbound connection;
  private boolean doubted;
  private volatile long lastHeard;
  private volatile long contact;
  private volatile boolean closed;

  /**
   * @param now on {@link System#nanoTime()}'s clock
   */
  Link(String name, InetSocketAddress address, Transport transport, long now) {
    this.name = name;
    this.address = address;
    this.transport = transport;
    lastHeard = now - 10_000_000_000L;
    contact = lastHeard;
    // platform threads: what other virtual threads compute must not hold them up
    sender = Thread.ofPlatform().daemon().name("haven-raft-to-" + name).unstarted(this::run);
    dialler = Thread.ofPlatform().daemon().name("haven-raft-dial-" + name).unstarted(this::dial);
  }

  Link start() {
    sender.start();
    dialler.start();
    return this;
  }

  String name() {
    return name;
  }

  InetSocketAddress address() {
    return address;
  }

  void heard(long now) {
    lastHeard = now;
  }

  /**
   * The two have answered each other.
   *
   * @param at of the question
   */
  void contact(long at) {
    contact = at;
  }

  /** When the two last answered each other, on {@link System#nanoTime()}'s clock. */
  long contact() {
    return contact;
  }

  long silentNanos(long now) {
    return now - lastHeard;
  }

  void send(byte[] message, long now) {
    if (silentNanos(now) < FRESH_NANOS && waiting.isEmpty() && sending.tryLock()) {
      try {
        if (connection() instanceof Transport.Outbound open) {
          write(open, message);
          return;
        }
      } finally {
        sending.unlock();
      }
    }
    var unused = waiting.offer(message);
  }

  /** Sends if that needs no waiting. */
  void sendOrDrop(byte[] message, long now) {
    if (silentNanos(now) < FRESH_NANOS) {
      var unused = waiting.offer(message);
    }
  }

  private void write(Transport.Outbound open, byte[] message) {
    try {
      open.send(message);
    } catch (IOException e) {
      lost(open);
    }
  }

  private void lost(Transport.Outbound open) {
    open.end();
    synchronized (news) {
      if (connection == open) {
        connection = null;
        news.notifyAll();
      }
    }
  }

  private Transport.@Nullable Outbound connection() {
    synchronized (news) {
      return connection;
    }
  }

  private void run() {
    try {
      while (!closed) {
        var message = waiting.take();
        var open = awaitConnection();
        sending.lock();
        try {
          write(open, message);
        } finally {
          sending.unlock();
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private Transport.Outbound awaitConnection() throws InterruptedException {
    synchronized (news) {
      while (connection == null) {
        news.wait();
      }
      return connection;
    }
  }

  // ---- dialling

  private void dial() {
    try {
      while (!closed) {
        synchronized (news) {
          while (connection != null && !doubted) {
            news.wait();
          }
          doubted = false;
        }
        try {
          become(transport.dial(name, address));
        } catch (IOException e) {
          transport.unreachable(name, e);
        } catch (RuntimeException e) {
          transport.unreachable(name, new IOException(e));
        }
        Thread.sleep(ThreadLocalRandom.current().nextInt(AGAIN_MIN_MILLIS, AGAIN_MAX_MILLIS));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void become(Transport.Outbound fresh) {
    Transport.Outbound old;
    synchronized (news) {
      old = connection;
      connection = fresh;
      news.notifyAll();
    }
    if (old != null) {
      old.end(); // whoever is stuck in it goes on with the new one
    }
    if (closed) {
      fresh.end();
      return;
    }
    Thread.ofVirtual()
        .start(
            () -> {
              fresh.awaitEnd();
              lost(fresh);
            });
  }

  /** It is silent: perhaps only this connection is dead, so another one is made beside it. */
  void doubt() {
    synchronized (news) {
      doubted = true;
      news.notifyAll();
    }
  }

  /** Old words to a host that does not listen are worth nothing. */
  void clear() {
    waiting.clear();
  }

  void close() {
    closed = true;
    sender.interrupt();
    dialler.interrupt();
    if (connection() instanceof Transport.Outbound open) {
      open.end();
    }
  }
}
