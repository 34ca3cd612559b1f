@NullMarked
package dev.haven.templates;

import org.jspecify.annotations.NullMarked;
