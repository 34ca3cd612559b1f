package dev.haven.orchestrator.http;

import io.helidon.common.buffers.BufferData;
import io.helidon.common.buffers.DataReader;
import io.helidon.common.buffers.DataWriter;
import io.helidon.common.concurrency.limits.FixedLimit;
import io.helidon.common.context.Context;
import io.helidon.common.socket.HelidonSocket;
import io.helidon.common.socket.PeerInfo;
import io.helidon.common.socket.SocketWriter;
import io.helidon.http.encoding.ContentEncodingContext;
import io.helidon.http.media.MediaContext;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.ListenerConfig;
import io.helidon.webserver.ListenerContext;
import io.helidon.webserver.Router;
import io.helidon.webserver.WebServerConfig;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http.HttpRouting;
import io.helidon.webserver.spi.ServerConnectionSelector;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.Principal;
import java.security.cert.Certificate;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import jdk.net.ExtendedSocketOptions;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The same routes on a Unix socket of this machine, without TLS: the kernel says who is at the
 * other end. Only root and the user whom this voter runs as are let in, who can read its key and
 * its log anyway. An operator on a host needs no certificate so, not even where all of them have
 * expired.
 *
 * <p>Helidon 4.3 listens on TCP only; this hands it each connection as its own listener would.
 */
