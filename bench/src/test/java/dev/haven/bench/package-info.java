@NullMarked
package dev.haven.bench;

import org.jspecify.annotations.NullMarked;
