package dev.haven.raft;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The way to one other voter. Messages leave in order on the link's own thread, so that nobody else
 * waits for a host that is off, or for one that answers and does not read. What does not fit is
 * dropped: everything that voters say is said again when it matters.
 *
 * <p>A third thread dials: where there is no connection, and where the one there is may be dead. A
 * connection is given up only for another that works, so late answers close none.
 */
final class Link {
  /** About one second of a busy leader. */
  private static final int MAX_WAITING = 512;

  /**
   * Of messages that are not written yet. Room for the largest one, and for what a leader has on
   * its way to one voter.
   */
  private static final long WAITING_BYTES_MAX = Transport.FRAME_MAX;

  /** A message takes seconds on a slow network; a connection that takes longer is perhaps dead. */
  private static final long STUCK_NANOS = 10_000_000_000L;

  /** Within this time of its last word a voter is taken to be reading. */
  private static final long FRESH_NANOS = 300_000_000;

  private static final int AGAIN_MIN_MILLIS = 50;
  private static final int AGAIN_MAX_MILLIS = 500;

  private final String name;
  private final InetSocketAddress address;
  private final Transport transport;
  private final LinkedBlockingQueue<byte[]> waiting = new LinkedBlockingQueue<>(MAX_WAITING);

  /** Of the messages that wait and of the one that is being written. */
  private final AtomicLong waitingBytes = new AtomicLong();

  /** When the write began that is under way; 0 if none is. */
  private volatile long writingSince;

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

  /** Any thread. Never blocks; drops the message if too much waits already. */
  void send(byte[] message) {
    long bytes = waitingBytes.addAndGet(message.length);
    if (bytes > WAITING_BYTES_MAX && bytes > message.length || !waiting.offer(message)) {
      waitingBytes.addAndGet(-message.length);
    }
  }

  /** Any thread. Sends to a voter that was heard just now, and to nobody else. */
  void sendOrDrop(byte[] message, long now) {
    if (silentNanos(now) < FRESH_NANOS) {
      send(message);
    }
  }

  /** Whether one write goes on for so long that another connection is to be tried. */
  boolean isStuck(long now) {
    long begun = writingSince;
    return begun != 0 && now - begun > STUCK_NANOS;
  }

  private void write(Transport.Outbound open, byte[] message) {
    try {
      open.send(message);
    } catch (IOException | RuntimeException e) {
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
        writingSince = System.nanoTime() | 1; // 0 means none
        write(open, message);
        writingSince = 0;
        waitingBytes.addAndGet(-message.length);
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
      doubted = false; // it was the one before
      news.notifyAll();
    }
    if (old != null) {
      old.end(); // a thread that is stuck in it goes on with the new one
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
    for (var old = waiting.poll(); old != null; old = waiting.poll()) {
      waitingBytes.addAndGet(-old.length);
    }
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