final class LocalListener implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(LocalListener.class);
  private static final Duration ACCEPT_AGAIN = Duration.ofMillis(100);

  private final Path path;
  private final String voter;
  private final ServerSocketChannel listening;
  private final Links links;
  private final ServerConnectionSelector http1;
  private final Listener listener;
  private final Router router;
  private final String self = System.getProperty("user.name");
  private final AtomicLong count = new AtomicLong();

  private LocalListener(
      Path path,
      String voter,
      ServerSocketChannel listening,
      Links links,
      ServerConnectionSelector http1,
      Listener listener,
      Router router) {
    this.path = path;
    this.voter = voter;
    this.listening = listening;
    this.links = links;
    this.http1 = http1;
    this.listener = listener;
    this.router = router;
  }

  /**
   * Listens and serves. What a voter that was killed has left at {@code path} is replaced; another
   * one that runs would have kept us from its port before.
   *
   * @param like the settings of the TCP listener
   * @throws IOException if the path is too long, or is a file of another kind
   */
  static LocalListener start(
      Path path,
      String voter,
      Links links,
      ServerConnectionSelector http1,
      WebServerConfig like,
      Routes routes)
      throws IOException {
    if (Files.exists(path) && !Files.readAttributes(path, "isOther").containsValue(true)) {
      throw new IOException("socket: " + path + " is no socket; move it away, or name another");
    }
    checkDirectory(path);
    Files.deleteIfExists(path);
    var listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    try {
      listening.bind(UnixDomainSocketAddress.of(path));
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
    } catch (IOException e) {
      listening.close();
      throw new IOException("socket: cannot listen on %s: %s".formatted(path, e.getMessage()), e);
    }
    var router = Router.builder().addRouting(HttpRouting.builder().any(routes)).build();
    router.beforeStart();
    var local = new LocalListener(path, voter, listening, links, http1, new Listener(like), router);
    Thread.ofPlatform().daemon().name("local-listener").start(local::accept);
    log.info("voter {} serves {}", voter, path);
    return local;
  }

  /**
   * Whoever may write the directory of a socket can put one of their own in its place, and root
   * would give its commands to that. One that is not there is made.
   *
   * @throws IOException if somebody else may write it
   */
  private static void checkDirectory(Path path) throws IOException {
    var directory = path.toAbsolutePath().normalize().getParent();
    if (directory == null) {
      throw new IOException("socket: %s is in no directory".formatted(path));
    }
    if (!Files.exists(directory)) {
      Files.createDirectories(directory);
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-x---"));
    }
    var self = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    var owner = Files.getAttribute(directory, "unix:uid");
    if (!owner.equals(self) && !owner.equals(0)) {
      throw new IOException(
          "socket: %s belongs to another user, %s, who could put another socket there; chown it to %s, or name a path in a directory that is only root's or %s's, such as /run/haven/orchestrator.sock"
              .formatted(
                  directory,
                  Files.getOwner(directory).getName(),
                  System.getProperty("user.name"),
                  System.getProperty("user.name")));
    }
    var modes = Files.getPosixFilePermissions(directory);
    if (modes.contains(PosixFilePermission.GROUP_WRITE)
        || modes.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw new IOException(
          "socket: others may write %s and could put another socket there; chmod 750 %s, or name a path in a directory of its own, such as /run/haven/orchestrator.sock"
              .formatted(directory, directory));
    }
  }

  @Override
  public void close() {
    try {
      listening.close();
      Files.deleteIfExists(path);
    } catch (IOException e) {
      log.warn("{}: {}", path, e.getMessage());
    }
    listener.executor.close();
  }

  private void accept() {
    while (listening.isOpen()) {
      try {
        var channel = listening.accept();
        try {
          accepted(channel);
        } catch (IOException e) {
          log.debug("a local connection ended as it was accepted: {}", e.getMessage());
          channel.close();
        }
      } catch (IOException e) {
        if (listening.isOpen()) {
          log.warn("{}: cannot accept a connection: {}; will try again", path, e.getMessage());
          LockSupport.parkNanos(ACCEPT_AGAIN.toNanos());
        }
      }
    }
  }

  private void accepted(SocketChannel channel) throws IOException {
    var user = channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user().getName();
    if (!user.equals("root") && !user.equals(self)) {
      log.warn("{}: user {} was turned away", path, user);
      channel.close();
      return;
    }
    var peer = new LocalPeer(new Address(count.incrementAndGet()), user);
    links.accepted(peer.address, channel, () -> !channel.isOpen());
    var connection = new Connection(channel, peer, listener, router);
    listener.executor.execute(() -> serve(connection));
  }

  private void serve(Connection connection) {
    try (var channel = connection.channel) {
      http1.connection(connection).handle(FixedLimit.create());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (IOException | RuntimeException e) {
      log.debug("{}: {}", connection.peer.user, e.toString());
    }
  }

  /** Of a connection without a name of its own, so that {@link Links} can tell them apart. */
  private static final class Address extends SocketAddress {
    private static final long serialVersionUID = 1L;
    private final long number;

    Address(long number) {
      this.number = number;
    }

    @Override
    public boolean equals(@Nullable Object other) {
      return other instanceof Address address && address.number == number;
    }

    @Override
    public int hashCode() {
      return Long.hashCode(number);
    }

    @Override
    public String toString() {
      return "local connection " + number;
    }
  }

  /**
   * Who is at the other end, as the kernel says.
   *
   * @param user of this machine
   */
  record LocalPeer(Address address, String user) implements PeerInfo {
    @Override
    public String host() {
      return "localhost";
    }

    @Override
    public int port() {
      return 0;
    }

    @Override
    public Optional<Principal> tlsPrincipal() {
      return Optional.empty();
    }

    @Override
    public Optional<Certificate[]> tlsCertificates() {
      return Optional.empty();
    }
  }

  private static final class Listener implements ListenerContext {
    private final Context context = Context.create();
    private final WebServerConfig config;
    private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();

    Listener(WebServerConfig config) {
      this.config = config;
    }

    @Override
    public Context context() {
      return context;
    }

    @Override
    public MediaContext mediaContext() {
      return config.mediaContext().orElseThrow();
    }

    @Override
    public ContentEncodingContext contentEncodingContext() {
      return config.contentEncoding().orElseThrow();
    }

    @Override
    public DirectHandlers directHandlers() {
      return config.directHandlers().orElseThrow();
    }

    @Override
    public ListenerConfig config() {
      return config;
    }

    @Override
    public ExecutorService executor() {
      return executor;
    }
  }

  /** One connection, as Helidon's HTTP wants it. */
  private static final class Connection implements ConnectionContext, HelidonSocket {
    private final SocketChannel channel;
    private final LocalPeer peer;
    private final Listener listener;
    private final Router router;
    private final ByteBuffer in = ByteBuffer.allocate(8192);
    private final DataReader reader = new DataReader(this);
    private final DataWriter writer = SocketWriter.create(this);

    Connection(SocketChannel channel, LocalPeer peer, Listener listener, Router router) {
      this.channel = channel;
      this.peer = peer;
      this.listener = listener;
      this.router = router;
    }

    @Override
    public byte @Nullable [] get() {
      try {
        if (channel.read(in.clear()) < 0) {
          return null;
        }
        var bytes = new byte[in.flip().remaining()];
        in.get(bytes);
        return bytes;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public int read(BufferData buffer) {
      var bytes = get();
      if (bytes == null) {
        return -1;
      }
      buffer.write(bytes);
      return bytes.length;
    }

    @Override
    public void write(BufferData data) {
      try {
        var bytes = ByteBuffer.wrap(data.readBytes());
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void close() {
      try {
        channel.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void idle() {}

    @Override
    public boolean isConnected() {
      return channel.isConnected();
    }

    @Override
    public ListenerContext listenerContext() {
      return listener;
    }

    @Override
    public ExecutorService executor() {
      return listener.executor;
    }

    @Override
    public DataWriter dataWriter() {
      return writer;
    }

    @Override
    public DataReader dataReader() {
      return reader;
    }

    @Override
    public Router router() {
      return router;
    }

    @Override
    public PeerInfo remotePeer() {
      return peer;
    }

    @Override
    public PeerInfo localPeer() {
      return peer;
    }

    @Override
    public boolean isSecure() {
      return false;
    }

    @Override
    public String socketId() {
      return peer.address.toString();
    }

    @Override
    public String childSocketId() {
      return peer.user;
    }
  }
}
