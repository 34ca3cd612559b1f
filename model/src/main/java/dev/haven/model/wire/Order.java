package dev.haven.model.wire;

import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.HostId;
import java.time.Duration;

/**
 * What the leader tells an agent to do or asks it. Every order may arrive twice unharmed. An agent
 * refuses one whose epoch for what it is about, or whose frame's term or generation, is older than
 * the highest it has seen on disk.
 */
public sealed interface Order {
  /** What the order is about. */
  Exclusive exclusive();

  /** About a guest. */
  sealed interface OfGuest extends Order {
    GuestId guest();

    @Override
    default Exclusive exclusive() {
      return guest();
    }
  }

  /** Define and start. Answered {@code Done} also when it already runs under this epoch. */
  record StartGuest(GuestId guest, Epoch epoch, String domainXml) implements OfGuest {
    /** Without the XML, which may hold passwords. */
    @Override
    public String toString() {
      return "StartGuest[guest=%s, epoch=%s]".formatted(guest, epoch);
    }
  }

  /** Stop by the guest's own shutdown, and after {@code grace} (zero: at once) by destroying it. */
  record StopGuest(GuestId guest, Epoch epoch, Duration grace) implements OfGuest {}

  /**
   * The question behind the proof "the agent's word": is it off, with no job left? Unless {@code
   * destroy}, the agent looks first, and while there is something it answers {@code StillThere} and
   * remembers nothing. Else it remembers {@code refuse} on disk, refuses every order of that epoch
   * or an older one from then on, destroys what is left if it is to, looks again, and answers
   * {@code Gone} only if libvirt then says so.
   *
   * @param refuse the highest epoch to refuse from now on
   * @param destroy whether to destroy what is left of it: an arriving or paused copy, or one that
   *     hangs
   */
  record ConfirmGone(GuestId guest, Epoch refuse, boolean destroy) implements OfGuest {}

  /** Can this guest arrive here: CPU, memory, bridges, definition? Changes nothing. */
  record Precheck(GuestId guest, Epoch epoch, String domainXml) implements OfGuest {
    /** Without the XML, which may hold passwords. */
    @Override
    public String toString() {
      return "Precheck[guest=%s, epoch=%s]".formatted(guest, epoch);
    }
  }

  /**
   * Migrate live to another host, where it arrives paused under {@code targetEpoch}. Begun once for
   * each target epoch: what comes of it may be undone, and an order that comes twice must not move
   * the guest after all.
   *
   * @param targetUri where the source's libvirt reaches the target's
   * @param targetAddress the target's address in the migration network
   * @param bandwidthMibPerSecond 0 for no limit
   */
  record MigrateOut(
      GuestId guest,
      Epoch epoch,
      Epoch targetEpoch,
      HostId target,
      String targetUri,
      String targetAddress,
      long bandwidthMibPerSecond)
      implements OfGuest {}

  /**
   * Stop a migration that is under way; the guest stays. One that has not begun never will, however
   * late its order comes.
   */
  record AbortMigration(GuestId guest, Epoch epoch, Epoch targetEpoch) implements OfGuest {}

  /**
   * Let it run.
   *
   * @param arrived it has come here by a migration, its old host is proven empty, and it waits for
   *     this. Otherwise it never left, and only what a broken migration paused goes on: a guest
   *     that its owner paused stays so and is answered {@code Done}
   */
  record ResumeGuest(GuestId guest, Epoch epoch, boolean arrived) implements OfGuest {}

  /**
   * Pause the copy of exactly this epoch: there is a younger one. Answered {@code Done} when
   * libvirt says that it is paused or gone; it is not destroyed, because somebody must look at it.
   */
  record PauseGuest(GuestId guest, Epoch epoch) implements OfGuest {}

  /** Forget the guest: undefine it if it is off. */
  record ForgetGuest(GuestId guest, Epoch epoch) implements OfGuest {}
}
