/**
 * What the command line does to start fast on a JVM, behind one switch: {@code
 * HAVEN_FAST_START=off} turns all of it off, see {@link dev.haven.cli.start.FastStart}. With and
 * without it every command says the same; docs/adr/0002-fast-start.md has the figures, and what
 * leaves when a native image or a later JDK comes.
 *
 * <p>Nothing here knows a verb: the caller says what is to be prepared or trained.
 */
@NullMarked
package dev.haven.cli.start;

import org.jspecify.annotations.NullMarked;
