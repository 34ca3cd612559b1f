/** The command line, haven. */
@NullMarked
package dev.haven.cli;

import org.jspecify.annotations.NullMarked;
