/** Which host can take which guest, and why not. Pure. */
@NullMarked
package dev.haven.core.placement;

import org.jspecify.annotations.NullMarked;
