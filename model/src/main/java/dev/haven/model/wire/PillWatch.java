package dev.haven.model.wire;

import java.time.Duration;
import java.util.SortedSet;
import java.util.TreeSet;

/**
 * A host listens to its SBD disks: told so by one of them, it ends at once, and its watchdog is not
 * fed any more when it has been deaf for too long.
 *
 * @param slot the name under which the host has its slot
 * @param disks the ids of those that it could read, the same on every host
 * @param configured how many it was given, 1 to 3: a message counts on more than half of these
 * @param deaf the watchdog is not fed once a message could have waited unread for so long
 */
public record PillWatch(String slot, SortedSet<String> disks, int configured, Duration deaf) {
  public PillWatch {
    disks = new TreeSet<>(disks);
  }
}
