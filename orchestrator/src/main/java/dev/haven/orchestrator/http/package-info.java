/**
 * The orchestrator's one server: HTTPS with mutual TLS for clients (REST and server-sent events)
 * and for agents (a WebSocket each).
 *
 * <pre>
 *   TCP and TLS, or LocalListener (Jetty; Links: who is connected, and until when it has to say something)
 *       |
 *   Routes (one virtual thread a request) -- Answers -- ClusterApi, or 307
 *       |                                       '-- Forwarder (for local root) -> the leader's API
 *       |-- EventStreams
 *       '-- AgentUpgrade -> AgentConnection -- AgentConnections = HostAgents
 * </pre>
 *
 * <p>Who may do what follows from the certificate alone: reading and changing need an operator's,
 * the WebSocket needs the certificate of the host that says hello. A voter that does not lead
 * answers a caller with 307 and the address of the leader, which then sees the caller's own
 * certificate. Only what its own machine's root asks for, over the local socket, does it pass on:
 * under its own certificate (OU voter) and with the header {@code Haven-Local-User}. From any other
 * certificate that header means nothing.
 *
 * <p>No thread of the log waits here: every answer is waited for on the request's own virtual
 * thread, and what comes from other threads (orders, events) goes into bounded queues.
 */
@NullMarked
package dev.haven.orchestrator.http;

import org.jspecify.annotations.NullMarked;
