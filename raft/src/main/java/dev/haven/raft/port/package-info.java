/** The replicated log as those see it who use it, and the state machine that it drives. */
@NullMarked
package dev.haven.raft.port;

import org.jspecify.annotations.NullMarked;
