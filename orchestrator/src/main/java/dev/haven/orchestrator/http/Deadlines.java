package dev.haven.orchestrator.http;

import java.time.Duration;

/**
 * How long each step of a connection may take before it is closed.
 *
 * @param handshake from the TCP connection to the end of the TLS handshake: our own slowness counts
 *     too, when the agents of a thousand hosts come at once, but nobody is known before its end
 * @param request from there to the end of the first request's headers
 * @param body for all of a request's body
 * @param response for the client to take an answer
 * @param idle from an answer to the end of the next request's headers; longer than clients keep an
 *     unused connection, so that it is they who close it, and never we while a request is on its
 *     way
 * @param hello from the WebSocket's upgrade to the agent's hello
 * @param welcome from the hello to its welcome; when nobody decides it (a leader that is not ready
 *     yet, or is none any more), the agent has to begin again
 * @param ping between two pings to an agent
 * @param silence of an agent, and the longest write to it: three pings. Heartbeats find a silent
 *     host sooner; this finds a dead connection
 * @param goodbye for an agent to take its dismissal
 * @param heartbeat between two lines to a client of the event stream
 * @param line for that client to take what is sent
 */
record Deadlines(
    Duration handshake,
    Duration request,
    Duration body,
    Duration response,
    Duration idle,
    Duration hello,
    Duration welcome,
    Duration ping,
    Duration silence,
    Duration goodbye,
    Duration heartbeat,
    Duration line) {
  static final Deadlines DEFAULT = inUnitsOf(Duration.ofSeconds(1));

  /** The same, with another length for what is a second by default. */
  static Deadlines inUnitsOf(Duration second) {
    return new Deadlines(
        second.multipliedBy(10),
        second.multipliedBy(20),
        second.multipliedBy(20),
        second.multipliedBy(30),
        second.multipliedBy(60),
        second.multipliedBy(5),
        second.multipliedBy(10),
        second.multipliedBy(2),
        second.multipliedBy(6),
        second.multipliedBy(2),
        second.multipliedBy(10),
        second.multipliedBy(10));
  }
}
