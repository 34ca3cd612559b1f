package dev.haven.orchestrator.http;

import dev.haven.model.Json;
import dev.haven.model.api.Views;
import dev.haven.orchestrator.port.ClusterApi;
import dev.haven.orchestrator.port.HostAgents;
import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import io.helidon.common.buffers.BufferData;
import io.helidon.common.tls.Tls;
import io.helidon.http.DirectHandler;
import io.helidon.http.HeaderNames;
import io.helidon.http.Headers;
import io.helidon.http.HttpPrologue;
import io.helidon.http.ServerResponseHeaders;
import io.helidon.http.Status;
import io.helidon.http.encoding.ContentEncodingContext;
import io.helidon.http.media.MediaContext;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.WebServer;
import io.helidon.webserver.http.DirectHandlers;
import io.helidon.webserver.http1.Http1Config;
import io.helidon.webserver.http1.Http1ConnectionListener;
import io.helidon.webserver.http1.Http1ConnectionSelector;
import io.helidon.webserver.spi.ServerConnection;
import io.helidon.webserver.spi.ServerConnectionSelector;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLPeerUnverifiedException;
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

  private final Links links;
  private final AgentConnections agents;
  private final WebServer server;
  private final Optional<LocalListener> local;

  private ApiServer(
      Links links, AgentConnections agents, WebServer server, Optional<LocalListener> local) {
    this.links = links;
    this.agents = agents;
    this.server = server;
    this.local = local;
  }

  /**
   * Listens and serves.
   *
   * @param listen port 0 takes any free one
   * @param socket where else to serve, for this machine's root and without TLS
   * @param tls with the voter's own certificate: OU host, CN its name, for serving and for passing
   *     requests on
   * @param voterName this voter's
   * @param voterApis all voters' names at this moment, each with host:port of its API where that is
   *     known. Who may pass requests on, and to where
   * @param listener hears what agents say, on the thread of each connection; it may wait a moment,
   *     and meanwhile nothing more is read from that agent
   * @throws IOException if the address is taken or not this machine's
   */
  public static ApiServer start(
      InetSocketAddress listen,
      Optional<Path> socket,
      SSLContext tls,
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      ClusterApi api,
      HostAgents.Listener listener)
      throws IOException {
    return start(listen, socket, tls, voterName, voterApis, api, listener, Deadlines.DEFAULT);
  }

  static ApiServer start(
      InetSocketAddress listen,
      Optional<Path> socket,
      SSLContext tls,
      String voterName,
      Supplier<Map<String, Optional<String>>> voterApis,
      ClusterApi api,
      HostAgents.Listener listener,
      Deadlines deadlines)
      throws IOException {
    var address = new InetSocketAddress(listen.getHostString(), listen.getPort()).getAddress();
    if (address == null) {
      throw new IOException("cannot listen on " + listen + ": the name has no address");
    }
    var links = new Links(deadlines);
    var agents = new AgentConnections(voterName, api, listener, deadlines);
    var routes =
        new Routes(voterName, voterApis, api, new Forwarder(tls, voterApis), links, deadlines);
    var http1 = new Greeting(links, deadlines, http1(links, deadlines, agents));
    var config =
        WebServer.builder()
            .address(address)
            .port(listen.getPort())
            .shutdownHook(false)
            .featuresDiscoverServices(false)
            .protocolsDiscoverServices(false)
            .addConnectionSelector(http1)
            .tls(Tls.builder().sslContext(TlsListener.context(tls, links)).build())
            .connectionOptions(options -> options.tcpNoDelay(true))
            .maxPayloadSize(Routes.BODY_MAX)
            .mediaContext(MediaContext.builder().mediaSupportsDiscoverServices(false).build())
            .contentEncoding(
                ContentEncodingContext.builder().contentEncodingsDiscoverServices(false).build())
            .directHandlers(problems())
            .routing(routing -> routing.any(routes))
            .buildPrototype();
    var server = WebServer.create(config);
    // Also sets a filter, for the whole JVM, that refuses all Java deserialization.
    server.start();
    if (!server.isRunning()) { // Helidon logs why, and returns
      links.close();
      throw new IOException(
          "cannot listen on %s:%d: it is taken, or not an address of this machine"
              .formatted(address.getHostAddress(), listen.getPort()));
    }
    log.info("voter {} serves https://{}:{}", voterName, address.getHostAddress(), server.port());
    var local = Optional.<LocalListener>empty();
    if (socket.isPresent()) {
      try {
        local =
            Optional.of(LocalListener.start(socket.get(), voterName, links, http1, config, routes));
      } catch (IOException e) {
        links.close();
        server.stop();
        throw e;
      }
    }
    return new ApiServer(links, agents, server, local);
  }

  /** The agents that are connected here. */
  public HostAgents agents() {
    return agents;
  }

  /** The port that is listened on. */
  public int port() {
    return server.port();
  }

  /** Stops listening and closes all connections; every agent that said hello has left then. */
  @Override
  public void close() {
    links.close();
    local.ifPresent(LocalListener::close);
    server.stop();
  }

  private static Http1ConnectionSelector http1(
      Links links, Deadlines deadlines, AgentConnections agents) {
    var limits =
        new Http1ConnectionListener() {
          @Override
          public void prologue(ConnectionContext connection, HttpPrologue prologue) {
            links
                .of(connection.remotePeer().address())
                .ifPresent(link -> link.expectWithin(deadlines.headers()));
          }

          @Override
          public void headers(ConnectionContext connection, Headers headers) {}
        };
    return Http1ConnectionSelector.builder()
        .config(
            Http1Config.builder()
                .receiveLog(false)
                .sendLog(false)
                .addReceiveListener(limits)
                .build())
        .putUpgrader("websocket", new AgentUpgrade(links, agents))
        .build();
  }

  /** Every connection is HTTP/1.1; this only notes that its handshake is done. */
  private record Greeting(Links links, Deadlines deadlines, ServerConnectionSelector http1)
      implements ServerConnectionSelector {
    @Override
    public int bytesToIdentifyConnection() {
      return http1.bytesToIdentifyConnection();
    }

    @Override
    public Support supports(BufferData data) {
      return http1.supports(data);
    }

    @Override
    public Set<String> supportedApplicationProtocols() {
      return http1.supportedApplicationProtocols();
    }

    @Override
    public ServerConnection connection(ConnectionContext connection) {
      links
          .of(connection.remotePeer().address())
          .ifPresent(
              link -> {
                var holder = holder(connection);
                holder.ifPresentOrElse(
                    who ->
                        link.greeted(
                            who.role() + " " + who.name(),
                            who.role() == Role.HOST ? HOST_CONNECTIONS : CONNECTIONS),
                    link::greeted);
                link.expectWithin(deadlines.request());
              });
      return http1.connection(connection);
    }
  }

  private static Optional<Peer> holder(ConnectionContext connection) {
    var chain = connection.remotePeer().tlsCertificates();
    if (chain.isPresent() && chain.get()[0] instanceof X509Certificate certificate) {
      try {
        return Optional.of(Peer.of(certificate));
      } catch (SSLPeerUnverifiedException e) {
        // Routes reads it again and says what is wrong with it
      }
    }
    return Optional.empty();
  }

  /**
   * What Helidon refuses by itself, such as a broken request line, is answered as a Problem too.
   */
  private static DirectHandlers problems() {
    var handlers = DirectHandlers.builder();
    for (var type : DirectHandler.EventType.values()) {
      handlers.addHandler(type, ApiServer::problem);
    }
    return handlers.build();
  }

  private static DirectHandler.TransportResponse problem(
      DirectHandler.TransportRequest request,
      DirectHandler.EventType type,
      Status status,
      ServerResponseHeaders headers,
      String message) {
    var said =
        status.code() == 413
            ? "the body is larger than 4 MiB"
            : message == null || message.isEmpty() ? status.reasonPhrase() : message;
    // our own handler answers for what goes wrong in it, so this is a request that cannot be read
    boolean unreadable = type == DirectHandler.EventType.INTERNAL_ERROR;
    headers.set(HeaderNames.CONTENT_TYPE, "application/json");
    return DirectHandler.TransportResponse.builder()
        .status(unreadable ? Status.BAD_REQUEST_400 : status)
        .headers(headers)
        .keepAlive(false)
        .entity(Json.bytes(new Views.Problem(unreadable ? "the request cannot be read" : said)))
        .build();
  }
}
