package dev.haven.model;

/**
 * One domain as an agent found it.
 *
 * @param name libvirt's name; a guest's name if it is one of ours
 * @param epoch the epoch under which we started it; {@link Epoch#NONE} if we did not
 * @param job whether libvirt has a job on it, such as a migration
 * @param detail libvirt's own words for the state
 */
public record DomainReport(
    String name, DomainState state, Epoch epoch, boolean job, String detail) {}
