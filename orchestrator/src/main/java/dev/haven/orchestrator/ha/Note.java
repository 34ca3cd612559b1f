package dev.haven.orchestrator.ha;

/**
 * A line of the audit log.
 *
 * @param kind {@code decision}, {@code evidence}, {@code command}, {@code alarm} or {@code phase}
 */
public record Note(String kind, String subject, String message) {}
