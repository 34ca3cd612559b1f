@NullMarked
package dev.haven.orchestrator.raft;

import org.jspecify.annotations.NullMarked;
