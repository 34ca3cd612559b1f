@NullMarked
package dev.haven.raft;

import org.jspecify.annotations.NullMarked;
