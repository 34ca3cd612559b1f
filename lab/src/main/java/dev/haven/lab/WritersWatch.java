package dev.haven.lab;

import dev.haven.model.GuestId;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Reads from outside who signs a guest's disk ({@link LabGuests#describeSigning}), so that two
 * writers are seen on the disk itself, whatever Haven, libvirt and QEMU say.
 *
 * <p>A guest signs with an id that it draws when it boots: a migration takes it along, a new copy
 * has another. Once a younger one has signed, no older one may ever sign again.
 */
public final class WritersWatch implements AutoCloseable {
  private static final Duration LOOK_EVERY = Duration.ofMillis(25);
  private static final int SECTOR = 512;
  private static final int SECTORS = 256;
  private static final Pattern SIGNATURE = Pattern.compile("HAVEN (\\S+) (\\d+) *\n");
  private static final Pattern EPOCH =
      Pattern.compile("https://haven.dev/xmlns/guest/1['\"] epoch=['\"](\\d+)");

  /** Who signs one guest's disk, in the order in which they began. Pure. */
  static final class Course {
    private final GuestId guest;

    /** By id: who it was thought to be when it first signed, and its highest count. */
    private final Map<String, String> writers = new LinkedHashMap<>();

    private final Map<String, Long> counts = new HashMap<>();
    private final List<String> doubles = new ArrayList<>();
    private long signatures;

    Course(GuestId guest) {
      this.guest = guest;
    }

    /**
     * @param highest of each id whose signatures are on the disk now
     * @param where the guest's copies are now, for people
     */
    void look(Instant at, Map<String, Long> highest, Supplier<String> where) {
      var before = List.copyOf(writers.keySet());
      highest.forEach(
          (id, count) -> {
            long known = counts.getOrDefault(id, -1L);
            if (count <= known) {
              return;
            }
            signatures += count - known;
            counts.put(id, count);
            if (known < 0) {
              writers.put(id, "%s at %s".formatted(where.get(), at));
            } else if (!before.getLast().equals(id)) {
              doubles.add(
                  "guest %s: at %s its disk was written (%d) by the copy that began on %s, after a younger one had begun on %s"
                      .formatted(guest, at, count, writers.get(id), writers.get(before.getLast())));
            }
          });
    }

    /** Every write by an older copy after a younger one had written, each in a sentence. */
    List<String> doubles() {
      return List.copyOf(doubles);
    }
  }

  private final QemuWatch processes;
  private final Map<Path, Course> courses = new LinkedHashMap<>();
  private final Thread thread;
  private volatile boolean closed;

  private WritersWatch(QemuWatch processes) {
    this.processes = processes;
    this.thread = new Thread(this::follow, "writers-watch");
    this.thread.setDaemon(true);
  }

  /** Follows the disks of these guests. */
  public static WritersWatch start(Lab lab, QemuWatch processes, List<GuestId> guests) {
    var watch = new WritersWatch(processes);
    guests.forEach(g -> watch.courses.put(lab.disk(g.value()), new Course(g)));
    watch.thread.start();
    return watch;
  }

  private void follow() {
    while (!closed) {
      look();
      try {
        Thread.sleep(LOOK_EVERY);
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  private synchronized void look() {
    courses.forEach(
        (disk, course) -> {
          var found = read(disk);
          course.look(Instant.now(), found, () -> where(course.guest));
        });
  }

  private static Map<String, Long> read(Path disk) {
    var highest = new TreeMap<String, Long>();
    try (var in = Files.newInputStream(disk)) {
      var ring = in.readNBytes(SECTOR * SECTORS);
      for (int at = 0; at + SECTOR <= ring.length; at += SECTOR) {
        if (ring[at] != 'H') {
          continue; // nothing was written here yet
        }
        var found = SIGNATURE.matcher(new String(ring, at, SECTOR, StandardCharsets.US_ASCII));
        if (found.matches()) {
          highest.merge(found.group(1), Long.valueOf(found.group(2)), Math::max);
        }
      }
    } catch (IOException e) {
      throw new LabException("cannot read " + disk + ": " + e.getMessage(), e);
    }
    return highest;
  }

  private String where(GuestId guest) {
    return processes.running().stream()
        .filter(s -> s.guest().equals(guest.value()))
        .map(s -> "host %s (epoch %s, pid %d)".formatted(s.host(), epoch(s), s.pid()))
        .collect(Collectors.joining(" or "));
  }

  /** As libvirt has noted it for the domain that it runs; looked up where libvirt keeps it. */
  private static String epoch(QemuWatch.Sighting copy) {
    var state =
        Path.of("/proc/%d/root/run/libvirt/qemu/%s.xml".formatted(copy.pid(), copy.guest()));
    try {
      var found = EPOCH.matcher(Files.readString(state));
      return found.find() ? found.group(1) : "unknown";
    } catch (IOException e) {
      return "unknown"; // the copy has just ended
    }
  }

  /** Every write by an older copy after a younger one had written, each in a sentence. */
  public synchronized List<String> doubleWriters() {
    return courses.values().stream().flatMap(c -> c.doubles().stream()).toList();
  }

  /** How many signatures have been read. */
  public synchronized long signatures() {
    return courses.values().stream().mapToLong(c -> c.signatures).sum();
  }

  /** How many of this guest's have been read. */
  public synchronized long signatures(GuestId guest) {
    return courses.values().stream()
        .filter(c -> c.guest.equals(guest))
        .mapToLong(c -> c.signatures)
        .sum();
  }

  /** How many copies have signed. */
  public synchronized int writers() {
    return courses.values().stream().mapToInt(c -> c.writers.size()).sum();
  }

  @Override
  public void close() {
    closed = true;
    thread.interrupt();
  }
}
