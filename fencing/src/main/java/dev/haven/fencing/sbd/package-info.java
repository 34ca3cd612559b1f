/**
 * Messages between hosts over shared disks, on disk as ClusterLabs' sbd has them: each reads what
 * the other wrote.
 *
 * <p>A disk has a header with the times that everybody on it keeps, and up to 255 slots, each a
 * host's name and a mailbox of one message. A host that is to die gets the message {@code reset} or
 * {@code off} ({@link dev.haven.fencing.sbd.SbdDisks}); its watcher ({@link
 * dev.haven.fencing.sbd.SbdWatcher}) reads the mailbox every loop and obeys, and one that can no
 * longer read enough disks lets its watchdog reset the host. So who wrote to a majority and waited
 * {@code msgwait} knows that the host is gone, <em>provided</em> that the watcher was armed.
 *
 * <p>What always holds here:
 *
 * <ol>
 *   <li>A message counts as written when it was read back from the disk itself, past all caches,
 *       and as delivered when it was still there after the wait: one that another message replaced
 *       in between may never have been seen.
 *   <li>Writing needs more than half of the disks, reading enough of them to meet every such
 *       majority: of three two, of two or one one.
 *   <li>A disk whose {@code msgwait} is less than twice its watchdog's time is refused.
 *   <li>A sector is written whole and alone; nothing beside it is ever written again as we last saw
 *       it.
 * </ol>
 */
@NullMarked
package dev.haven.fencing.sbd;

import org.jspecify.annotations.NullMarked;
