package dev.haven.orchestrator.http;

import dev.haven.tls.Peer;
import dev.haven.tls.Role;
import io.helidon.common.buffers.BufferData;
import io.helidon.http.HeaderName;
import io.helidon.http.HeaderNames;
import io.helidon.http.HttpPrologue;
import io.helidon.http.WritableHeaders;
import io.helidon.webserver.ConnectionContext;
import io.helidon.webserver.http1.spi.Http1Upgrader;
import io.helidon.webserver.spi.ServerConnection;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.Optional;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/**
 * Turns an HTTP/1.1 connection on {@link #PATH} into an agent's WebSocket.
 *
 * <p>In place of Helidon's own upgrader and {@code WsListener}, because of three traps in 4.3.1:
 * its connection tells the listener nothing (neither {@code onClose} nor {@code onError}) when the
 * TCP connection just ends, which is how hosts go; its {@code send} is not safe on a second thread,
 * not even against its own answers to a close; and the listener never meets the TLS peer before the
 * upgrade is granted.
 */
final class AgentUpgrade implements Http1Upgrader {
  static final String PATH = "/v1/agent";

  private static final HeaderName KEY = HeaderNames.create("Sec-WebSocket-Key");
  private static final HeaderName VERSION = HeaderNames.create("Sec-WebSocket-Version");
  private static final String KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3

  private final Links links;
  private final AgentConnections agents;

  AgentUpgrade(Links links, AgentConnections agents) {
    this.links = links;
    this.agents = agents;
  }

  @Override
  public String supportedProtocol() {
    return "websocket";
  }

  /** Null where it is no agent's: then {@link Routes} says why. */
  @Override
  public @Nullable ServerConnection upgrade(
      ConnectionContext connection, HttpPrologue prologue, WritableHeaders<?> headers) {
    var key = headers.first(KEY);
    var host = host(connection);
    var link = links.of(connection.remotePeer().address());
    if (!prologue.uriPath().path().equals(PATH)
        || !prologue.method().text().equals("GET")
        || !headers.first(VERSION).orElse("").equals("13")
        || key.isEmpty()
        || host.isEmpty()
        || link.isEmpty()) {
      return null;
    }
    var response =
        "HTTP/1.1 101 Switching Protocols\r\n"
            + "Connection: Upgrade\r\n"
            + "Upgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: "
            + accept(key.get())
            + "\r\n\r\n";
    connection
        .dataWriter()
        .writeNow(BufferData.create(response.getBytes(StandardCharsets.US_ASCII)));
    return agents.accept(connection, link.get(), host.get());
  }

  private static Optional<String> host(ConnectionContext connection) {
    try {
      var chain = connection.remotePeer().tlsCertificates();
      if (chain.isPresent() && chain.get()[0] instanceof X509Certificate certificate) {
        var peer = Peer.of(certificate);
        return peer.role() == Role.HOST ? Optional.of(peer.name()) : Optional.empty();
      }
    } catch (SSLPeerUnverifiedException e) {
      // Routes reads the certificate again and says what is wrong with it
    }
    return Optional.empty();
  }

  private static String accept(String key) {
    try {
      var digest = MessageDigest.getInstance("SHA-1");
      return Base64.getEncoder()
          .encodeToString(digest.digest((key + KEY_SUFFIX).getBytes(StandardCharsets.US_ASCII)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-1", e);
    }
  }
}
