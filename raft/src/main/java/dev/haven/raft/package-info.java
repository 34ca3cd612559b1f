/**
 * The replicated log on jgroups-raft 1.1.4, hardened.
 *
 * <p>As shipped it can acknowledge writes and lose them (docs/adr/0007-raft.md lists how), so
 * {@link dev.haven.raft.HavenRaft} and {@link dev.haven.raft.HavenElection} subclass its two
 * protocols and keep the parts that are sound: the place in a JGroups stack, the request queue and
 * its one thread, term, vote and leader with their rules, the roles, and the {@code Log} interface,
 * behind which {@link dev.haven.raft.VoterLog} is our own. Around these stand {@link
 * dev.haven.raft.Intake} (what others say, until it is taken), {@link dev.haven.raft.Admission}
 * (who may speak), {@link dev.haven.raft.Peers} (the connections), {@link
 * dev.haven.raft.GoingAlone} (going on without the others) and {@link dev.haven.raft.Bulletin}
 * (what other threads may know). What decides is done in Raft's own words and on that one thread:
 *
 * <ol>
 *   <li>An entry counts for a voter when it is on its disk (fsync), and so do term and vote.
 *   <li>A follower acknowledges and commits only what it has compared with the message at hand.
 *   <li>A leader commits by counting only entries of its own term, the first of which is a no-op.
 *   <li>Reads go through the log.
 *   <li>Who leads is decided by votes for a candidate whose log is at least as good, never by a
 *       view of the membership. JGroups' group membership and failure detection are not in the
 *       stack.
 *   <li>A voter is its name and the id of its log, and speaks only with the certificate of that
 *       name.
 *   <li>Whatever of its own does not fit into these halts the voter; what others say never does.
 * </ol>
 *
 * The state machine above de-duplicates repeated commands by the request ids in them.
 */
@NullMarked
package dev.haven.raft;

import org.jspecify.annotations.NullMarked;
