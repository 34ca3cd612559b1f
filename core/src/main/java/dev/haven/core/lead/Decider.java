package dev.haven.core.lead;

import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Decision;
import dev.haven.core.ha.Event;
import dev.haven.model.GuestId;
import java.util.Set;

/** How an event is judged. */
public interface Decider {
  /**
   * @param leftOut guests about which nothing is to be decided
   */
  Decision decide(ClusterState state, Event event, Set<GuestId> leftOut);
}
