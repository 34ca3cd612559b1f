package dev.haven.core.lead;

import dev.haven.core.ha.Action;
import dev.haven.core.ha.Change;
import dev.haven.core.ha.ClusterState;
import dev.haven.core.ha.Event;
import java.time.Instant;
import java.util.List;

/** The world as a leader sees it and acts on it. Nothing here blocks. */
public interface World {
  /** The newest committed state that this voter has applied. */
  ClusterState state();

  /** This voter's monotonic clock, nanoseconds. */
  long nanos();

  /** This voter's wall clock; for people and for events. */
  Instant instant();

  /** The voters that this one hears. */
  Event.Quorum quorum();

  Leases leases();

  ProofTimes proofTimes();

  VoterClocks clocks();

  /** Whether what the event tells was true when it was told and is no longer. */
  boolean outdated(Event event);

  /** These changes are about to be proposed: what is known of their hosts is wanted now. */
  default void proposing(List<Change> changes) {}

  void start(Action action, long term);

  /** A fault of ours, for the log: the event was decided without some guests, or not at all. */
  void failed(Event event, RuntimeException fault);
}
