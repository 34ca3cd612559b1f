/**
 * Domain XML for new guests: templates, their parameters, and libvirt's own schema to check the
 * result.
 */
@NullMarked
package dev.haven.templates;

import org.jspecify.annotations.NullMarked;
