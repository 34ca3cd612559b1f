package dev.haven.simulator;

import dev.haven.agent.guest.Hypervisor;
import dev.haven.agent.guest.LibvirtState;
import dev.haven.agent.guest.LibvirtState.Run;
import dev.haven.agent.guest.LibvirtState.Why;
import dev.haven.model.DomainReport;
import dev.haven.model.DomainState;
import dev.haven.model.Epoch;
import dev.haven.model.GuestHealth;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** A guest as one host's libvirt has it. */
final class SimDomain {
  Epoch epoch;
  DomainState state;

  /** It has never executed anything here: it was created here, paused, or came by a migration. */
  boolean neverRan;

  /** A migration away that is under way. */
  @Nullable SimMigration leaving;

  /** libvirt stopped it at the end of a migration. */
  boolean pausedByMigration;

  /** A call to pause it has returned, and it has not run since. */
  boolean drained;

  /** libvirt is about to create it, paused, whether or not anybody still waits for that. */
  boolean creating;

  /** Calls that libvirt has got, whether or not anybody still waits, and that may let it run. */
  int callsPending;

  /** It does nothing useful any more, which its host's agent has found out. */
  boolean foundHung;

  /** What was told last, if the state says it all: this is asked ten times a second. */
  private @Nullable DomainReport told;

  SimDomain(Epoch epoch, DomainState state) {
    this.epoch = epoch;
    this.state = state;
  }

  /** Whether it executes instructions, and so writes to its disks. */
  boolean executes() {
    return state == DomainState.RUNNING || state == DomainState.SHUTTING_DOWN;
  }

  /** Whether a call of libvirt's may still let it run. */
  boolean callPending() {
    return callsPending > 0;
  }

  /** Whether libvirt is at something with it: another call has to wait. */
  boolean occupied() {
    return creating || callPending();
  }

  boolean job() {
    return leaving != null || occupied() || state == DomainState.INCOMING;
  }

  /** Whether its agent has found that it hangs. */
  Optional<GuestHealth> health() {
    return foundHung && state == DomainState.RUNNING
        ? Optional.of(new GuestHealth(GuestHealth.Verdict.UNHEALTHY, "its guest agent is silent"))
        : Optional.empty();
  }

  /** In libvirt's words, as all parts of Haven share them. */
  DomainReport report(String name) {
    var last = told;
    if (last == null
        || last.state() != state
        || last.job() != job()
        || pausedByMigration
        || creating
        || !last.epoch().equals(epoch)) {
      last = as(name).report();
      told = last.state() == state ? last : null;
    }
    return last;
  }

  /** In libvirt's words. */
  Hypervisor.Domain as(String name) {
    var full = state == DomainState.PAUSED_NO_SPACE;
    var now = libvirtState();
    return new Hypervisor.Domain(
        name,
        new UUID(1, name.hashCode()),
        now.shutOff() ? -1 : 1,
        now,
        epoch.equals(Epoch.NONE) ? OptionalLong.empty() : OptionalLong.of(epoch.value()),
        job(),
        true,
        false,
        128,
        1,
        full ? List.of(new Hypervisor.DiskError("vda", true)) : List.of());
  }

  LibvirtState libvirtState() {
    return switch (state) {
      case RUNNING -> new LibvirtState(Run.RUNNING, Why.BOOTED);
      case SHUTTING_DOWN -> new LibvirtState(Run.SHUTTING_DOWN, Why.UNKNOWN);
      case PAUSED, PAUSED_NO_LEASE ->
          new LibvirtState(Run.PAUSED, pausedByMigration ? Why.MIGRATION : Why.USER);
      case PAUSED_IO_ERROR, PAUSED_NO_SPACE -> new LibvirtState(Run.PAUSED, Why.IO_ERROR);
      case INCOMING -> new LibvirtState(Run.PAUSED, Why.MIGRATION);
      case OFF_SHUTDOWN -> off(Why.SHUTDOWN);
      case OFF_BY_HOST -> off(Why.BY_HOST);
      case OFF_CRASHED -> off(Why.CRASHED);
      case OFF_DESTROYED -> off(Why.DESTROYED);
      case OFF_MIGRATED -> off(Why.MIGRATED);
      case OFF -> creating ? new LibvirtState(Run.PAUSED, Why.STARTING_UP) : off(Why.UNKNOWN);
    };
  }

  private static LibvirtState off(Why why) {
    return new LibvirtState(Run.SHUT_OFF, why);
  }
}
