package dev.haven.model;

import java.util.Optional;

/**
 * One domain as an agent found it.
 *
 * @param name libvirt's name; a guest's name if it is one of ours
 * @param epoch the epoch under which we started it; {@link Epoch#NONE} if we did not
 * @param job whether libvirt has a job on it, such as a migration
 * @param detail libvirt's own words for the state
 * @param health of this turn of it; empty if nothing is known, and from agents that do not say it
 */
public record DomainReport(
    String name,
    DomainState state,
    Epoch epoch,
    boolean job,
    String detail,
    Optional<GuestHealth> health) {
  private static final int NAME_MAX = 255;
  private static final int DETAIL_MAX = 500;

  /** Long texts are shortened; no guest of ours has such a name. */
  public DomainReport {
    name = PlainText.brief(name, NAME_MAX);
    detail = PlainText.brief(detail, DETAIL_MAX);
  }

  public DomainReport(String name, DomainState state, Epoch epoch, boolean job, String detail) {
    this(name, state, epoch, job, detail, Optional.empty());
  }

  public DomainReport with(Optional<GuestHealth> now) {
    return new DomainReport(name, state, epoch, job, detail, now);
  }
}
