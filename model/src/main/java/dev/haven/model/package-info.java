/** The words every part of Haven shares: ids, hosts, guests, and the messages between the parts. */
@NullMarked
package dev.haven.model;

import org.jspecify.annotations.NullMarked;
