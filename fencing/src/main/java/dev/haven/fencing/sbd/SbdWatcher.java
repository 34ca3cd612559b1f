package dev.haven.fencing.sbd;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * The side of the host that may be told to die: reads its own mailbox on every disk, every loop of
 * the disk's header, until closed.
 *
 * <pre>
 *   reads --mailbox clear--> reads …
 *     |  \--reset, off, crashdump--> listener.killed, every loop again, until the host is gone
 *     |   \--test, exit, unknown--> cleared, listener.told
 *     \--I/O error, header or slot changed--> that disk is not read; opened again each loop
 * </pre>
 *
 * What the host's killer relies on: as long as the watcher is armed, either it reads a message
 * within its loop and the listener ends the host at once, or {@link #mayFeed} turns false and the
 * watchdog is left to reset the host. So the code that arms it
 *
 * <ul>
 *   <li>feeds the host's watchdog only right after {@link #mayFeed} said so;
 *   <li>lets it empty the mailboxes only when the host has booted again since it was last armed: a
 *       message that is there when only the process was restarted is meant for this boot;
 *   <li>does not run on a host that suspends: the clock here stands still meanwhile.
 * </ul>
 *
 * The host's slot has to exist ({@code sbd -d DISK allocate NAME}).
 */
public final class SbdWatcher implements AutoCloseable {
  /** Hears what the mailboxes say, on the disks' threads. */
  public interface Listener {
    /** The host has to end now, and may not return from this call as long as it can. */
    void killed(SbdMessage message, String from, Path disk);

    /** Something harmless, such as an operator's test. */
    void told(String message, Path disk);

    /** A disk cannot be read, or can again (an empty reason). Said once for each change. */
    void trouble(Path disk, String reason);
  }

  /** Between the last feeding and the watchdog's end, and for the clocks of two machines. */
  private static final Duration MARGIN = Duration.ofSeconds(1);

  private final String slot;
  private final Listener listener;
  private final List<Watched> disks;
  private final Duration blind;
  private volatile boolean closed;

  private SbdWatcher(String slot, Listener listener, List<Watched> disks, Duration blind) {
    this.slot = slot;
    this.listener = listener;
    this.disks = disks;
    this.blind = blind;
  }

  /**
   * Opens the disks and starts to read. A disk that does not open now is tried again every loop,
   * but enough to read messages by have to.
   *
   * @param disks one to three, the same that the host's fencing device has
   * @param slot the name under which the host has its slot on each
   * @param watchdog the timeout of the host's watchdog
   * @param bootedAnew whether what is in the mailboxes is older than this boot, and is thrown away
   * @throws IOException when too few disks can be read, or their times differ or leave the watchdog
   *     too little; the message says why
   */
  public static SbdWatcher start(
      List<Path> disks, String slot, Duration watchdog, boolean bootedAnew, Listener listener)
      throws IOException {
    var opened = new LinkedHashMap<Path, Optional<Opened>>();
    var reasons = new ArrayList<String>();
    for (var path : disks) {
      try {
        opened.put(path, Optional.of(Opened.open(path, slot)));
      } catch (IOException e) {
        opened.put(path, Optional.empty());
        reasons.add(String.valueOf(e.getMessage()));
      }
    }
    var good = opened.values().stream().flatMap(Optional::stream).toList();
    if (disks.isEmpty() || disks.size() > 3 || good.size() < quorum(disks.size())) {
      close(good);
      throw new IOException(
          "too few sbd disks can be read, %d of %d: %s"
              .formatted(good.size(), disks.size(), String.join("; ", reasons)));
    }
    var header = good.getFirst().disk().header();
    Duration blind;
    try {
      blind = blind(disks, good, watchdog);
    } catch (IOException e) {
      close(good);
      throw e;
    }
    if (bootedAnew) {
      for (var disk : good) {
        disk.disk().write(disk.number(), SbdMessage.CLEAR, "");
      }
    }
    var watched = new ArrayList<Watched>();
    var watcher = new SbdWatcher(slot, listener, watched, blind);
    opened.forEach(
        (path, disk) -> watched.add(watcher.new Watched(path, disk.orElse(null), header)));
    watched.forEach(Watched::start);
    return watcher;
  }

  /**
   * For how long at most no disk may have been read, so that no message counts before it is seen.
   *
   * @throws IOException when the disks' times differ or leave the watchdog too little
   */
  private static Duration blind(List<Path> disks, List<Opened> good, Duration watchdog)
      throws IOException {
    var header = good.getFirst().disk().header();
    for (var other : good) {
      if (!times(other.disk().header()).equals(times(header))) {
        throw new IOException(
            "the sbd disks %s keep different times; create them with the same -1, -3 and -4"
                .formatted(disks));
      }
    }
    if (good.stream().map(o -> o.disk().header().id()).distinct().count() < good.size()) {
      throw new IOException("two of the sbd disks %s are the same one".formatted(disks));
    }
    var blind = header.msgwait().minus(watchdog).minus(MARGIN);
    if (blind.compareTo(header.watchdog()) > 0) {
      blind = header.watchdog();
    }
    if (blind.compareTo(header.loop().multipliedBy(2)) < 0) {
      throw new IOException(
          "a message on the sbd disks %s counts after %d s, which a watchdog of %d s leaves no time to read it; create them again with sbd -4 %d"
              .formatted(
                  disks,
                  header.msgwait().toSeconds(),
                  watchdog.toSeconds(),
                  watchdog.plus(MARGIN).plus(header.watchdog()).toSeconds()));
    }
    return blind;
  }

  private static List<Duration> times(SbdDisk.Header header) {
    return List.of(header.watchdog(), header.loop(), header.msgwait());
  }

  private static void close(List<Opened> disks) throws IOException {
    for (var disk : disks) {
      disk.disk().close();
    }
  }

  /** So many disks meet every majority that a message can have been written to. */
  private static int quorum(int disks) {
    return disks > 2 ? disks / 2 + 1 : 1;
  }

  /** The watchdog is not fed any more once a message could have waited unread for so long. */
  public Duration blind() {
    return blind;
  }

  /** The disks that could be read so far, whatever their paths. */
  public SortedSet<String> disks() {
    var ids = new TreeSet<String>();
    for (var disk : disks) {
      if (!disk.id.isEmpty()) {
        ids.add(disk.id);
      }
    }
    return ids;
  }

  /**
   * So old is the view of the mailboxes: a message that was on a majority of the disks before that
   * has been read.
   */
  public Duration blindFor() {
    long now = System.nanoTime();
    var ages = disks.stream().mapToLong(disk -> now - disk.readFrom).sorted().toArray();
    return Duration.ofNanos(ages[quorum(disks.size()) - 1]);
  }

  /** Whether the watchdog may be fed: not when a message could have waited unread too long. */
  public boolean mayFeed() {
    return !closed && blindFor().compareTo(blind) < 0;
  }

  /** Stops reading, and with it the right to feed the watchdog. */
  @Override
  public void close() {
    closed = true;
    for (var disk : disks) {
      disk.thread.interrupt();
    }
  }

  private record Opened(SbdDisk disk, int number) {
    static Opened open(Path path, String slot) throws IOException {
      var disk = SbdDisk.open(path);
      try {
        var number = disk.find(slot);
        if (number.isPresent()) {
          return new Opened(disk, number.get());
        }
        throw new IOException(
            "%s has no slot %s; make one with: sbd -d %s allocate %s"
                .formatted(path, slot, path, slot));
      } catch (IOException e) {
        try (disk) {
          throw e;
        }
      }
    }
  }

  /** One disk and its thread; only that thread and the holder of the lock use it. */
  private final class Watched {
    final Path path;
    final Thread thread;
    private final SbdDisk.Header expected;
    private @Nullable Opened opened;
    private String reason = "";

    /** Of the disk that was first found here; empty before. */
    private volatile String id = "";

    /** When the last reading that succeeded began. */
    volatile long readFrom = System.nanoTime() - Duration.ofDays(1).toNanos();

    Watched(Path path, @Nullable Opened opened, SbdDisk.Header expected) {
      this.path = path;
      this.opened = opened;
      this.id = opened == null ? "" : opened.disk().header().id();
      this.expected = expected;
      // A platform thread: a hanging disk would hold the carrier of a virtual one.
      thread =
          Thread.ofPlatform().daemon().name("sbd-watch-" + path.getFileName()).unstarted(this::run);
    }

    void start() {
      thread.start();
    }

    private void run() {
      while (!closed) {
        look();
        try {
          Thread.sleep(expected.loop());
        } catch (InterruptedException e) {
          break; // closed
        }
      }
      synchronized (this) {
        drop();
      }
    }

    private synchronized void look() {
      long began = System.nanoTime();
      try {
        var current = opened();
        if (!current.disk().headerNow().same(current.disk().header())
            || !current.disk().belongs(current.number(), slot)) {
          throw new IOException(path + " has another header or slot than before");
        }
        var mail = current.disk().read(current.number());
        obey(current, mail);
        readFrom = began;
        say("");
      } catch (IOException e) {
        drop();
        say(String.valueOf(e.getMessage()));
      }
    }

    private void obey(Opened current, SbdDisk.Mail mail) throws IOException {
      if (mail.message().filter(SbdMessage.CLEAR::equals).isPresent()) {
        return;
      }
      if (mail.message().filter(SbdMessage::kills).isPresent()) {
        listener.killed(mail.message().get(), mail.from(), path);
        return;
      }
      // A message that is written right now is overwritten here, as by sbd itself; its writer finds
      // it gone after its wait and takes it for undelivered.
      current.disk().write(current.number(), SbdMessage.CLEAR, "");
      listener.told(mail.toString(), path);
    }

    private Opened opened() throws IOException {
      var current = opened;
      if (current == null) {
        current = Opened.open(path, slot);
        opened = current;
        if (!times(current.disk().header()).equals(times(expected))) {
          throw new IOException(path + " keeps other times than the other sbd disks");
        }
        if (id.isEmpty()) {
          id = current.disk().header().id();
        } else if (!id.equals(current.disk().header().id())) {
          // its writer may still count the disk that was here before
          throw new IOException(
              path + " is another disk than before; it is watched from the next boot on");
        }
      }
      return current;
    }

    private void drop() {
      if (opened != null) {
        try {
          opened.disk().close();
        } catch (IOException e) {
          // It is opened again, or not needed any more.
        }
        opened = null;
      }
    }

    private void say(String now) {
      if (now.isEmpty() != reason.isEmpty()) {
        listener.trouble(path, now);
      }
      reason = now;
    }
  }
}
