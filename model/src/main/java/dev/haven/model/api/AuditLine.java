package dev.haven.model.api;

import java.time.Instant;

/**
 * A line of the audit log with its place.
 *
 * @param index of the line, from 1; grows by at least one from line to line
 * @param at by the leader's wall clock, for people
 */
public record AuditLine(long index, Instant at, Fact fact) {}
