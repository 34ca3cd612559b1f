package dev.haven.core.ha;

import dev.haven.model.Definition;
import dev.haven.model.DiskUse;
import dev.haven.model.GuestDisk;
import dev.haven.model.GuestId;
import dev.haven.model.GuestSpec;
import dev.haven.model.api.Alarm;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** Who has which disks: two guests must never have one that either of them writes. */
final class Disks {
  private static final String ALARM = "shared-disk-";

  /** No name of a guest has it. */
  private static final String AND = "+";

  private Disks() {}

  /**
   * Why a guest must not be described so; empty if it may. What it shares with others already is no
   * reason: it has an alarm.
   */
  static Optional<String> conflict(ClusterState state, GuestSpec spec, Definition definition) {
    var before = state.rivals(spec.id());
    return state.rivals(spec.id(), definition).stream()
        .filter(r -> before.stream().noneMatch(b -> b.guest().equals(r.guest())))
        .findFirst()
        .map(
            r ->
                "guest %s: its disk %s is also opened by guest %s, and one of them writes it; give it a disk of its own, or mark the disk <readonly/> in both, or <shareable/> in both if a cluster file system is on it"
                    .formatted(spec.id(), named(definition, r), r.guest()));
  }

  /** Why a guest must not start now; empty if its disks are its own. */
  static Optional<String> blocked(ClusterState state, Guest guest) {
    return state.rivals(guest.id()).stream()
        .filter(Rival::mayRun)
        .findFirst()
        .map(
            r ->
                "guest %s does not start: guest %s may run and has the same disk (%s), and one of them writes it; stop that one, or give one a disk of its own: haven guest edit %s"
                    .formatted(
                        guest.id(), r.guest(), named(state.definition(guest.id()), r), guest.id()));
  }

  /** Raises the alarm of each pair in which this guest is now, and clears those that are over. */
  static void alarms(Deliberation d, GuestId id) {
    var now = new TreeSet<String>();
    for (var rival : d.state().rivals(id)) {
      var alarm = alarm(id, rival.guest());
      now.add(alarm);
      d.alarm(
          alarm,
          Alarm.Kind.SHARED_DISK,
          Alarm.Level.CRITICAL,
          id,
          "guests %s and %s have the same disk (%s), and one of them writes it: they destroy its data if both run. Nothing is stopped; stop one, and give it a disk of its own: haven guest edit %s"
              .formatted(id, rival.guest(), named(d.state().definition(id), rival), id));
    }
    for (var standing : List.copyOf(d.state().alarms())) {
      if (concerns(standing.id(), id) && !now.contains(standing.id())) {
        d.clearAlarm(standing.id());
      }
    }
  }

  private static String alarm(GuestId one, GuestId other) {
    boolean first = one.compareTo(other) < 0;
    return ALARM + (first ? one : other) + AND + (first ? other : one);
  }

  private static boolean concerns(String alarm, GuestId guest) {
    return alarm.startsWith(ALARM)
        && (alarm.startsWith(ALARM + guest + AND) || alarm.endsWith(AND + guest));
  }

  /** What its owner calls it, and what hosts found it to be. */
  private static String named(Definition definition, Rival rival) {
    boolean itsOwnWord =
        definition.disks().stream().anyMatch(disk -> disk.use().what().equals(rival.what()));
    return itsOwnWord || definition.disks().isEmpty()
        ? rival.what()
        : "%s, which is or stands on %s"
            .formatted(
                definition.disks().stream()
                    .map(disk -> disk.use().what())
                    .limit(4)
                    .collect(Collectors.joining(" or ")),
                rival.what());
  }

  /**
   * For the answer to the person who described it; empty if hosts have looked at all of its disks.
   */
  static String warning(Definition definition) {
    return definition.resolved()
        ? ""
        : "; warning: no host could look at all of its disks within 5 s (%s), so only their paths were compared; they are looked at again before it starts"
            .formatted(
                definition.disks().stream()
                    .filter(disk -> disk.path().isPresent())
                    .map(disk -> disk.use().what())
                    .limit(4)
                    .collect(Collectors.joining(", ")));
  }

  /** Whether two guests have disks on the same storage. */
  static boolean sameStorage(ClusterState state, GuestId one, GuestId other) {
    return !Collections.disjoint(storage(state.definition(one)), storage(state.definition(other)));
  }

  /**
   * The storage that holds them: the directory of a file, the volume group of a volume, the pool of
   * a network disk.
   */
  static Set<String> storage(Definition definition) {
    return definition.disks().stream()
        .map(GuestDisk::use)
        .map(DiskUse::what)
        .map(Disks::storage)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static String storage(String disk) {
    int slash = disk.lastIndexOf('/');
    var directory = slash > 0 ? disk.substring(0, slash) : disk;
    // what lies there is of one device each: /dev/drbd0, /dev/disk/by-id/…, /dev/drbd/by-res/…
    boolean ofItsOwn =
        directory.equals("device /dev")
            || directory.startsWith("device /dev/disk")
            || directory.startsWith("device /dev/drbd");
    return ofItsOwn ? disk : directory;
  }
}
