package dev.haven.core.ha;

/**
 * A moment by one voter's own clock. Only that voter can compare it, and only in the same process.
 *
 * @param process drawn at random when the voter's process began
 * @param nanos its {@link System#nanoTime}
 */
public record VoterClock(String process, long nanos) {}
