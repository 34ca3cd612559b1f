package dev.haven.orchestrator.http;

import dev.haven.model.Json;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.orchestrator.port.HostAgents;
import dev.haven.tls.Fingerprint;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import dev.haven.tls.TlsContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.eclipse.jetty.http.HttpField;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.http.HttpStatus;
import org.eclipse.jetty.http.UriCompliance;
import org.eclipse.jetty.io.ArrayByteBufferPool;
import org.eclipse.jetty.io.EndPoint;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.SslConnectionFactory;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.eclipse.jetty.util.thread.QueuedThreadPool;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A voter's HTTPS server: REST, server-sent events and the agents' WebSocket, as docs/api.md
 * describes them. Mutual TLS for all of it, and for this machine's root a Unix socket beside it.
 */
public final class ApiServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ApiServer.class);

  /** Connections of one agent's certificate at a time: it needs one, and one to ask who leads. */
  private static final int HOST_CONNECTIONS = 8;

  /** Of one operator's or voter's certificate. */
  private static final int CONNECTIONS = 256;

  /** Of a request's first line and its headers together. */
  private static final int HEADERS_MAX = 16 << 10;

  /** What connections share; beyond it a buffer is garbage after its use. A witness has 32 MiB. */
  private static final int BUFFERS_MAX = 2 << 20;

  /** Acceptors and selectors of both listeners; whatever may wait is on virtual threads. */
  private static final int THREADS = 8;

  private static final Duration THREADS_END_WITHIN = Duration.ofSeconds(5);

  /** No idle timeout of Jetty's: a byte now and then would begin it again. */
  static final long LINKS_KNOW_BETTER = -1;

  private final Links links;
  private final AgentConnections agents;
  private final Server server;
  private final ServerConnector listener;
  private final ExecutorService threads;

  private ApiServer(
      Links links,
      AgentConnections agents,
      Server server,
      ServerConnector listener,
      ExecutorService threads) {
    this.links = links;
    this.agents = agents;
    this.server = server;
    this.listener = listener;
    this.threads = threads;
  }

  /**
   * Listens and serves.
   *
   * @param listen port 0 takes any free one
   * @param socket where else to serve, for this machine's root and without TLS
   * @param tls with the voter's own certificate, for serving and for passing requests on
   * @param voterApis all voters at this moment, each with host:port of its API where that is known
   * @param listener hears what agents say, on the thread of each connection; it may wait a moment,
   *     and meanwhile nothing more is read from that agent
   * @param revoked whether the key of that fingerprint lets nobody in; asked often
   * @throws IOException if the address is taken or not this machine's
   */
  public static ApiServer start(
      InetSocketAddress listen,
      Optional<Path> socket,
      SSLContext tls,
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      ClusterApi api,
      HostAgents.Listener listener,
      Predicate<String> revoked)
      throws IOException {
    return start(
        listen, socket, tls, voterName, voterApis, api, listener, revoked, Deadlines.DEFAULT);
  }

  static ApiServer start(
      InetSocketAddress listen,
      Optional<Path> socket,
      SSLContext tls,
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      ClusterApi api,
      HostAgents.Listener listener,
      Predicate<String> revoked,
      Deadlines deadlines)
      throws IOException {
    var address = new InetSocketAddress(listen.getHostString(), listen.getPort()).getAddress();
    if (address == null) {
      throw new IOException("cannot listen on " + listen + ": the name has no address");
    }
    var links = new Links(deadlines, revoked);
    var agents = new AgentConnections(voterName, api, listener, deadlines);
    var threads = Executors.newVirtualThreadPerTaskExecutor();
    var server =
        new Server(
            threads(threads),
            null,
            new ArrayByteBufferPool(0, -1, -1, -1, BUFFERS_MAX, BUFFERS_MAX));
    var http = http();
    var tcp = new Listener(server, tls, links, deadlines, http);
    tcp.setHost(address.getHostAddress());
    tcp.setPort(listen.getPort());
    server.addConnector(tcp);
    server.setErrorHandler(ApiServer::problem);
    var answers = new Answers(voterName, voterApis, api, new Forwarder(tls, voterApis));
    server.setHandler(
        new Routes(
            voterName,
            voterApis,
            answers,
            new EventStreams(api, deadlines),
            new AgentUpgrade(server, agents),
            links,
            deadlines));
    var started = new ApiServer(links, agents, server, tcp, threads);
    try {
      if (socket.isPresent()) {
        server.addConnector(LocalListener.at(socket.get(), server, links, http));
      }
      started.start(address);
    } catch (IOException e) {
      started.close();
      throw e;
    }
    log.info("voter {} serves https://{}:{}", voterName, address.getHostAddress(), started.port());
    socket.ifPresent(path -> log.info("voter {} serves {}", voterName, path));
    return started;
  }

  private void start(InetAddress address) throws IOException {
    try {
      listener.open();
    } catch (IOException e) {
      throw new IOException(
          "cannot listen on %s:%d: it is taken, or not an address of this machine"
              .formatted(address.getHostAddress(), listener.getPort()),
          e);
    }
    try {
      server.start();
    } catch (IOException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException("cannot serve: " + e.getMessage(), e);
    }
  }

  /** The agents that are connected here. */
  public HostAgents agents() {
    return agents;
  }

  /** The port that is listened on. */
  public int port() {
    return listener.getLocalPort();
  }

  /** Stops listening and closes all connections; every agent that said hello has left then. */
  @Override
  public void close() {
    links.close();
    try {
      server.stop();
      threads.shutdownNow();
      agents.awaitEnd();
      if (!threads.awaitTermination(THREADS_END_WITHIN.toMillis(), TimeUnit.MILLISECONDS)) {
        log.warn("requests are still being answered while the server has stopped");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Exception e) {
      log.warn("the server has not stopped in peace: {}", e.toString());
    }
  }

  private static QueuedThreadPool threads(ExecutorService virtual) {
    var pool = new QueuedThreadPool(THREADS, 1);
    pool.setName("http");
    pool.setDaemon(true);
    pool.setReservedThreads(0);
    pool.setVirtualThreadsExecutor(virtual);
    return pool;
  }

  private static HttpConnectionFactory http() {
    var configuration = new HttpConfiguration();
    configuration.setSendServerVersion(false);
    configuration.setRequestHeaderSize(HEADERS_MAX);
    configuration.setIdleTimeout(LINKS_KNOW_BETTER);
    // No name has a slash, so a path with one is not found; that is no reason for 400.
    configuration.setUriCompliance(
        UriCompliance.DEFAULT.with("slashes", UriCompliance.Violation.AMBIGUOUS_PATH_SEPARATOR));
    // A witness has 16 MiB for direct buffers, and a thousand agents may come at once.
    configuration.setUseInputDirectByteBuffers(false);
    configuration.setUseOutputDirectByteBuffers(false);
    return new HttpConnectionFactory(configuration);
  }

  /** Mutual TLS on TCP; each peer that connects is in {@link Links} from then on. */
  private static final class Listener extends ServerConnector {
    private final Links links;

    Listener(
        Server server,
        SSLContext tls,
        Links links,
        Deadlines deadlines,
        HttpConnectionFactory http) {
      super(server, null, null, null, 1, 1, tls(tls, links, deadlines, http), http);
      this.links = links;
      setIdleTimeout(LINKS_KNOW_BETTER);
    }

    @Override
    protected void onEndPointOpened(EndPoint connection) {
      super.onEndPointOpened(connection);
      links.opened(connection, connection.getRemoteSocketAddress(), Optional.empty());
    }

    @Override
    protected void onEndPointClosed(EndPoint connection) {
      links.ended(connection);
      super.onEndPointClosed(connection);
    }
  }

  private static SslConnectionFactory tls(
      SSLContext context, Links links, Deadlines deadlines, HttpConnectionFactory http) {
    var parameters =
        new SslContextFactory.Server() {
          @Override
          public void customize(SSLEngine engine) {
            super.customize(engine);
            engine.setSSLParameters(TlsContext.parameters());
          }
        };
    parameters.setSslContext(context);
    parameters.setNeedClientAuth(true);
    parameters.setIncludeProtocols("TLSv1.3");
    parameters.setIncludeCipherSuites("TLS_AES_.*", "TLS_CHACHA20_.*"); // else it warns of others
    var tls = new SslConnectionFactory(parameters, http.getProtocol());
    tls.setDirectBuffersForEncryption(false);
    tls.setDirectBuffersForDecryption(false);
    tls.addBean(
        new SslHandshakeListener() {
          @Override
          public void handshakeSucceeded(Event event) {
            links.of(event.getEndPoint()).ifPresent(link -> greeted(link, event, deadlines));
          }
        });
    return tls;
  }

  private static void greeted(
      Links.Link link, SslHandshakeListener.Event event, Deadlines deadlines) {
    link.expectWithin(deadlines.request());
    try {
      var session = event.getSSLEngine().getSession();
      var holder = Peer.of(session);
      link.greeted(
          holder.role() + " " + holder.name(),
          holder.role() == Role.HOST ? HOST_CONNECTIONS : CONNECTIONS,
          Fingerprint.of(session.getPeerCertificates()[0].getPublicKey()));
    } catch (SSLPeerUnverifiedException e) {
      link.greeted(); // Routes reads the certificate again and says what is wrong with it
    }
  }

  /** Whose certificate it is, where it is one of ours. */
  static Optional<Peer> holder(EndPoint connection) {
    var tls = connection.getSslSessionData();
    if (tls != null) {
      try {
        return Optional.of(Peer.of(tls.sslSession()));
      } catch (SSLPeerUnverifiedException e) {
        // Routes reads it again and says what is wrong with it
      }
    }
    return Optional.empty();
  }

  /**
   * What Jetty refuses by itself, such as a broken request line, is answered as a Problem too. A
   * request of an unknown version or encoding (505, 501) is wrong by itself; any other 5xx says
   * that this voter has failed, and stays what it is.
   */
  private static boolean problem(
      Request request, org.eclipse.jetty.server.Response response, Callback callback) {
    int status = response.getStatus();
    if (status == HttpStatus.NOT_IMPLEMENTED_501
        || status == HttpStatus.HTTP_VERSION_NOT_SUPPORTED_505) {
      status = HttpStatus.BAD_REQUEST_400;
      response.setStatus(status);
    }
    var why = request.getAttribute(ErrorHandler.ERROR_MESSAGE);
    var body =
        Json.bytes(
            new Views.Problem(
                status >= 500
                    ? "this voter failed to answer, which is a fault of Haven's: its log says more"
                    : "the request cannot be read" + (why == null ? "" : ": " + why)));
    response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
    response.getHeaders().put(new HttpField(HttpHeader.CONNECTION, "close"));
    response.write(true, ByteBuffer.wrap(body), callback);
    return true;
  }
}
