/**
 * Two voters without a third: what one does when it hears nothing of the other any more.
 *
 * <p>{@link dev.haven.orchestrator.alone.TwoAlone} decides and is pure; {@link
 * dev.haven.orchestrator.alone.PairFailover} looks, fences and shrinks. Why it is safe stands in
 * docs/adr/0011-two-alone.md.
 */
@NullMarked
package dev.haven.orchestrator.alone;

import org.jspecify.annotations.NullMarked;
