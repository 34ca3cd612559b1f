/**
 * What clients say to the orchestrator over REST, and what it answers. Unknown fields are ignored.
 */
@NullMarked
package dev.haven.model.api;

import org.jspecify.annotations.NullMarked;
