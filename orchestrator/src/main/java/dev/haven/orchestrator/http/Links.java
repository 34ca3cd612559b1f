package dev.haven.orchestrator.http;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.Comparator;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.eclipse.jetty.io.EndPoint;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Every accepted connection, and until when it has to do its next step. Jetty's idle timeout begins
 * again with each byte, so a client that sends a byte now and then would stay for ever; and it
 * counts connections, but not by address or certificate.
 *
 * <p>A connection whose time is over is closed below TLS, which never blocks and ends whatever is
 * being read or written there.
 */
final class Links implements AutoCloseable {
  /**
   * Handshakes at a time, where the heap is large enough for that many; beyond it the oldest is
   * given up, so that latecomers still get in. A whole cluster's agents may come at once.
   */
  private static final int HANDSHAKES_MAX = 2_048;

  /** What a handshake that is not judged yet may hold of the heap, twice what was measured. */
  private static final long HANDSHAKE_BYTES = 128 << 10;

  /** Handshakes at a time from one address; beyond it the oldest of that address is given up. */
  static final int HANDSHAKES_OF_ONE = 16;

  private static final Logger log = LoggerFactory.getLogger(Links.class);
  private static final long TICK = Duration.ofMillis(100).toNanos();
  private static final long NEVER = Long.MAX_VALUE;

  private final ConcurrentHashMap<Closeable, Link> links = new ConcurrentHashMap<>();
  private final AtomicInteger handshakes = new AtomicInteger();
  private final ConcurrentHashMap<InetAddress, Integer> handshakesOf = new ConcurrentHashMap<>();
  private final int handshakesMax;
  private final long origin = System.nanoTime();
  private final Deadlines deadlines;
  private final Predicate<String> revoked;
  private volatile boolean closed;

  /**
   * @param revoked whether the key of that fingerprint lets nobody in
   */
  Links(Deadlines deadlines, Predicate<String> revoked) {
    this(deadlines, handshakesFor(Runtime.getRuntime().maxMemory()), revoked);
  }

  Links(Deadlines deadlines, int handshakesMax, Predicate<String> revoked) {
    this.deadlines = deadlines;
    this.revoked = revoked;
    this.handshakesMax = handshakesMax;
    // A platform thread: it has to run also when every carrier of virtual threads is held up.
    Thread.ofPlatform().daemon().name("http-deadlines").start(this::watch);
  }

  /** How many handshakes a heap of that many bytes can hold at a time. */
  static int handshakesFor(long heap) {
    return (int) Math.clamp(heap / HANDSHAKE_BYTES, HANDSHAKES_OF_ONE, HANDSHAKES_MAX);
  }

  /** One connection. The two limits stand side by side: one for reading, one for writing. */
  final class Link {
    private final @Nullable SocketAddress remote;
    private final Closeable raw;
    private final Optional<String> localUser;
    private final long since = now();
    private volatile long readBy = since + deadlines.handshake().toNanos();
    private volatile long writeBy = NEVER;
    private final AtomicBoolean greeted = new AtomicBoolean();
    private volatile String holder = "";
    private volatile String key = "";
    private volatile Runnable atEnd = () -> {};

    private Link(@Nullable SocketAddress remote, Closeable raw, Optional<String> localUser) {
      this.remote = remote;
      this.raw = raw;
      this.localUser = localUser;
    }

    /** Who is at the other end of this machine's own socket, as the kernel says. */
    Optional<String> localUser() {
      return localUser;
    }

    /** The handshake is done, or given up. */
    void greeted() {
      if (greeted.compareAndSet(false, true)) {
        handshakes.decrementAndGet();
        source(remote).ifPresent(one -> handshakesOf.computeIfPresent(one, Links::oneLess));
      }
    }

    /**
     * The handshake is done, by the holder of a certificate, who may have so many connections: the
     * oldest one ends if there are more, so that a holder who lost a connection gets in again.
     */
    void greeted(String who, int atMost, String byKey) {
      holder = who;
      key = byKey;
      greeted();
      if (revoked.test(byKey)) {
        log.warn("{}: {} comes with a key that was revoked", remote, who);
        close();
        return;
      }
      var all =
          links.values().stream()
              .filter(link -> link.holder.equals(who))
              .sorted(Comparator.comparingLong(link -> link.since))
              .toList();
      if (all.size() > atMost) {
        log.debug("{}: {} has {} connections; its oldest ends", remote, who, all.size());
        all.getFirst().close();
      }
    }

