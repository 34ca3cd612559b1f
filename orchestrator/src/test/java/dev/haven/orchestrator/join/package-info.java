@NullMarked
package dev.haven.orchestrator.join;

import org.jspecify.annotations.NullMarked;
