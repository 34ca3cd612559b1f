/**
 * The right of a host to run guests, which ends by itself: what both sides count alike.
 *
 * <p>A lease is the leader's answer to one heartbeat. It names the guests and epochs by a digest of
 * the list that went to the agent before, lasts {@link dev.haven.model.wire.LeaseLength} from when
 * the agent <em>sent</em> the heartbeat, and is signed with the key of that agent process.
 */
@NullMarked
package dev.haven.core.lease;

import org.jspecify.annotations.NullMarked;
