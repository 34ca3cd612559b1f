package dev.haven.orchestrator.http;

import java.io.Closeable;
import java.io.IOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every accepted connection, and until when it has to do its next step. Helidon has no time limit
 * on a server's sockets (its {@code readTimeout} is for clients), so whoever connects and says
 * nothing, or reads nothing, would stay for ever.
 *
 * <p>A connection whose time is over is closed below TLS: {@code SSLSocket.close} waits for a write
 * in progress, and that write waits for a peer that does not read.
 */
final class Links implements AutoCloseable {
  /** Handshakes at a time; beyond it the oldest is given up, so that latecomers still get in. */
  static final int HANDSHAKES_MAX = 2_048;

  private static final Logger log = LoggerFactory.getLogger(Links.class);
  private static final long TICK = Duration.ofMillis(100).toNanos();
  private static final long NEVER = Long.MAX_VALUE;

  private final ConcurrentHashMap<SocketAddress, Link> links = new ConcurrentHashMap<>();
  private final AtomicInteger handshakes = new AtomicInteger();
  private final long origin = System.nanoTime();
  private final Deadlines deadlines;
  private volatile boolean closed;

  Links(Deadlines deadlines) {
    this.deadlines = deadlines;
    // A platform thread: it has to run also when every carrier of virtual threads is held up.
    Thread.ofPlatform().daemon().name("http-deadlines").start(this::watch);
  }

  /** One connection. The two limits stand side by side: one for reading, one for writing. */
  final class Link {
    private final SocketAddress remote;
    private final Closeable raw;
    private final BooleanSupplier ended;
    private final long since = now();
    private volatile long readBy = since + deadlines.handshake().toNanos();
    private volatile long writeBy = NEVER;
    private volatile boolean greeted;

    private Link(SocketAddress remote, Closeable raw, BooleanSupplier ended) {
      this.remote = remote;
      this.raw = raw;
      this.ended = ended;
    }

    /** The handshake is done. */
    void greeted() {
      if (!greeted) {
        greeted = true;
        handshakes.decrementAndGet();
      }
    }

    /** Closes the connection unless this is called again within that time. */
    void expectWithin(Duration time) {
      readBy = now() + time.toNanos();
    }

    /** Nothing is expected from the other side. */
    void expectNothing() {
      readBy = NEVER;
    }

    /** Closes the connection unless {@link #written} is called within that time. */
    void writing(Duration within) {
      writeBy = now() + within.toNanos();
    }

    void written() {
      writeBy = NEVER;
    }

    /** Never blocks, and wakes whoever reads or writes there. */
    void close() {
      try {
        raw.close();
      } catch (IOException e) {
        log.debug("{}: {}", remote, e.getMessage());
      }
    }

    @Override
    public String toString() {
      return remote.toString();
    }
  }

  /**
   * Takes a new connection in.
   *
   * @param raw closing it never blocks, and wakes whoever reads or writes there
   * @param ended whether it is closed already
   * @throws IOException if it is gone again
   */
  void accepted(@Nullable SocketAddress remote, Closeable raw, BooleanSupplier ended)
      throws IOException {
    if (remote == null) {
      throw new IOException("gone before it was accepted");
    }
    var link = new Link(remote, raw, ended);
    if (handshakes.incrementAndGet() > HANDSHAKES_MAX) {
      giveUpOldestHandshake();
    }
    var before = links.put(remote, link);
    if (before != null) {
      ended(before);
    }
    if (closed) {
      link.close();
    }
  }

  /** The connection of that remote address and port, unless it has ended. */
  Optional<Link> of(@Nullable SocketAddress remote) {
    return remote == null ? Optional.empty() : Optional.ofNullable(links.get(remote));
  }

  /** Closes all connections. */
  @Override
  public void close() {
    closed = true;
    links.values().forEach(Link::close);
  }

  private void giveUpOldestHandshake() {
    links.values().stream()
        .filter(link -> !link.greeted && !link.ended.getAsBoolean())
        .min((a, b) -> Long.compare(a.since, b.since))
        .ifPresent(Link::close);
  }

  private void watch() {
    while (!(closed && links.isEmpty())) {
      LockSupport.parkNanos(TICK);
      long now = now();
      for (var link : links.values()) {
        if (link.ended.getAsBoolean()) {
          if (links.remove(link.remote, link)) {
            ended(link);
          }
        } else if (now > link.readBy || now > link.writeBy) {
          log.debug(
              "{}: closed, it {} nothing for too long", link, now > link.readBy ? "said" : "read");
          link.close();
        }
      }
    }
  }

  private void ended(Link link) {
    link.greeted();
  }

  private long now() {
    return System.nanoTime() - origin;
  }
}
