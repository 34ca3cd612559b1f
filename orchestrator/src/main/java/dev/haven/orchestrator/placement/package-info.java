/** Which host can take which guest, and why not. Pure. */
@NullMarked
package dev.haven.orchestrator.placement;

import org.jspecify.annotations.NullMarked;
