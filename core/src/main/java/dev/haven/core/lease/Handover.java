package dev.haven.core.lease;

import dev.haven.model.AddedLater;
import dev.haven.model.BootId;
import dev.haven.model.Epoch;
import dev.haven.model.Exclusive;
import dev.haven.model.GuestId;
import dev.haven.model.wire.LeaseLength;
import dev.haven.model.wire.Watchdog;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;

/**
 * What one process of the agent leaves to the next one of the same boot. Times are nanoseconds of
 * the boot's own clock.
 *
 * @param enforcing whether guests are paused when their leases end
 * @param asked the length of lease that this host asks for
 * @param held every lease that was granted and not replaced
 * @param watchdog the one that this boot has armed, without what was said of it to others; empty if
 *     it has none. A later process must not open it to learn that: to open it feeds it
 * @param listensTo where others know that this boot listens for poison pills
 * @param letRun guests that a call may let run which was sent, or is about to be, and has not
 *     returned: the next process cannot see that call, and libvirt may still obey it
 * @param paused guests that were paused for want of a lease, of which the disk took no note
 */
public record Handover(
    BootId boot,
    boolean enforcing,
    LeaseLength asked,
    SortedMap<Exclusive, LeaseTable.Held> held,
    @AddedLater Optional<Watchdog> watchdog,
    Optional<PillDisks> listensTo,
    @AddedLater SortedMap<GuestId, Epoch> letRun,
    @AddedLater SortedMap<GuestId, Epoch> paused) {

  /**
   * SBD disks on which a host listens.
   *
   * @param disks paths of their devices
   * @param slot the name that the host has on them
   */
  public record PillDisks(List<String> disks, String slot) {
    public PillDisks {
      disks = List.copyOf(disks);
    }
  }
}
