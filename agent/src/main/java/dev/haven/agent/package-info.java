/**
 * One on each host: drives libvirt, reports what runs, obeys current orders. It decides nothing.
 *
 * <pre>
 *   Heartbeats      UDP to every voter on every network, 5 a second   ---- answers ---> Leaders
 *   LeaderChannel   the WebSocket to the leader: orders in, Outbox out            who leads
 *   guest           orders: one guest's one after another, each asked of the OrderBook first, and
 *                   done with libvirt
 *   OrderBook       what this host refuses, on disk
 *   Reports         what libvirt has, after each event and every 5 s
 *   Hypervisor      the port to it; the package {@code libvirt} is its only real side
 * </pre>
 *
 * What must always hold here:
 *
 * <ol>
 *   <li>Nothing is obeyed that is older than what this host has seen, or that it has refused; both
 *       are on disk before anything is touched, so a restart changes nothing.
 *   <li>"Gone" is said only after the refusal is on disk and libvirt, asked after that, says off
 *       with no job left. A call that timed out is {@code Unknown}.
 *   <li>The end of this process, by whatever way, touches no guest; its next one reports what runs.
 *   <li>Heartbeats wait for nothing but the clock: a host whose libvirt hangs still lives.
 * </ol>
 */
@NullMarked
package dev.haven.agent;

import org.jspecify.annotations.NullMarked;
