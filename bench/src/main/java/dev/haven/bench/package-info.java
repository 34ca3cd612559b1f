/** Measurements that anyone can run. */
@NullMarked
package dev.haven.bench;

import org.jspecify.annotations.NullMarked;
