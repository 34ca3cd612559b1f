package dev.haven.raft;

import static dev.haven.raft.LogFiles.IDENTITY;
import static dev.haven.raft.LogFiles.JOURNAL;
import static dev.haven.raft.LogFiles.SNAPSHOT;
import static dev.haven.raft.LogFiles.VOTE;

import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Logs of this voter that no longer count: their files are given other names. */
final class OldLogs {
  private static final Logger log = LoggerFactory.getLogger(OldLogs.class);

  private static final String ASIDE = "aside-";
  private static final String OLD = "old-";

  private static final int KEPT_OLD = 3;

  private final Disk disk;
  private final Halted.Switch halt;

  OldLogs(Disk disk, Halted.Switch halt) {
    this.disk = disk;
    this.halt = halt;
  }

  /**
   * Sets aside what an earlier run has marked with {@link #setAside}, before anything else is read.
   * May be interrupted anywhere: it goes on with the next start.
   */
  void putAsideWhatIsMarked() throws IOException {
    for (var name : disk.list()) {
      if (name.startsWith(ASIDE)) {
        putAside(name);
      }
    }
  }

  /** At the next start this log is not there any more, but under other names. */
  void setAside() {
    try {
      disk.open(ASIDE + (lastOld() + 1)).close();
      disk.syncDirectory();
    } catch (IOException e) {
      throw halt.now(disk.where() + ": setting the log aside failed", e);
    }
  }

  /** Whether a log of this voter was set aside, and nobody has moved it away since. */
  boolean wasSetAside() {
    try {
      return lastOld() > 0;
    } catch (IOException e) {
      throw halt.now(disk.where() + ": the directory cannot be read", e);
    }
  }

  /** The number of the last log that was set aside, 0 if there is none. */
  private long lastOld() throws IOException {
    long last = 0;
    for (var name : disk.list()) {
      last = Math.max(last, oldNumber(name));
    }
    return last;
  }

  /** 0 for the name of another file. */
  private static long oldNumber(String name) {
    int end = name.indexOf('-', OLD.length());
    if (!name.startsWith(OLD) || end < 0) {
      return 0;
    }
    try {
      return Long.parseLong(name.substring(OLD.length(), end));
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  private void putAside(String marker) throws IOException {
    long number;
    try {
      number = Long.parseLong(marker.substring(ASIDE.length()));
    } catch (NumberFormatException e) {
      throw new DamagedLogException(disk.where(), marker, "is no file of Haven's; move it away");
    }
    for (var name : disk.list()) {
      if (name.equals(IDENTITY)
          || name.equals(VOTE)
          || name.startsWith(JOURNAL)
          || name.startsWith(SNAPSHOT)) {
        disk.rename(name, OLD + number + "-" + name);
      } else if (oldNumber(name) > 0 && oldNumber(name) <= number - KEPT_OLD) {
        disk.delete(name);
      }
    }
    disk.syncDirectory();
    disk.delete(marker);
    disk.syncDirectory();
    log.warn("{}: the former log is kept as {}{}-*", disk.where(), OLD, number);
  }
}