    /** Whether its holder's key lets nobody in any more. */
    boolean isRevoked() {
      return !key.isEmpty() && revoked.test(key);
    }

    /** The fingerprint of the holder's key; empty before the handshake is done. */
    String key() {
      return key;
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

    /**
     * Runs this once the connection has ended, at once if it has already.
     *
     * @param end must not block
     */
    void atEnd(Runnable end) {
      atEnd = end;
      if (!links.containsKey(raw)) {
        end.run();
      }
    }

    /** Never blocks, and wakes the threads that read or write there. */
    void close() {
      try {
        raw.close();
      } catch (IOException e) {
        log.debug("{}: {}", remote, e.getMessage());
      }
    }

    @Override
    public String toString() {
      return remote == null ? "this machine" : remote.toString();
    }
  }

  /**
   * Takes a new connection in.
   *
   * @param raw the connection below TLS; closing it never blocks
   * @param localUser of a connection of this very machine, which has no handshake
   */
  Link opened(Closeable raw, @Nullable SocketAddress remote, Optional<String> localUser) {
    var source = source(remote);
    if (source.isPresent() && handshakesOf.getOrDefault(source.get(), 0) >= HANDSHAKES_OF_ONE) {
      giveUpOldestHandshake(other -> source(other.remote).equals(source));
    }
    var link = new Link(remote, raw, localUser);
    if (source.isEmpty()) {
      link.greeted.set(true); // of this very machine: the kernel has said who it is
      link.expectWithin(deadlines.request());
    } else {
      handshakesOf.merge(source.get(), 1, Integer::sum);
      if (handshakes.incrementAndGet() > handshakesMax) {
        giveUpOldestHandshake(_ -> true);
      }
    }
    links.put(raw, link);
    if (closed) {
      link.close();
    }
    return link;
  }

  /** The connection has ended. */
  void ended(Closeable raw) {
    var link = links.remove(raw);
    if (link != null) {
      link.greeted();
      link.atEnd.run();
    }
  }

  /** That connection, unless it has ended. @param connection it, or the TLS layer upon it */
  Optional<Link> of(Closeable connection) {
    var raw = connection;
    while (raw instanceof EndPoint.Wrapper tls) {
      raw = tls.unwrap();
    }
    return Optional.ofNullable(links.get(raw));
  }

  /** Closes all connections. */
  @Override
  public void close() {
    closed = true;
    links.values().forEach(Link::close);
  }

  private void giveUpOldestHandshake(Predicate<Link> which) {
    links.values().stream()
        .filter(link -> !link.greeted.get() && which.test(link))
        .min(Comparator.comparingLong(link -> link.since))
        .ifPresent(
            oldest -> {
              oldest.greeted(); // its place is free at once
              oldest.close();
            });
  }

  /** Empty for a connection of this very machine, whose socket has no address. */
  private static Optional<InetAddress> source(@Nullable SocketAddress remote) {
    return remote instanceof InetSocketAddress address
        ? Optional.ofNullable(address.getAddress())
        : Optional.empty();
  }

  private static @Nullable Integer oneLess(InetAddress one, int handshakes) {
    return handshakes == 1 ? null : handshakes - 1;
  }

  private void watch() {
    while (!(closed && links.isEmpty())) {
      LockSupport.parkNanos(TICK);
      long now = now();
      for (var link : links.values()) {
        if (link.isRevoked()) {
          log.info("{}: closed, the key of {} was revoked", link, link.holder);
          link.close();
        } else if (now > link.readBy || now > link.writeBy) {
          log.debug(
              "{}: closed, it {} nothing for too long", link, now > link.readBy ? "said" : "read");
          link.close();
        }
      }
    }
  }

  private long now() {
    return System.nanoTime() - origin;
  }
}
