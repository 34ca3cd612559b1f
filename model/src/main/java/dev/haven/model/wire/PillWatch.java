package dev.haven.model.wire;

import dev.haven.model.PlainText;
import java.time.Duration;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.stream.Collectors;

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
  private static final int NAME_MAX = 100;
  private static final int DISKS_MAX = 16;

  public PillWatch {
    slot = PlainText.brief(slot, NAME_MAX);
    disks =
        disks.stream()
            .limit(DISKS_MAX)
            .map(disk -> PlainText.brief(disk, NAME_MAX))
            .collect(Collectors.toCollection(TreeSet::new));
  }
}
