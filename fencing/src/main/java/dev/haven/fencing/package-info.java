/** Cutting a host's power and proving that it is off. Knows nothing of guests. */
@NullMarked
package dev.haven.fencing;

import org.jspecify.annotations.NullMarked;
