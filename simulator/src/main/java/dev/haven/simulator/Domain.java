package dev.haven.simulator;

import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestHealth;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A guest as one host's libvirt has it. */
final class Domain {
  Epoch epoch;
  DomainState state;

  /** It came here by a migration and has never executed anything here. */
  boolean neverRan;

  /** A migration away that is under way. */
  @Nullable Migration leaving;

  /** Its agent's own call to pause it has returned, and it has not run since. */
  boolean drained;

  /** libvirt is about to create it, paused, whether or not anybody still waits for that. */
  boolean creating;

  /** A call of libvirt's that nobody waits for any more and that may still let it run. */
  boolean callPending;

  /** The agent's process that sent the last call which creates it or lets it run. */
  @Nullable SimAgent caller;

  /** It does nothing useful any more, which its host's agent has found out. */
  boolean foundHung;

  Domain(Epoch epoch, DomainState state) {
    this.epoch = epoch;
    this.state = state;
  }

  /** Whether it executes instructions, and so writes to its disks. */
  boolean executes() {
    return state == DomainState.RUNNING || state == DomainState.SHUTTING_DOWN;
  }

  boolean job() {
    return leaving != null || creating || callPending || state == DomainState.INCOMING;
  }

  DomainReport report(String name) {
    return new DomainReport(
        name,
        state,
        epoch,
        job(),
        state.name(),
        foundHung && state == DomainState.RUNNING
            ? Optional.of(
                new GuestHealth(GuestHealth.Verdict.UNHEALTHY, "its guest agent is silent"))
            : Optional.empty());
  }
}
