package dev.haven.orchestrator.http;

import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.security.KeyManagementException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A server socket that lays TLS over an ordinary connection and registers that one in {@link
 * Links}; {@link #context} makes Helidon listen on it. Four things that Helidon 4.3 lacks need it:
 *
 * <ul>
 *   <li>time limits, from the handshake on;
 *   <li>closing a connection whose peer does not read (see {@link Links});
 *   <li>a listener that survives a failed {@code accept}: Helidon's gives up for good on the first
 *       {@code SocketException}, such as "Too many open files";
 *   <li>a bound: Helidon's {@code maxTcpConnections} loses a permit with each failed handshake.
 * </ul>
 */
final class TlsListener extends SSLServerSocket {
  private static final Logger log = LoggerFactory.getLogger(TlsListener.class);
  private static final Duration ACCEPT_AGAIN = Duration.ofMillis(100);

  private final SSLContext tls;
  private final Links links;

  private TlsListener(SSLContext tls, Links links) throws IOException {
    this.tls = tls;
    this.links = links;
  }

  /** The same context, but its server sockets are of this class. */
  static SSLContext context(SSLContext tls, Links links) {
    return new SSLContext(new Spi(tls, links), tls.getProvider(), tls.getProtocol()) {};
  }

  @Override
  public Socket accept() throws IOException {
    while (true) {
      Socket raw;
      try {
        raw = super.accept();
      } catch (IOException e) {
        if (isClosed()) {
          throw e;
        }
        log.warn("cannot accept a connection: {}; will try again", e.getMessage());
        LockSupport.parkNanos(ACCEPT_AGAIN.toNanos());
        continue;
      }
      try {
        links.accepted(raw.getRemoteSocketAddress(), raw, raw::isClosed);
        var socket = (SSLSocket) tls.getSocketFactory().createSocket(raw, null, true);
        socket.setUseClientMode(false);
        socket.setSSLParameters(TlsContext.parameters());
        return socket;
      } catch (IOException e) {
        log.debug("a connection ended as it was accepted: {}", e.getMessage());
        raw.close();
      }
    }
  }

  // What follows is asked of every SSLServerSocket. Nothing there can weaken what accept() sets.

  @Override
  public String[] getEnabledCipherSuites() {
    return tls.getDefaultSSLParameters().getCipherSuites();
  }

  @Override
  public void setEnabledCipherSuites(String[] suites) {}

  @Override
  public String[] getSupportedCipherSuites() {
    return tls.getSupportedSSLParameters().getCipherSuites();
  }

  @Override
  public String[] getSupportedProtocols() {
    return TlsContext.parameters().getProtocols();
  }

  @Override
  public String[] getEnabledProtocols() {
    return TlsContext.parameters().getProtocols();
  }

  @Override
  public void setEnabledProtocols(String[] protocols) {}

  @Override
  public void setNeedClientAuth(boolean need) {}

  @Override
  public boolean getNeedClientAuth() {
    return true;
  }

  @Override
  public void setWantClientAuth(boolean want) {}

  @Override
  public boolean getWantClientAuth() {
    return false;
  }

  @Override
  public void setUseClientMode(boolean mode) {}

  @Override
  public boolean getUseClientMode() {
    return false;
  }

  @Override
  public void setEnableSessionCreation(boolean flag) {}

  @Override
  public boolean getEnableSessionCreation() {
    return true;
  }

  private static final class Factory extends SSLServerSocketFactory {
    private final SSLContext tls;
    private final Links links;

    Factory(SSLContext tls, Links links) {
      this.tls = tls;
      this.links = links;
    }

    @Override
    public TlsListener createServerSocket() throws IOException {
      return new TlsListener(tls, links);
    }

    @Override
    public TlsListener createServerSocket(int port) {
      throw new UnsupportedOperationException("Helidon binds the socket itself");
    }

    @Override
    public TlsListener createServerSocket(int port, int backlog) {
      return createServerSocket(port);
    }

    @Override
    public TlsListener createServerSocket(int port, int backlog, InetAddress address) {
      return createServerSocket(port);
    }

    @Override
    public String[] getDefaultCipherSuites() {
      return tls.getDefaultSSLParameters().getCipherSuites();
    }

    @Override
    public String[] getSupportedCipherSuites() {
      return tls.getSupportedSSLParameters().getCipherSuites();
    }
  }

  private static final class Spi extends SSLContextSpi {
    private final SSLContext tls;
    private final Links links;

    Spi(SSLContext tls, Links links) {
      this.tls = tls;
      this.links = links;
    }

    @Override
    protected SSLServerSocketFactory engineGetServerSocketFactory() {
      return new Factory(tls, links);
    }

    @Override
    protected void engineInit(KeyManager[] keys, TrustManager[] trust, SecureRandom random)
        throws KeyManagementException {
      throw new KeyManagementException("is ready already");
    }

    @Override
    protected SSLSocketFactory engineGetSocketFactory() {
      return tls.getSocketFactory();
    }

    @Override
    protected SSLEngine engineCreateSSLEngine() {
      return tls.createSSLEngine();
    }

    @Override
    protected SSLEngine engineCreateSSLEngine(String host, int port) {
      return tls.createSSLEngine(host, port);
    }

    @Override
    protected SSLSessionContext engineGetServerSessionContext() {
      return tls.getServerSessionContext();
    }

    @Override
    protected SSLSessionContext engineGetClientSessionContext() {
      return tls.getClientSessionContext();
    }
  }
}
