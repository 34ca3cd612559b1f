/**
 * What an agent does with guests, through the port {@link dev.haven.agent.guest.Hypervisor}. It
 * waits for time by {@link dev.haven.model.Time} alone, so that the simulator runs this same code
 * with a libvirt, a disk and a time that are made up.
 *
 * <pre>
 *   Orders       one guest's orders one after another, each asked of the Refusals first
 *   GuestKeeper  does one order with libvirt and answers no more than libvirt has said
 *   Departures   the same for a guest that migrates away
 *   LastWord     what is said of a guest that is gone, and when it may be said
 * </pre>
 */
@NullMarked
package dev.haven.agent.guest;

import org.jspecify.annotations.NullMarked;
