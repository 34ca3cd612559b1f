/** Decides, commits, acts: the voters that keep the cluster's state and give the orders. */
@NullMarked
package dev.haven.orchestrator;

import org.jspecify.annotations.NullMarked;
