/** Tests of configuration reading. */
@NullMarked
package dev.haven.model.config;

import org.jspecify.annotations.NullMarked;
