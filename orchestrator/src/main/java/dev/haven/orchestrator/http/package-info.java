/**
 * The orchestrator's one server: HTTPS with mutual TLS for clients (REST and server-sent events)
 * and for agents (a WebSocket each).
 *
 * <pre>
 *   accept -> TlsListener -> Links (who is connected, and until when it has to say something)
 *                |
 *             Helidon (HTTP/1.1, one virtual thread a connection)
 *                |-- Routes -- ClusterApi, or Forwarder -> the leader's API
 *                |     '----- EventStream
 *                '-- AgentUpgrade -> AgentConnection -- AgentConnections = HostAgents
 * </pre>
 *
 * <p>Who may do what follows from the certificate alone: changes need an operator's, the WebSocket
 * needs the certificate of the host that says hello, reading takes any certificate of the cluster's
 * CA. A voter passes a request on under its own certificate (OU host, CN the voter's name) and
 * names the caller in the header {@code Haven-On-Behalf-Of}; from any other certificate that header
 * means nothing.
 *
 * <p>No thread of the log waits here: every answer is waited for on the connection's own virtual
 * thread, and what comes from other threads (orders, events) goes into bounded queues.
 */
@NullMarked
package dev.haven.orchestrator.http;

import org.jspecify.annotations.NullMarked;
