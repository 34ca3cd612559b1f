package dev.haven.core.ha;

import java.time.Duration;
import java.util.List;
import java.util.Set;

/**
 * A message that ends a host stood in its mailbox for the whole of its wait. What that proves
 * depends on the host's listener: {@link Guard#noPill}.
 *
 * @param slot whose mailbox it was
 * @param disks that held it, by path
 * @param ids of these disks
 * @param waited since the last of them took it
 */
public record Pill(String slot, List<String> disks, Set<String> ids, Duration waited) {
  public Pill {
    disks = List.copyOf(disks);
    ids = Set.copyOf(ids);
  }
}
