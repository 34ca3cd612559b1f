/** The hosts' power devices through the fencing library. */
@NullMarked
package dev.haven.orchestrator.power;

import org.jspecify.annotations.NullMarked;
