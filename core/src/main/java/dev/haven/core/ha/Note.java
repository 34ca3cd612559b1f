package dev.haven.core.ha;

/**
 * A line of the audit log.
 *
 * @param kind {@code decision}, {@code evidence}, {@code command}, {@code alarm}, {@code phase}, or
 *     {@code times}: names and instants of a failover's phases
 */
public record Note(String kind, String subject, String message) {}
