/**
 * Scenarios: a cluster and what happens to it, in a file, and what becomes of it in simulated time.
 *
 * <p>{@link dev.haven.simulator.scenario.ScenarioFile} reads one, {@link
 * dev.haven.simulator.scenario.Play} plays it on a {@link dev.haven.simulator.Stage}, and {@link
 * dev.haven.simulator.scenario.Outcome} is what is shown of it. For operators: docs/simulate.md.
 */
@NullMarked
package dev.haven.simulator.scenario;

import org.jspecify.annotations.NullMarked;
