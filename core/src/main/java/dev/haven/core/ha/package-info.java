/**
 * What the cluster decides, and nothing else: pure functions over {@link
 * dev.haven.core.ha.ClusterState}. No clock, no chance, no socket.
 *
 * <p>{@link dev.haven.core.ha.HaPolicy#decide} turns an {@link dev.haven.core.ha.Event} into {@link
 * dev.haven.core.ha.Change}s, which are committed by a quorum first, and {@link
 * dev.haven.core.ha.Action}s, which touch the world after that. The rule that no guest runs twice
 * lives in {@link dev.haven.core.ha.ClusterState#apply}: a guest keeps its {@link
 * dev.haven.core.ha.Holding}s, the hosts that could run it, until a {@link dev.haven.core.ha.Proof}
 * takes each away, and is placed only when none is left.
 */
@NullMarked
package dev.haven.core.ha;

import org.jspecify.annotations.NullMarked;
