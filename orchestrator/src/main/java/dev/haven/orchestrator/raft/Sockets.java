package dev.haven.orchestrator.raft;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.security.cert.X509Certificate;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jgroups.util.DefaultSocketFactory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sockets between voters: mutual TLS 1.3 where there is a context, and every one remembered, so
 * that the connection to a host that fell silent can be thrown away. A TCP connection that was cut
 * for ten seconds may wait as long again before it tries, while a new one works at once.
 */
final class Sockets extends DefaultSocketFactory {
  private static final Logger log = LoggerFactory.getLogger(Sockets.class);

  /** Between warm voters it takes milliseconds, on a busy machine's first start seconds. */
  private static final int HANDSHAKE_MILLIS = 3000;

  /** A connection younger than this may still be shaking hands. */
  private static final long YOUNG_NANOS = TimeUnit.MILLISECONDS.toNanos(HANDSHAKE_MILLIS + 500);

  /** Strangers that connect and say nothing must not use up the memory. */
  private static final int MAX_HANDSHAKES = 64;

  private final Optional<SSLContext> tls;
  private final Predicate<X509Certificate> isVoter;
  private final Map<Socket, Long> openedAt = new ConcurrentHashMap<>();

  Sockets(Optional<SSLContext> tls, Predicate<X509Certificate> isVoter) {
    this.tls = tls;
    this.isVoter = isVoter;
  }

  private void opened(Socket socket) {
    openedAt.keySet().removeIf(Socket::isClosed);
    openedAt.put(socket, System.nanoTime());
  }

  /** Throws away all connections with a host, except such as are just being made. */
  void abort(InetAddress host) {
    long now = System.nanoTime();
    for (var entry : openedAt.entrySet()) {
      var socket = entry.getKey();
      if (now - entry.getValue() > YOUNG_NANOS && host.equals(socket.getInetAddress())) {
        openedAt.remove(socket);
        try {
          socket.close();
        } catch (IOException e) {
          log.debug("closing {}: {}", socket, e.getMessage());
        }
      }
    }
  }

  @Override
  public Socket createSocket(String service) throws IOException {
    if (tls.isEmpty()) {
      var socket = new Socket();
      opened(socket);
      return socket;
    }
    var socket = (SSLSocket) tls.get().getSocketFactory().createSocket();
    var parameters = parameters(socket);
    parameters.setEndpointIdentificationAlgorithm("HTTPS"); // its address stands in its certificate
    socket.setSSLParameters(parameters);
    socket.setSoTimeout(HANDSHAKE_MILLIS);
    socket.addHandshakeCompletedListener(
        done -> {
          try {
            done.getSocket().setSoTimeout(0);
          } catch (SocketException e) {
            log.debug("closed at once: {}", e.getMessage());
          }
        });
    opened(socket);
    return socket;
  }

  private static SSLParameters parameters(SSLSocket socket) {
    var parameters = socket.getSSLParameters();
    parameters.setProtocols(new String[] {"TLSv1.3"});
    parameters.setNeedClientAuth(true);
    return parameters;
  }

  @Override
  public ServerSocket createServerSocket(String service) throws IOException {
    return tls.isEmpty() ? new Plain() : new Secure(tls.get());
  }

  private final class Plain extends ServerSocket {
    Plain() throws IOException {}

    @Override
    public Socket accept() throws IOException {
      var socket = super.accept();
      opened(socket);
      return socket;
    }
  }

  /** Shakes hands away from the accepting thread, so that a stranger's silence holds up nobody. */
  private final class Secure extends ServerSocket {
    private final SSLContext context;
    private final LinkedBlockingQueue<Optional<SSLSocket>> ready = new LinkedBlockingQueue<>();
    private final Set<Socket> shaking = ConcurrentHashMap.newKeySet();
    private @Nullable Thread acceptor;

    Secure(SSLContext context) throws IOException {
      this.context = context;
    }

    @Override
    public Socket accept() throws IOException {
      if (acceptor == null) {
        acceptor = Thread.ofPlatform().daemon().name("haven-raft-accept").start(this::acceptAll);
      }
      try {
        var socket = ready.take();
        if (socket.isPresent()) {
          opened(socket.get());
          return socket.get();
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      throw new SocketException("closed");
    }

    private void acceptAll() {
      while (!isClosed()) {
        try {
          var socket = super.accept();
          if (shaking.size() >= MAX_HANDSHAKES) {
            socket.close();
            continue;
          }
          shaking.add(socket);
          Thread.ofVirtual().start(() -> shakeHands(socket));
        } catch (IOException e) {
          if (!isClosed()) {
            log.warn("accepting a voter's connection failed: {}", e.getMessage());
          }
        }
      }
      ready.add(Optional.empty());
    }

    private void shakeHands(Socket plain) {
      try {
        plain.setSoTimeout(HANDSHAKE_MILLIS);
        var factory = context.getSocketFactory();
        var socket = (SSLSocket) factory.createSocket(plain, (@Nullable InputStream) null, true);
        socket.setUseClientMode(false);
        socket.setSSLParameters(parameters(socket));
        socket.startHandshake();
        var certificate = socket.getSession().getPeerCertificates()[0];
        if (!(certificate instanceof X509Certificate x509) || !isVoter.test(x509)) {
          throw new IOException("its certificate is no voter's");
        }
        socket.setSoTimeout(0);
        ready.add(Optional.of(socket));
      } catch (IOException e) {
        log.warn("{} is not let in: {}", plain.getRemoteSocketAddress(), e.getMessage());
        try {
          plain.close();
        } catch (IOException again) {
          log.debug("closing: {}", again.getMessage());
        }
      } finally {
        shaking.remove(plain);
      }
    }

    @Override
    public void close() throws IOException {
      super.close();
      if (!Objects.equals(acceptor, Thread.currentThread())) {
        ready.add(Optional.empty());
      }
    }
  }
}
