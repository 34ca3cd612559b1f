/** A whole cluster of real parts on one machine. */
@NullMarked
package dev.haven.lab;

import org.jspecify.annotations.NullMarked;
