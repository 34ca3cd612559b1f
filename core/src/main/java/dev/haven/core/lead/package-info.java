/**
 * What a leader knows beside the committed state, and what it may do by it: who was heard when,
 * which leases it has granted, since when each proof holds. Soft state that every voter keeps from
 * its start, so that a new leader needs no warm-up. Times come in as arguments.
 */
@NullMarked
package dev.haven.core.lead;

import org.jspecify.annotations.NullMarked;
