/**
 * What agents and orchestrators say to each other: JSON frames over the agent's WebSocket, and
 * heartbeats by UDP.
 */
@NullMarked
package dev.haven.model.wire;

import org.jspecify.annotations.NullMarked;
