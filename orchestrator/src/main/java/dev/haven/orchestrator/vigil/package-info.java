/**
 * Who was heard when: soft state that every voter keeps from its start, so that a new leader needs
 * no warm-up. Knows nothing of guests and decides nothing.
 */
@NullMarked
package dev.haven.orchestrator.vigil;

import org.jspecify.annotations.NullMarked;
