/** What the cluster tells of itself, put together from its state: pure functions. */
@NullMarked
package dev.haven.orchestrator.view;

import org.jspecify.annotations.NullMarked;
