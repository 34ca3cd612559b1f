/**
 * Domain XML for new guests: templates, their parameters, and libvirt's own schema to check the
 * result.
 *
 * <p>{@link dev.haven.templates.GuestTemplate} fills a template with {@link
 * dev.haven.templates.GuestParameters}; {@link dev.haven.templates.DomainSchema} checks that, or
 * any domain XML, and names the wrong field; {@link dev.haven.model.DomainXml} reads back what
 * placement needs.
 */
@NullMarked
package dev.haven.templates;

import org.jspecify.annotations.NullMarked;
