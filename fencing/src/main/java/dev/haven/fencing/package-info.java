/**
 * Cutting a host's power and proving that it is off. A library: it knows hosts only by name, no
 * guests, and keeps nothing on disk but a file that ipmitool reads.
 *
 * <p>Reading order: {@link dev.haven.fencing.FencingPlan} (which devices, in which levels), {@link
 * dev.haven.fencing.Fencer} (off, read back twice, next level), {@link
 * dev.haven.fencing.PowerDevice} (what a kind of device must offer) and its kinds: IPMI through
 * ipmitool, Redfish, libvirt beneath a nested host, smart plugs over HTTP, commands, any
 * ClusterLabs fence agent, and a person; and a poison pill on shared disks ({@link
 * dev.haven.fencing.sbd}), whose outcome is one of its own.
 *
 * <p>What always holds here:
 *
 * <ol>
 *   <li>{@link dev.haven.fencing.FencingOutcome.Confirmed} is returned only when <em>every</em>
 *       device of one level took our order to switch off and afterwards said off twice, the second
 *       time after all of them had said so once.
 *   <li>{@link dev.haven.fencing.FencingOutcome.Poisoned} is returned only when the pill stood on a
 *       majority of the disks for its whole wait; whether anybody was there to obey it is for the
 *       caller to know.
 *   <li>A timeout, a lost answer or an unreadable one is {@code Unknown} or {@code Failed}, never
 *       off.
 *   <li>A device known to be another host's is given no order.
 *   <li>A person's word is never {@code Confirmed}.
 *   <li>Secrets appear on no command line, in no log, exception or {@code toString}.
 * </ol>
 */
@NullMarked
package dev.haven.fencing;

import org.jspecify.annotations.NullMarked;
