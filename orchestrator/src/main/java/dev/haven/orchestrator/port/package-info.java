/** The world as small interfaces: what the orchestrator's loop needs and the wiring provides. */
@NullMarked
package dev.haven.orchestrator.port;

import org.jspecify.annotations.NullMarked;
