/**
 * What an agent may still do: which orders it refuses, and what it has promised. The agent keeps
 * the promises in a file, the simulator on a disk that is made up.
 */
@NullMarked
package dev.haven.core.obey;

import org.jspecify.annotations.NullMarked;
