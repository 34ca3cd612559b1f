/**
 * The orchestrator's one server: HTTPS with mutual TLS for clients (REST and server-sent events)
 * and for agents (a WebSocket each).
 *
 * <pre>
 *   accept -> TlsListener -> Links (who is connected, and until when it has to say something)
 *                |
 *             Helidon (HTTP/1.1, one virtual thread a connection)
 *                |-- Routes -- ClusterApi, or 307 (Forwarder: for local root) -> the leader's API
 *                |     '----- EventStream
 *                '-- AgentUpgrade -> AgentConnection -- AgentConnections = HostAgents
 * </pre>
 *
 * <p>Who may do what follows from the certificate alone: reading and changing need an operator's,
 * the WebSocket needs the certificate of the host that says hello. A voter that does not lead
 * answers a caller with 307 and the address of the leader, which then sees the caller's own
 * certificate. Only what its own machine's root asks for, over the local socket, does it pass on:
 * under its own certificate (OU voter) and with the header {@code Haven-Local-User}. From any other
 * certificate that header means nothing.
 *
 * <p>No thread of the log waits here: every answer is waited for on the connection's own virtual
 * thread, and what comes from other threads (orders, events) goes into bounded queues.
 */
@NullMarked
package dev.haven.orchestrator.http;

import org.jspecify.annotations.NullMarked;
