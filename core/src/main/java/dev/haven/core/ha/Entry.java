package dev.haven.core.ha;

import dev.haven.model.api.Fact;
import java.time.Instant;
import java.util.List;

/**
 * What one decision puts into the Raft log.
 *
 * @param format of entries, {@link #FORMAT}
 * @param base the version of the state on which it was decided: on any other it is refused, so a
 *     leader that was deposed without knowing changes nothing
 * @param at by the leader's wall clock, for people
 */
public record Entry(int format, long base, Instant at, List<Change> changes, List<Fact> facts) {
  public static final int FORMAT = 3;

  public Entry {
    changes = List.copyOf(changes);
    facts = List.copyOf(facts);
  }
}
