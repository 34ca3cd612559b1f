package dev.haven.model.api;

import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The flight record of one failure, {@code GET /v1/incidents} and {@code GET /v1/incidents/ID}:
 * from the last sign of a host, or the end of a guest, to the last guest that runs again. All times
 * are by the wall clocks of the leaders that wrote them.
 *
 * @param id the number of its first line in the audit log; stays the same
 * @param subject the host or guest
 * @param began when the host was last heard, or the guest ended
 * @param ended when the last guest ran again, or the host was back; empty while that is awaited
 * @param verdict why the host was fenced; empty if it was not
 * @param proof what showed that the host ran nothing any more; empty if nothing did
 * @param phases in order of their times
 * @param guests that were down because of it, by name
 */
public record Incident(
    long id,
    Kind kind,
    String subject,
    Instant began,
    Optional<Instant> ended,
    Optional<Fact.Verdict> verdict,
    Optional<Fact.Evidence> proof,
    List<Phase> phases,
    List<Down> guests) {

  /** What failed. */
  public enum Kind {
    /** A host fell silent or was fenced. */
    HOST,
    /** A guest ended while its host was well. */
    GUEST
  }

  /**
   * One line of it.
   *
   * @param millis since the incident began; negative for what was said of a time before
   * @param name short, the same in every incident, such as {@code suspect} or {@code proof}
   * @param subject the host, guest or person
   */
  public record Phase(Instant at, long millis, String name, String subject, String message) {}

  /**
   * A guest that was down.
   *
   * @param from where it ran
   * @param to where it was ordered to start last; empty before that
   * @param orderedMillis from the beginning of the incident to the order to start it
   * @param runsMillis from the beginning of the incident to its agent's word that it runs
   */
  public record Down(
      GuestId guest,
      HostId from,
      Optional<HostId> to,
      Optional<Long> orderedMillis,
      Optional<Long> runsMillis) {}

  public Incident {
    phases = List.copyOf(phases);
    guests = List.copyOf(guests);
  }

  /**
   * How long it has lasted.
   *
   * @param now counts while it is under way
   */
  public Duration lasted(Instant now) {
    return Duration.between(began, ended.orElse(now));
  }

  /** How many of its guests run again. */
  public int running() {
    return (int) guests.stream().filter(g -> g.runsMillis().isPresent()).count();
  }
}
