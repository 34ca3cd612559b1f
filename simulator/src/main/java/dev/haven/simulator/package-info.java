/** The production decisions in simulated time, with faults drawn from a seed. */
@NullMarked
package dev.haven.simulator;

import org.jspecify.annotations.NullMarked;
