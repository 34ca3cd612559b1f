/**
 * libvirt, through libvirt-java's mapping of its C library and our own beside it.
 *
 * <p>From the outside in: {@link dev.haven.agent.libvirt.LibvirtHypervisor} answers the agent;
 * {@code Link} keeps one watched connection for events and quick questions and opens a new one when
 * it breaks; {@code Sessions} lends connections for orders; a {@code Session} is one connection
 * with the one thread that uses it; {@code LiveMigration} runs one live migration; {@code
 * MarkedDomain} reads and writes definitions; {@code Native} is the mapping.
 *
 * <p>Why so many connections: a call into libvirt can hang for as long as libvirtd does, and cannot
 * be interrupted. So each connection has a thread of its own, and a call that is late is given up
 * together with both. The thread ends and closes its connection whenever libvirt lets go of it.
 */
@NullMarked
package dev.haven.agent.libvirt;

import org.jspecify.annotations.NullMarked;
