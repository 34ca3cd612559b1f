/** One on each host: drives libvirt, reports what runs, obeys current orders. */
@NullMarked
package dev.haven.agent;

import org.jspecify.annotations.NullMarked;
