package dev.haven.orchestrator.http;

import dev.haven.tls.Role;
import java.time.Duration;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.util.Callback;
import org.eclipse.jetty.websocket.core.Configuration;
import org.eclipse.jetty.websocket.core.server.WebSocketMappings;
import org.eclipse.jetty.websocket.core.server.WebSocketServerComponents;

/** Turns an HTTP/1.1 connection on {@link #PATH} into an agent's WebSocket. */
final class AgentUpgrade {
  /** How much of a frame is taken at once, in bytes. */
  private static final int PIECE = 64 << 10;

  static final String PATH = "/v1/agent";

  private final AgentConnections agents;
  private final WebSocketMappings mappings;

  AgentUpgrade(Server server, AgentConnections agents) {
    this.agents = agents;
    var components = WebSocketServerComponents.ensureWebSocketComponents(server);
    // A few KiB of a compressed message could unfold to more than the heap.
    components.getExtensionRegistry().getAvailableExtensionNames().stream()
        .toList()
        .forEach(components.getExtensionRegistry()::unregister);
    this.mappings = new WebSocketMappings(components);
  }

  /**
   * Takes the connection over where it is an agent's.
   *
   * @return false where it is none: then {@link Routes} says why
   */
  boolean upgraded(Request request, Response response, Callback callback, Links.Link link) {
    var headers = request.getHeaders();
    if (!request.getMethod().equals("GET")
        || !"13".equals(headers.get(HttpHeader.SEC_WEBSOCKET_VERSION))
        || !headers.contains(HttpHeader.SEC_WEBSOCKET_KEY)
        || !headers.contains(HttpHeader.UPGRADE, "websocket")) {
      return false;
    }
    var peer = ApiServer.holder(request.getConnectionMetaData().getConnection().getEndPoint());
    return peer.isPresent()
        && peer.get().role() == Role.HOST
        && mappings.upgrade(
            (_, _, _) -> agents.accept(link, peer.get().name()),
            request,
            response,
            callback,
            AgentUpgrade::configure);
  }

  static void configure(Configuration session) {
    session.setIdleTimeout(Duration.ZERO); // Links knows better
    // a longer frame comes in pieces: memory is taken as its bytes come, not as it announces them
    session.setMaxFrameSize(PIECE);
    session.setAutoFragment(true);
    session.setMaxTextMessageSize(AgentConnection.MESSAGE_MAX);
  }
}
