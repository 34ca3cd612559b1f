@NullMarked
package dev.haven.tls;

import org.jspecify.annotations.NullMarked;
