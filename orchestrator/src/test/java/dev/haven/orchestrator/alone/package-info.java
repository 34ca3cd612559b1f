@NullMarked
package dev.haven.orchestrator.alone;

import org.jspecify.annotations.NullMarked;
